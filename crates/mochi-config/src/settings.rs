//! Settings as written, in layers; values may be `"auto"`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::auto::Auto;
use crate::document;
use crate::error::ConfigError;
use crate::origin::{Described, Origin, Origins};
use crate::pretraining::PRETRAINING;
use crate::reader::{self, Loaded};
use crate::sections::{
    CheckpointSettings, ComputeSettings, DataSettings, EvaluationSettings, LogSettings, MixSettings, MocoSettings,
    ModelSettings, NegativesSettings, OptimizerSettings,
};
use crate::time::TimeBudget;

/// Every setting, as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Seed of every random number.
    pub seed: u64,
    /// Passes over the dataset.
    pub epochs: Auto<f64>,
    /// Training time.
    pub time: Auto<TimeBudget>,
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
    /// `[evaluation]`
    pub evaluation: EvaluationSettings,
    /// Name of the preset of the first layer.
    #[serde(skip)]
    pub(crate) preset: String,
    /// Whether the file is a run's `config.toml`.
    #[serde(skip)]
    pub(crate) of_run: bool,
    /// Origin of each value.
    #[serde(skip)]
    pub(crate) origins: Origins,
}

impl Settings {
    /// Combines the layers: the preset, then the file, then the `KEY=VALUE` arguments. Later layers override earlier ones.
    ///
    /// The preset is the named one, else the one that the file `extends`, else the default preset.
    ///
    /// # Errors
    /// Every problem of every layer, in one error.
    pub fn load(preset: Option<&str>, file: Option<&Path>, arguments: &[String]) -> Result<Settings, ConfigError> {
        reader::load(&PRETRAINING, preset, file, arguments).map(Settings::of)
    }

    /// As [`load`](Settings::load) with the text of a settings file, and arguments with their origins; `path` is the text's origin in messages.
    ///
    /// # Errors
    /// As [`load`](Settings::load).
    pub fn load_text(path: &Path, text: String, arguments: &[(String, Origin)]) -> Result<Settings, ConfigError> {
        reader::combine(&PRETRAINING, None, Some((path, text)), arguments).map(Settings::of)
    }

    fn of(loaded: Loaded<Settings>) -> Settings {
        let Loaded { settings, preset, of_run, origins } = loaded;
        Settings { preset, of_run, origins, ..settings }
    }

    /// A built-in preset.
    ///
    /// # Errors
    /// An unknown name.
    pub fn preset(name: &str) -> Result<Settings, ConfigError> {
        Settings::load(Some(name), None, &[])
    }

    /// Sets `data.source` to DATA of the command line, and `data.also` to the absolute paths of `also`, which the command line gives if
    /// `also_given`.
    pub fn set_sources(&mut self, source: String, also: Vec<String>, also_given: bool) {
        self.data.source = source;
        self.data.also = also;
        self.origins.insert("data.source", Origin::CommandLine);
        if also_given {
            self.origins.insert("data.also", Origin::CommandLine);
        }
    }

    /// Sets `evaluation.source` to the absolute path of the value that was given.
    pub fn set_evaluation_source(&mut self, source: String) {
        self.evaluation.source = source;
    }

    /// Sets `model.init` to `--init` of the command line, or to the absolute path of the value that was given.
    pub fn set_init(&mut self, init: String, by: Option<Origin>) {
        self.model.init = init;
        self.origins.extend(by.map(|origin| ("model.init", origin)));
    }

    /// Name of the preset of the first layer.
    pub fn preset_name(&self) -> &str {
        &self.preset
    }

    /// Every key with its value as written and its origin, in the order of the reference.
    pub fn describe(&self) -> Vec<Described> {
        document::describe(&PRETRAINING, self, &self.origins)
    }
}
