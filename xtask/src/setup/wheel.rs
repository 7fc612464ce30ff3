//! Is an unpacked wheel whole? Every `*.dist-info/RECORD` lists its files with their sizes; a folder that was cut short lacks some.

use std::path::Path;

/// The first thing that is missing or of another size in a folder that pip filled, or nothing where all is there.
pub(super) fn first_fault(folder: &Path) -> Option<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Some(format!("{} cannot be read", folder.display()));
    };
    let mut records = 0;
    for entry in entries.flatten() {
        let record = entry.path().join("RECORD");
        if entry.file_name().to_string_lossy().ends_with(".dist-info") {
            let Ok(text) = std::fs::read_to_string(&record) else {
                return Some(format!("{} is missing", record.display()));
            };
            records += 1;
            if let Some(fault) = text.lines().find_map(|line| fault_of(folder, line)) {
                return Some(fault);
            }
        }
    }
    (records == 0).then(|| format!("{} holds no package", folder.display()))
}

/// One line of a RECORD: `path,sha256=...,size`, the last two empty for files that pip itself writes.
fn fault_of(folder: &Path, line: &str) -> Option<String> {
    let mut fields = line.rsplitn(3, ',');
    let size: u64 = fields.next()?.parse().ok()?;
    let path = fields.nth(1)?.trim_matches('"');
    // `../../bin/...`: start scripts, which pip puts elsewhere.
    if path.starts_with("..") {
        return None;
    }
    match folder.join(path).metadata() {
        Ok(file) if file.len() == size => None,
        Ok(file) => Some(format!("{path} has {} bytes instead of {size}", file.len())),
        Err(_) => Some(format!("{path} is missing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_folder_is_told_from_a_whole_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        assert!(first_fault(folder.path()).expect("empty").contains("no package"));
        std::fs::create_dir(at("torch-2.11.0.dist-info")).expect("made");
        assert!(first_fault(folder.path()).expect("no RECORD").contains("RECORD is missing"));
        let record = "../../bin/torchrun,sha256=x,247\n\"a,b.so\",sha256=x,3\nlib.so,sha256=x,5\ntorch-2.11.0.dist-info/RECORD,,\n";
        std::fs::write(at("torch-2.11.0.dist-info/RECORD"), record).expect("written");
        std::fs::write(at("a,b.so"), "abc").expect("written");
        assert_eq!(first_fault(folder.path()).as_deref(), Some("lib.so is missing"));
        std::fs::write(at("lib.so"), "abc").expect("written");
        assert_eq!(first_fault(folder.path()).as_deref(), Some("lib.so has 3 bytes instead of 5"));
        std::fs::write(at("lib.so"), "abcde").expect("written");
        assert_eq!(first_fault(folder.path()), None);
    }
}
