//! `bad-images.jsonl`: the images of a run that could not be read, one record a line, whatever the record's type.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::RunError;
use crate::metrics::append_line;

/// The open list of a run.
#[derive(Debug)]
pub struct BadImageLog {
    path: PathBuf,
    file: Option<File>,
}

impl BadImageLog {
    /// A list that is made with its first record: a run without bad images has no such file. An existing one is
    /// added to.
    pub fn open(path: &Path) -> BadImageLog {
        BadImageLog { path: path.to_owned(), file: None }
    }

    /// Writes one record.
    pub fn append<T: Serialize>(&mut self, record: &T) -> Result<(), RunError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open_at_a_line(&self.path).map_err(RunError::io("open", &self.path))?),
        };
        append_line(file, &self.path, record)
    }
}

/// Opens for appending; half a line, which a full disk or a crash has left at the end, is cut off first.
fn open_at_a_line(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    if file.metadata()?.is_file() {
        let there = std::fs::read(path)?;
        let whole = there.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if whole < there.len() {
            file.set_len(whole as u64)?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_line_is_cut_off_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad-images.jsonl");
        for (there, after) in [("1\n{\"inde", "1\n2\n"), ("{\"inde", "2\n"), ("1\n", "1\n2\n"), ("", "2\n")] {
            std::fs::write(&path, there).unwrap();
            BadImageLog::open(&path).append(&2).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_one_clear_error() {
        let error = BadImageLog::open(Path::new("/dev/full")).append(&"image").unwrap_err();
        assert!(error.to_string().contains("No space left"), "{error}");
        assert!(error.hint().is_some(), "{error:?}");
    }
}
