//! Settings as they are used: a plain value for every key, written to the run as `config.toml` and read back from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::error::{ConfigError, Problem};
use crate::keys;
use crate::layers::{FORMAT, Layers};
use crate::origin::{Described, Origin};
use crate::sections::{Checkpoint, Compute, Data, Log, Mix, Moco, Model, Negatives, Optimizer};
use crate::settings::mismatch;

/// Everything that a run needs to know, in plain values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    /// What everything random derives from.
    pub seed: u64,
    /// Passes over the data set; 0 writes the untrained encoder.
    pub epochs: u32,
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
    /// Name of the preset at the bottom.
    #[serde(skip)]
    pub(crate) preset: String,
    /// Where each value came from.
    #[serde(skip)]
    pub(crate) origins: BTreeMap<&'static str, Origin>,
}

impl Resolved {
    /// The name of the preset at the bottom.
    pub fn preset_name(&self) -> &str {
        &self.preset
    }

    /// Whole batches in one epoch of `images` images; what is left over is not used.
    pub fn steps_per_epoch(&self, images: usize) -> u64 {
        images.checked_div(self.moco.batch).unwrap_or(0) as u64
    }

    /// Steps of the whole run over `images` images.
    pub fn total_steps(&self, images: usize) -> u64 {
        self.steps_per_epoch(images).saturating_mul(u64::from(self.epochs))
    }

    /// Every key with its value and where it came from, in the order of the reference.
    pub fn describe(&self) -> Vec<Described> {
        describe(self, &self.origins)
    }

    /// The run's `config.toml`: every key, with a remark on where its value came from.
    pub fn to_toml(&self) -> String {
        let mut text = format!(
            "# Settings of this run, every key written out. `mochi pretrain DATA --config THIS` trains the same again.\n\
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

    /// Reads a run's `config.toml` back. Every key must be there with a plain value; `path` is for messages.
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
        let mut resolved: Resolved = layers.document().try_into().map_err(|error| mismatch(&origin, &error))?;
        resolved.preset = preset;
        resolved.origins = remarks(text);
        Ok(resolved)
    }

    /// Reads a run's `config.toml` from its file; see [`Resolved::parse`].
    pub fn read(path: &Path) -> Result<Resolved, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Problem::Unreadable { path: path.to_owned(), message: error.to_string() })?;
        Resolved::parse(&text, path)
    }
}

/// The remarks that [`Resolved::to_toml`] wrote beside the values. They are for the reader only: a file whose lines
/// look different loses its remarks, never its values.
fn remarks(text: &str) -> BTreeMap<&'static str, Origin> {
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

/// Every key of a serialised document with its value in TOML.
pub(crate) fn describe<T: Serialize>(document: &T, origins: &BTreeMap<&'static str, Origin>) -> Vec<Described> {
    let table = Table::try_from(document).unwrap_or_default();
    keys::all()
        .filter_map(|key| {
            let value = match key.name.split_once('.') {
                None => table.get(key.name),
                Some((section, field)) => table.get(section).and_then(|section| section.get(field)),
            }?;
            let origin = origins.get(key.name).cloned().unwrap_or(Origin::Run(String::from("config.toml")));
            Some(Described { key: key.name, value: value.to_string(), origin })
        })
        .collect()
}
