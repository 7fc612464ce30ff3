//! `manifest.json`: what makes a checkpoint whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use mochi_files::{FileError, FileType, Folder};
use mochi_text::counted;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::error::RunError;
use crate::limits::WHOLE_FILE;

pub(super) const MANIFEST: &str = "manifest.json";
const FORMAT: u32 = 1;
const BUFFER: usize = 1 << 18;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    step: u64,
    files: BTreeMap<String, Contents>,
}

/// What a file holds, in short.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Contents {
    bytes: u64,
    /// XXH3 of 64 bits, 16 hexadecimal digits.
    xxh3: String,
}

impl Contents {
    fn of(mut file: &File) -> std::io::Result<Contents> {
        let mut hash = Xxh3::new();
        let mut bytes = 0;
        let mut buffer = vec![0; BUFFER];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(Contents { bytes, xxh3: format!("{:016x}", hash.digest()) }),
                Ok(count) => {
                    hash.update(buffer.get(..count).unwrap_or(&[]));
                    bytes += count as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Manifest {
    /// Syncs every file of a folder and takes its checksum.
    pub(super) fn take(folder: &Folder, step: u64) -> Result<Manifest, RunError> {
        let mut files = BTreeMap::new();
        for entry in folder.list()? {
            let path = folder.path().join(&entry.name);
            let file = folder.open_file(&entry.name)?;
            let name = entry.name.into_string().map_err(|_| FileError::Name { path: path.clone() })?;
            file.sync_all().map_err(RunError::io("sync", &path))?;
            files.insert(name, Contents::of(&file).map_err(RunError::io("read", &path))?);
        }
        Ok(Manifest { format: FORMAT, step, files })
    }

    pub(super) fn write(&self, folder: &Folder) -> Result<(), RunError> {
        let path = folder.path().join(MANIFEST);
        let text = serde_json::to_vec_pretty(self).map_err(|source| RunError::Unwritable { path, source })?;
        Ok(folder.write(MANIFEST, &text)?)
    }

    /// The checksum of one of its files.
    pub(super) fn checksum(folder: &Folder, file: &str) -> Option<String> {
        let manifest: Manifest = serde_json::from_slice(&folder.read(MANIFEST, WHOLE_FILE).ok()?).ok()?;
        manifest.files.get(file).map(|contents| contents.xxh3.clone())
    }

    /// Whether a folder holds what its manifest says; otherwise what is wrong, in words.
    pub(super) fn check(folder: &Folder, step: u64) -> Result<(), String> {
        let text = match folder.file_type(MANIFEST) {
            Ok(None) => return Err(format!("{MANIFEST} is missing")),
            _ => folder.read(MANIFEST, WHOLE_FILE).map_err(|error| error.to_string())?,
        };
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| format!("{MANIFEST}: {error}"))?;
        if manifest.format != FORMAT {
            return Err(format!("{MANIFEST} has format {}, expected {FORMAT}", manifest.format));
        }
        if manifest.step != step {
            return Err(format!("{MANIFEST} is that of step {}", manifest.step));
        }
        for (name, expected) in &manifest.files {
            match folder.file_type(Path::new(name)) {
                Ok(None) => return Err(format!("{name} is missing")),
                Ok(Some(FileType::File)) => {}
                Ok(Some(_)) => return Err(format!("{name} is not a regular file")),
                Err(error) => return Err(error.to_string()),
            }
            let file = folder.open_file(Path::new(name)).map_err(|error| error.to_string())?;
            let length = file.metadata().map_err(|error| format!("{name}: {error}"))?.len();
            if length != expected.bytes {
                return Err(format!("{name} has {}, expected {}", counted(length, "byte"), expected.bytes));
            }
            if Contents::of(&file).map_err(|error| format!("{name}: {error}"))? != *expected {
                return Err(format!("{name} has changed since it was written (its checksum differs)"));
            }
        }
        Ok(())
    }
}
