//! Command-line arguments that select settings, for `check` and `augment`. They are the same as those of `pretrain`.

use std::path::PathBuf;

use clap::Args;
use mochi_config::Settings;

use crate::failure::Outcome;

/// Preset, settings file and `KEY=VALUE` arguments.
#[derive(Args)]
pub struct SettingArguments {
    /// Preset to start from, instead of the one named in the settings file; `mochi presets` lists them
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// TOML file of settings, which override the preset
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Settings, e.g. data.size=224 data.max_bad_fraction=0.02
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

impl SettingArguments {
    /// The settings that `pretrain` loads from these arguments.
    pub fn load(&self) -> Outcome<Settings> {
        Ok(Settings::load(self.preset.as_deref(), self.config.as_deref(), &self.settings)?)
    }
}
