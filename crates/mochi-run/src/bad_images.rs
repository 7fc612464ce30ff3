//! `bad-images.jsonl`: the images of a run that could not be read, one record a line, whatever the record's type.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::lines::{open_lines, read_lines};
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

    /// Name and reason of every record of a list, in its order; lines that are not records are left out.
    ///
    /// # Errors
    /// [`RunError::File`], [`RunError::LongLine`].
    pub fn read(path: &Path) -> Result<Vec<(String, String)>, RunError> {
        #[derive(Deserialize)]
        struct Named {
            name: String,
            reason: String,
        }
        let mut named = Vec::new();
        read_lines(path, |_, line| {
            named.extend(serde_json::from_slice::<Named>(line).map(|record| (record.name, record.reason)));
            Ok(())
        })?;
        Ok(named)
    }

    /// The `index` of every record that is in a list already; lines that are not records are left out.
    ///
    /// # Errors
    /// [`RunError::File`], [`RunError::LongLine`].
    pub fn listed(path: &Path) -> Result<HashSet<usize>, RunError> {
        #[derive(Deserialize)]
        struct Listed {
            index: usize,
        }
        let mut listed = HashSet::new();
        read_lines(path, |_, line| {
            listed.extend(serde_json::from_slice::<Listed>(line).map(|record| record.index));
            Ok(())
        })?;
        Ok(listed)
    }

    /// Writes one record.
    pub fn append<T: Serialize>(&mut self, record: &T) -> Result<(), RunError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open_at_a_line(&self.path)?),
        };
        append_line(file, &self.path, record)
    }

    /// Waits until everything written so far is on the disk.
    pub fn sync(&self) -> Result<(), RunError> {
        self.file.as_ref().map_or(Ok(()), File::sync_data).map_err(RunError::io("sync", &self.path))
    }
}

/// Opens for appending; half a line, which a full disk or a crash has left at the end, is cut off first.
fn open_at_a_line(path: &Path) -> Result<File, RunError> {
    open_lines(path, |_, _| Ok(true))
}
