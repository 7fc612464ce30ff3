//! Resolved settings: a value for every key, written to the run as `config.toml` and read back from it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::document;
use crate::error::ConfigError;
use crate::origin::{Described, Origins};
use crate::pretraining::PRETRAINING;
use crate::reader::{self, Loaded};
use crate::sections::{Checkpoint, Compute, Data, Evaluation, Log, Mix, Moco, Model, Negatives, Optimizer};
use crate::time::TimeBudget;

/// Every setting, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    /// Seed of every random number.
    pub seed: u64,
    /// Passes over the dataset. 0 writes the untrained encoder.
    pub epochs: f64,
    /// Training time. With a limit, `epochs` are those that were expected at the start.
    pub time: TimeBudget,
    /// `[data]`
    pub data: Data,
    /// `[model]`
    pub model: Model,
    /// `[moco]`
    pub moco: Moco,
    /// `[negatives]`
    pub negatives: Negatives,
    /// `[mix]`
    pub mix: Mix,
    /// `[optimizer]`
    pub optimizer: Optimizer,
    /// `[compute]`
    pub compute: Compute,
    /// `[checkpoint]`
    pub checkpoint: Checkpoint,
    /// `[log]`
    pub log: Log,
    /// `[evaluation]`
    pub evaluation: Evaluation,
    /// Name of the preset of the first layer.
    #[serde(skip)]
    pub(crate) preset: String,
    /// Origin of each value.
    #[serde(skip)]
    pub(crate) origins: Origins,
}

impl Resolved {
    /// Name of the preset of the first layer.
    pub fn preset_name(&self) -> &str {
        &self.preset
    }

    /// Steps in one epoch of `images` images. An incomplete last batch is dropped.
    pub fn steps_per_epoch(&self, images: usize) -> u64 {
        images.checked_div(self.moco.batch).unwrap_or(0) as u64
    }

    /// Steps of the whole run over `images` images: at least one, except of an untrained encoder (0 epochs).
    pub fn total_steps(&self, images: usize) -> u64 {
        epochs_to_steps(self.epochs, self.steps_per_epoch(images)).max(u64::from(self.epochs > 0.0))
    }

    /// Every key with its value and origin, in the order of the reference.
    pub fn describe(&self) -> Vec<Described> {
        document::describe(&PRETRAINING, self, &self.origins)
    }

    /// The run's `config.toml`: every key with its value and, in a comment, its origin.
    pub fn to_toml(&self) -> String {
        document::to_toml(&PRETRAINING, &self.preset, self.describe())
    }

    /// Reads a run's `config.toml`. `path` is used in messages.
    ///
    /// # Errors
    /// Every problem of the file: another task or format, missing keys, invalid values, values that are `"auto"`.
    pub fn parse(text: &str, path: &Path) -> Result<Resolved, ConfigError> {
        let Loaded { settings, preset, origins, .. } = reader::parse::<Resolved>(&PRETRAINING, text, path)?;
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

/// Steps in so many epochs, to the nearest step.
pub fn epochs_to_steps(epochs: f64, steps_per_epoch: u64) -> u64 {
    // A cast saturates.
    (epochs * steps_per_epoch as f64).round() as u64
}
