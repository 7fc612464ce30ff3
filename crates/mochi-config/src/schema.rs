//! The schema of a task: its keys, section by section, and its presets. Validation, suggestions for misspelled names, the reader and writer of
//! `config.toml` and the reference page all read it.

use crate::choice::Task;
use crate::kind::{Key, Kind};
use crate::presets::Preset;

/// Keys and presets of a task.
#[derive(Debug)]
pub struct Schema {
    /// The task.
    pub task: Task,
    /// Keys outside any section, then those of each section, in the order in which they are written.
    pub(crate) sections: &'static [&'static [Key]],
    pub(crate) presets: &'static [Preset],
    /// Name of the preset used if none is named.
    pub default_preset: &'static str,
    /// Name of the preset that the reference page compares with the default one: published values for every key.
    pub(crate) published: &'static str,
    /// Number of the format of a run's `config.toml`: it increases when a key is added, removed, renamed or changes its meaning.
    pub(crate) format: i64,
    /// The command that repeats a run from its `config.toml`, which is FILE.
    pub(crate) repeat: &'static str,
    /// The reference page.
    pub(crate) page: &'static str,
}

impl Schema {
    /// Every key, section by section in the order in which they are written.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.sections.iter().copied().flatten()
    }

    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }

    /// Every built-in preset.
    pub fn presets(&self) -> impl Iterator<Item = &'static Preset> + Clone + use<> {
        self.presets.iter()
    }

    /// The preset of this name.
    pub fn preset(&self, name: &str) -> Option<&'static Preset> {
        self.presets().find(|preset| preset.name == name)
    }

    /// A name such as `moco.loss.hcl.beta`: the key, the name and its argument.
    pub(crate) fn with_argument<'a>(&self, name: &'a str) -> Option<(&'static Key, &'a str, &'a str)> {
        let (rest, argument) = name.rsplit_once('.')?;
        let (key, entry) = rest.rsplit_once('.')?;
        let key = self.key(key).filter(|key| matches!(key.kind, Kind::Selection(_) | Kind::Selections(_)))?;
        Some((key, entry, argument))
    }

    /// Whether a name is a section, such as `moco`.
    pub(crate) fn is_section(&self, name: &str) -> bool {
        self.keys().any(|key| key.name.split_once('.').is_some_and(|(section, _)| section == name))
    }
}
