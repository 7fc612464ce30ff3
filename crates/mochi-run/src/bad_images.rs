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
            none => {
                let opened = OpenOptions::new().append(true).create(true).open(&self.path);
                none.insert(opened.map_err(RunError::io("open", &self.path))?)
            }
        };
        append_line(file, &self.path, record)
    }
}
