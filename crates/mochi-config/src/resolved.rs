//! Resolved settings: a value for every key, written to the run as `config.toml` and read back from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Value;

use crate::document;
use crate::error::{ConfigError, Problem};
use crate::keys;
use crate::layers::{FORMAT, Layers};
use crate::origin::{Described, Origin};
use crate::sections::{Checkpoint, Compute, Data, Log, Mix, Moco, Model, Negatives, Optimizer};
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
    /// Name of the preset of the first layer.
    #[serde(skip)]
    pub(crate) preset: String,
    /// Origin of each value.
    #[serde(skip)]
    pub(crate) origins: BTreeMap<&'static str, Origin>,
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

    /// Steps of the whole run over `images` images.
    pub fn total_steps(&self, images: usize) -> u64 {
        epochs_to_steps(self.epochs, self.steps_per_epoch(images))
    }

    /// Every key with its value and origin, in the order of the reference.
    pub fn describe(&self) -> Vec<Described> {
        document::describe(self, &self.origins)
    }

    /// The run's `config.toml`: every key with its value and, in a comment, its origin.
    pub fn to_toml(&self) -> String {
        let mut text = format!(
            "# Every setting of this run. `mochi pretrain DATA --config FILE` with this file repeats the run.\n\
             format = {FORMAT}\n\
             extends = {}\n",
            Value::String(self.preset.clone())
        );
        let mut section = "";
        for Described { key, value, origin } in self.describe() {
            let (of, field) = key.split_once('.').unwrap_or(("", key));
            if of != section {
                let _ = write!(text, "\n[{of}]\n");
                section = of;
            }
            let _ = writeln!(text, "{field} = {value}  # {}", origin.to_string().replace(['\n', '\r'], " "));
        }
        text
    }

    /// Reads a run's `config.toml`. `path` is used in messages.
    ///
    /// # Errors
    /// Every problem of the file: another format, missing keys, invalid values, values that are `"auto"`.
    pub fn parse(text: &str, path: &Path) -> Result<Resolved, ConfigError> {
        let origin = Origin::File(path.to_owned());
        let mut layers = Layers::default();
        let mut preset = String::new();
        if let Some(mut table) = layers.parse(text, &origin) {
            if layers.take_format(&mut table, &origin).is_none() {
                layers.problems.push(Problem::Missing { key: "format", origin: origin.clone() });
            }
            preset = layers.take_extends(&mut table, &origin).unwrap_or_default();
            layers.table(table, &origin);
            for (&name, (value, _)) in &layers.values {
                if let Some(key) = keys::find(name)
                    && key.auto
                    && value.as_str() == Some("auto")
                {
                    let (found, expected) = ("\"auto\"".to_owned(), key.kind.to_string());
                    layers.problems.push(Problem::WrongType { key: key.name, found, expected, origin: origin.clone() });
                }
            }
            layers.require_all(&origin);
        }
        ConfigError::unless_empty(std::mem::take(&mut layers.problems))?;
        let mut resolved: Resolved = document::typed(&layers, &origin)?;
        resolved.preset = preset;
        resolved.origins = origins(text);
        Ok(resolved)
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

/// The origins that [`Resolved::to_toml`] wrote in comments. They are for the reader: a file with other line formats loses its comments, never
/// its values.
fn origins(text: &str) -> BTreeMap<&'static str, Origin> {
    let mut origins = BTreeMap::new();
    let mut section = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let (Some((field, _)), Some((_, remark))) = (line.split_once(" = "), line.rsplit_once("  # "))
            && let Some(key) = keys::find(&format!("{section}{field}"))
        {
            origins.insert(key.name, Origin::Run(remark.to_owned()));
        }
    }
    origins
}
