//! `cell.json` in the run folder of a cell: what the study knows of the cell beside the run itself. Only the worker that has the cell's lease writes it.

use std::path::{Path, PathBuf};

use mochi_files::{read_capped, write_atomic};
use serde::{Deserialize, Serialize};

use crate::error::AblateError;

/// Largest of the study's own files in bytes.
const LIMIT: u64 = 1 << 20;
const FILE: &str = "cell.json";

/// What `cell.json` holds. What is not recorded yet is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    /// Training and evaluation over all sessions, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    /// The step at which training ended: a copy of the study may lack the checkpoints, which tell it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trained_steps: Option<u64>,
    /// Where the labeled images were, for each plan and machine on which the cell was evaluated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) labeled: Vec<Labeled>,
}

/// Labeled images for the evaluation, training and test. Addresses are without their query, which has secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Labeled {
    /// As the plan has them.
    pub(crate) written: [String; 2],
    /// Where the machine that evaluated had them, as its results name them.
    pub(crate) found: [String; 2],
}

impl Record {
    /// The record of a run folder; an empty one where there is none that can be read.
    pub(crate) fn read(run: &Path) -> Record {
        read_json(&path(run)).unwrap_or_default()
    }

    /// Writes it into a run folder, whole or not at all.
    ///
    /// # Errors
    /// [`AblateError::File`], [`AblateError::Io`].
    pub(crate) fn write(&self, run: &Path) -> Result<(), AblateError> {
        write_json(&path(run), self)
    }
}

fn path(run: &Path) -> PathBuf {
    run.join(FILE)
}

/// What a file holds; `None` where it cannot be read.
pub(crate) fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Option<T> {
    serde_json::from_slice(&read_capped(path, LIMIT).ok()?).ok()
}

/// Writes a file, whole or not at all.
///
/// # Errors
/// [`AblateError::File`], [`AblateError::Io`].
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), AblateError> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| AblateError::io("write", path)(std::io::Error::other(error)))?;
    Ok(write_atomic(path, &text)?)
}
