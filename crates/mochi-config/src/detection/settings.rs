//! Settings of detection as written, in layers; values may be `"auto"`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::heads::{Detections, Proposals, Regions};
use super::schema::DETECTION;
use super::sections::{DataSettings, Evaluation, Log, ModelSettings, OptimizerSettings};
use crate::auto::Auto;
use crate::document;
use crate::error::ConfigError;
use crate::origin::{Described, Origin, Origins};
use crate::reader::{self, Loaded};
use crate::sections::{CheckpointSettings, ComputeSettings};

/// Every setting of detection, as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Seed of every random number.
    pub seed: u64,
    /// Training iterations.
    pub iterations: Auto<u64>,
    /// `[data]`
    pub data: DataSettings,
    /// `[model]`
    pub model: ModelSettings,
    /// `[proposals]`
    pub proposals: Proposals,
    /// `[regions]`
    pub regions: Regions,
    /// `[detections]`
    pub detections: Detections,
    /// `[optimizer]`
    pub optimizer: OptimizerSettings,
    /// `[evaluation]`
    pub evaluation: Evaluation,
    /// `[compute]`
    pub compute: ComputeSettings,
    /// `[checkpoint]`
    pub checkpoint: CheckpointSettings,
    /// `[log]`
    pub log: Log,
    /// Name of the preset of the first layer.
    #[serde(skip)]
    pub(super) preset: String,
    /// Origin of each value.
    #[serde(skip)]
    pub(super) origins: Origins,
}

impl Settings {
    /// Combines the layers: the preset, then the file, then the `KEY=VALUE` arguments. Later layers override earlier ones.
    ///
    /// The preset is the named one, else the one that the file `extends`, else the default preset.
    ///
    /// # Errors
    /// Every problem of every layer, in one error.
    pub fn load(preset: Option<&str>, file: Option<&Path>, arguments: &[String]) -> Result<Settings, ConfigError> {
        let Loaded { settings, preset, origins, .. } = reader::load::<Settings>(&DETECTION, preset, file, arguments)?;
        Ok(Settings { preset, origins, ..settings })
    }

    /// As [`load`](Settings::load) with the text of a settings file; `path` is its origin in messages.
    ///
    /// # Errors
    /// As [`load`](Settings::load).
    pub fn load_text(path: &Path, text: String) -> Result<Settings, ConfigError> {
        let loaded = reader::combine::<Settings>(&DETECTION, None, Some((path, text)), &[])?;
        let Loaded { settings, preset, origins, .. } = loaded;
        Ok(Settings { preset, origins, ..settings })
    }

    /// A built-in preset.
    ///
    /// # Errors
    /// An unknown name.
    pub fn preset(name: &str) -> Result<Settings, ConfigError> {
        Settings::load(Some(name), None, &[])
    }

    /// Sets `data.source` to `--data` of the command line.
    pub fn set_data(&mut self, source: String) {
        self.data.source = source;
        self.origins.insert("data.source", Origin::CommandLine);
    }

    /// Sets `model.init` to `--init` of the command line.
    pub fn set_init(&mut self, init: String) {
        self.model.init = init;
        self.origins.insert("model.init", Origin::CommandLine);
    }

    /// Name of the preset of the first layer.
    pub fn preset_name(&self) -> &str {
        &self.preset
    }

    /// Every key with its value as written and its origin, in the order of the reference.
    pub fn describe(&self) -> Vec<Described> {
        document::describe(&DETECTION, self, &self.origins)
    }
}
