//! Settings as written: layers put together, values still `"auto"` where they were left so.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::auto::Auto;
use crate::error::{ConfigError, Problem};
use crate::layers::Layers;
use crate::origin::{Described, Origin};
use crate::presets;
use crate::sections::{
    CheckpointSettings, ComputeSettings, DataSettings, LogSettings, MixSettings, MocoSettings, ModelSettings,
    NegativesSettings, OptimizerSettings,
};

/// Everything that a user can set, as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What everything random derives from.
    pub seed: u64,
    /// Passes over the data set.
    pub epochs: Auto<u32>,
    /// `[data]`
    pub data: DataSettings,
    /// `[model]`
    pub model: ModelSettings,
    /// `[moco]`
    pub moco: MocoSettings,
    /// `[negatives]`
    pub negatives: NegativesSettings,
    /// `[mix]`
    pub mix: MixSettings,
    /// `[optimizer]`
    pub optimizer: OptimizerSettings,
    /// `[compute]`
    pub compute: ComputeSettings,
    /// `[checkpoint]`
    pub checkpoint: CheckpointSettings,
    /// `[log]`
    pub log: LogSettings,
    /// Name of the preset at the bottom.
    #[serde(skip)]
    pub(crate) preset: String,
    /// Where each value came from.
    #[serde(skip)]
    pub(crate) origins: BTreeMap<&'static str, Origin>,
}

impl Settings {
    /// Puts the layers together: the preset, then the file, then the `KEY=VALUE` words, later ones covering earlier.
    ///
    /// The preset is the named one, else the one that the file `extends`, else [`presets::DEFAULT`]. All faults of
    /// all layers come back in one error.
    pub fn load(preset: Option<&str>, file: Option<&Path>, words: &[String]) -> Result<Settings, ConfigError> {
        let mut layers = Layers::default();
        let mut base = preset.map(|name| (name.to_owned(), Origin::CommandLine));
        let mut document = None;
        if let Some(path) = file {
            let origin = Origin::File(path.to_owned());
            match std::fs::read_to_string(path) {
                Ok(text) => document = layers.parse(&text, &origin).map(|table| (table, origin)),
                Err(error) => {
                    layers.problems.push(Problem::Unreadable { path: path.to_owned(), message: error.to_string() });
                }
            }
        }
        if let Some((table, origin)) = &mut document {
            // Only a run's `config.toml` has a format number.
            layers.take_format(table, origin);
            if let Some(name) = layers.take_extends(table, origin) {
                base = base.or(Some((name, origin.clone())));
            }
        }
        let (name, origin) = base.unwrap_or((presets::DEFAULT.to_owned(), Origin::CommandLine));
        layers.preset(&name, origin);
        if let Some((table, origin)) = document {
            layers.table(table, &origin);
        }
        for word in words {
            layers.word(word);
        }
        Settings::from_layers(layers, name)
    }

    /// A built-in preset, as it is.
    pub fn preset(name: &str) -> Result<Settings, ConfigError> {
        Settings::load(Some(name), None, &[])
    }

    /// Sets `data.source` to the command line's DATA.
    pub fn set_source(&mut self, source: String) {
        self.data.source = source;
        self.origins.insert("data.source", Origin::CommandLine);
    }

    /// The name of the preset at the bottom.
    pub fn preset_name(&self) -> &str {
        &self.preset
    }

    fn from_layers(mut layers: Layers, preset: String) -> Result<Settings, ConfigError> {
        let origin = Origin::Preset(preset.clone());
        if layers.problems.is_empty() {
            layers.require_all(&origin);
        }
        ConfigError::unless_empty(std::mem::take(&mut layers.problems))?;
        let mut settings: Settings = layers.document().try_into().map_err(|error| mismatch(&origin, &error))?;
        settings.preset = preset;
        settings.origins = layers.values.into_iter().map(|(key, (_, origin))| (key, origin)).collect();
        Ok(settings)
    }

    /// Every key with its value as written and where it came from, in the order of the reference.
    pub fn describe(&self) -> Vec<Described> {
        crate::resolved::describe(self, &self.origins)
    }
}

/// The table of keys has let a value through that its type does not take. A test holds the two against each other;
/// should one slip by, it is told as a fault of the document and not as a panic.
pub(crate) fn mismatch(origin: &Origin, error: &toml::de::Error) -> Problem {
    Problem::Syntax { origin: origin.clone(), line: 1, message: error.message().replace('\n', ", ") }
}
