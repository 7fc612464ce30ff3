//! Files of JSON lines in a run folder. Each record is written in a single write, so that readers see whole lines or a torn last one, and a killed
//! process loses at most the line that it was writing. They are read line by line, at most [`LINE`] bytes at a time.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use mochi_files::Folder;

use crate::error::RunError;
use crate::limits::LINE;

/// Opens a file, which is made where it is missing, to append behind its first lines for which `keep` says yes. The rest and a torn last line are cut
/// off. A link or anything else in its place is refused.
pub(crate) fn open_lines(
    path: &Path,
    mut keep: impl FnMut(usize, &[u8]) -> Result<bool, RunError>,
) -> Result<File, RunError> {
    let (folder, name) = place(path)?;
    let mut file = folder.open_write(name)?;
    let mut end = 0;
    each_line(&file, path, |number, line| {
        let kept = keep(number, line)?;
        end += if kept { line.len() as u64 } else { 0 };
        Ok(kept)
    })?;
    if file.metadata().map_err(RunError::io("read", path))?.len() != end {
        file.set_len(end).map_err(RunError::io("cut", path))?;
    }
    file.seek(SeekFrom::Start(end)).map_err(RunError::io("open", path))?;
    Ok(file)
}

/// Reads every whole line of a file. One that does not exist has none.
pub(crate) fn read_lines(
    path: &Path,
    mut each: impl FnMut(usize, &[u8]) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let (folder, name) = place(path)?;
    match folder.open_file(name) {
        Ok(file) => each_line(&file, path, |number, line| each(number, line).map(|()| true)),
        Err(error) if error.kind() == Some(std::io::ErrorKind::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The folder of a file, which may be reached through links, and the file's name in it, which may not be one.
fn place(path: &Path) -> Result<(Folder, &Path), RunError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((Folder::open(parent)?, Path::new(path.file_name().unwrap_or_default())))
}

/// Calls `each` with the number (from 1) and the bytes of every line, its line break included, until it says no. What lies behind the last line
/// break is torn and left out.
fn each_line(
    file: &File,
    path: &Path,
    mut each: impl FnMut(usize, &[u8]) -> Result<bool, RunError>,
) -> Result<(), RunError> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.by_ref().take(LINE + 1).read_until(b'\n', &mut line).map_err(RunError::io("read", path))?;
        if line.last() != Some(&b'\n') {
            return if read as u64 > LINE {
                Err(RunError::LongLine { path: path.to_owned(), line: number })
            } else {
                Ok(())
            };
        }
        if !each(number, &line)? {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Write;

    fn open(path: &Path) -> Result<File, RunError> {
        open_lines(path, |_, line| Ok(line != b"cut\n"))
    }

    #[test]
    fn a_torn_line_and_what_is_not_kept_are_cut_off_before_the_next() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("log.jsonl");
        let cases =
            [("1\n{\"inde", "1\n2\n"), ("{\"inde", "2\n"), ("1\n", "1\n2\n"), ("", "2\n"), ("1\ncut\n3\n", "1\n2\n")];
        for (before, after) in cases {
            std::fs::write(&path, before).unwrap();
            open(&path).unwrap().write_all(b"2\n").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
        }
    }

    /// Security review S7: a log of 3 GiB without a line break was read whole.
    #[test]
    fn s7_a_line_is_read_up_to_its_limit() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("log.jsonl");
        std::fs::write(&path, "1\n").unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(3 << 30).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, RunError::LongLine { line: 2, .. }), "{error}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 3 << 30, "nothing was cut");
        let mut seen = 0;
        let read = read_lines(&path, |_, _| {
            seen += 1;
            Ok(())
        });
        assert!(matches!(read, Err(RunError::LongLine { .. })) && seen == 1);
    }
}
