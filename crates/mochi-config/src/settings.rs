//! Settings as written, in layers; values may be `"auto"`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::auto::Auto;
use crate::document;
use crate::error::{ConfigError, Problem};
use crate::layers::Layers;
use crate::origin::{Described, Origin};
use crate::presets;
use crate::sections::{
    CheckpointSettings, ComputeSettings, DataSettings, LogSettings, MixSettings, MocoSettings, ModelSettings,
    NegativesSettings, OptimizerSettings,
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
    /// Name of the preset of the first layer.
    #[serde(skip)]
    pub(crate) preset: String,
    /// Whether the file is a run's `config.toml`.
    #[serde(skip)]
    pub(crate) of_run: bool,
    /// Origin of each value.
    #[serde(skip)]
    pub(crate) origins: BTreeMap<&'static str, Origin>,
}

impl Settings {
    /// Combines the layers: the preset, then the file, then the `KEY=VALUE` arguments. Later layers override earlier ones.
    ///
    /// The preset is the named one, else the one that the file `extends`, else [`presets::DEFAULT`].
    ///
    /// # Errors
    /// Every problem of every layer, in one error.
    pub fn load(preset: Option<&str>, file: Option<&Path>, arguments: &[String]) -> Result<Settings, ConfigError> {
        let text = file.map(|path| document::read(path).map(|text| (path, text))).transpose();
        match text {
            Ok(text) => Settings::combine(preset, text, arguments),
            // The problems of the other layers are told too.
            Err(problem) => {
                let others = Settings::combine(preset, None, arguments).err();
                Err(ConfigError::first(problem, others))
            }
        }
    }

    /// As [`load`](Settings::load) with the text of a settings file; `path` is its origin in messages.
    ///
    /// # Errors
    /// As [`load`](Settings::load).
    pub fn load_text(path: &Path, text: String, arguments: &[String]) -> Result<Settings, ConfigError> {
        Settings::combine(None, Some((path, text)), arguments)
    }

    fn combine(
        preset: Option<&str>,
        file: Option<(&Path, String)>,
        arguments: &[String],
    ) -> Result<Settings, ConfigError> {
        let mut layers = Layers::default();
        let mut base = preset.map(|name| (name.to_owned(), Origin::CommandLine));
        let (mut document, mut of_run) = (None, false);
        if let Some((path, text)) = file {
            let origin = Origin::File(path.to_owned());
            document = layers.parse(&text, &origin).map(|table| (table, origin));
        }
        if let Some((table, origin)) = &mut document {
            // Only a run's `config.toml` has a format number.
            of_run = layers.take_format(table, origin).is_some();
            if let (true, Some(name)) = (of_run, preset) {
                layers.problems.push(Problem::Conflict {
                    message: format!(
                        "--preset {name} has no effect: {origin} is a run's config.toml, which sets every key"
                    ),
                    hint: "leave --preset out; KEY=VALUE changes single keys".to_owned(),
                });
            }
            if let Some(name) = layers.take_extends(table, origin) {
                base = base.or(Some((name, origin.clone())));
            }
        }
        let (name, origin) = base.unwrap_or((presets::DEFAULT.to_owned(), Origin::CommandLine));
        layers.preset(&name, origin);
        if let Some((table, origin)) = document {
            layers.table(table, &origin);
        }
        for argument in arguments {
            layers.argument(argument);
        }
        Ok(Settings { of_run, ..Settings::from_layers(layers, name)? })
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

    /// Name of the preset of the first layer.
    pub fn preset_name(&self) -> &str {
        &self.preset
    }

    fn from_layers(mut layers: Layers, preset: String) -> Result<Settings, ConfigError> {
        let origin = Origin::Preset(preset.clone());
        if layers.problems.is_empty() {
            layers.require_all(&origin);
        }
        ConfigError::unless_empty(std::mem::take(&mut layers.problems))?;
        let mut settings: Settings = document::typed(&layers, &origin)?;
        settings.preset = preset;
        settings.origins = layers.values.into_iter().map(|(key, (_, origin))| (key, origin)).collect();
        Ok(settings)
    }

    /// Every key with its value as written and its origin, in the order of the reference.
    pub fn describe(&self) -> Vec<Described> {
        document::describe(self, &self.origins)
    }
}
