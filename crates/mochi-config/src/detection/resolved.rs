//! Resolved settings of detection: a value for every key, written to the run as `config.toml` and read back from it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::heads::{Detections, Proposals, Regions};
use super::schema::DETECTION;
use super::sections::{Data, Evaluation, Log, Model, Optimizer};
use crate::document;
use crate::error::ConfigError;
use crate::origin::{Described, Origins};
use crate::reader::{self, Loaded};
use crate::sections::{Checkpoint, Compute};

/// Every setting of detection, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    /// Seed of every random number.
    pub seed: u64,
    /// Training iterations.
    pub iterations: u64,
    /// `[data]`
    pub data: Data,
    /// `[model]`
    pub model: Model,
    /// `[proposals]`
    pub proposals: Proposals,
    /// `[regions]`
    pub regions: Regions,
    /// `[detections]`
    pub detections: Detections,
    /// `[optimizer]`
    pub optimizer: Optimizer,
    /// `[evaluation]`
    pub evaluation: Evaluation,
    /// `[compute]`
    pub compute: Compute,
    /// `[checkpoint]`
    pub checkpoint: Checkpoint,
    /// `[log]`
    pub log: Log,
    /// Name of the preset of the first layer.
    #[serde(skip)]
    pub(super) preset: String,
    /// Origin of each value.
    #[serde(skip)]
    pub(super) origins: Origins,
}

impl Resolved {
    /// Name of the preset of the first layer.
    pub fn preset_name(&self) -> &str {
        &self.preset
    }

    /// Every key with its value and origin, in the order of the reference.
    pub fn describe(&self) -> Vec<Described> {
        document::describe(&DETECTION, self, &self.origins)
    }

    /// The run's `config.toml`: every key with its value and, in a comment, its origin.
    pub fn to_toml(&self) -> String {
        document::to_toml(&DETECTION, &self.preset, self.describe())
    }

    /// Reads a run's `config.toml`. `path` is used in messages.
    ///
    /// # Errors
    /// Every problem of the file: another task or format, missing keys, invalid values, values that are `"auto"`.
    pub fn parse(text: &str, path: &Path) -> Result<Resolved, ConfigError> {
        let Loaded { settings, preset, origins, .. } = reader::parse::<Resolved>(&DETECTION, text, path)?;
        Ok(Resolved { preset, origins, ..settings })
    }

    /// Reads a run's `config.toml` from its file.
    ///
    /// # Errors
    /// A file that cannot be read, and as [`Resolved::parse`].
    pub fn read(path: &Path) -> Result<Resolved, ConfigError> {
        Resolved::parse(&document::read(path)?, path)
    }
}
