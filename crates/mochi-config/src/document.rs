//! Settings files, and the conversion between typed settings and TOML documents.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::choice::Task;
use crate::error::Problem;
use crate::layers::Layers;
use crate::origin::{Described, Origin, Origins};
use crate::schema::Schema;

/// Largest settings file, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// The text of a settings file.
pub(crate) fn read(path: &Path) -> Result<String, Problem> {
    let unreadable = |message: String, hint| Problem::Unreadable { path: path.to_owned(), message, hint };
    let bytes = mochi_files::read_capped(path, LARGEST_FILE).map_err(|e| unreadable(e.to_string(), e.hint()))?;
    String::from_utf8(bytes)
        .map_err(|_| unreadable(format!("{} is not UTF-8 text", path.display()), Some("give a TOML file".to_owned())))
}

/// Validated values as typed settings. An error means that the table of keys accepts a value that the type does not: a test compares the two.
pub(crate) fn typed<T: DeserializeOwned>(layers: &Layers, origin: &Origin) -> Result<T, Problem> {
    layers.document().try_into().map_err(|error: toml::de::Error| Problem::Syntax {
        origin: origin.clone(),
        line: 1,
        message: error.message().replace('\n', ", "),
    })
}

/// Every key of typed settings, with its value in TOML and its origin.
pub(crate) fn describe<T: Serialize>(schema: &Schema, settings: &T, origins: &Origins) -> Vec<Described> {
    let table = Table::try_from(settings).unwrap_or_default();
    let described = schema.keys().filter_map(|key| {
        let value = match key.section() {
            "" => table.get(key.name),
            section => table.get(section).and_then(|section| section.get(key.field())),
        }?;
        let origin = origins.get(key.name).cloned().unwrap_or(Origin::Run(String::from("config.toml")));
        Some(Described { key: key.name, value: value.clone(), origin })
    });
    described.collect()
}

/// A run's `config.toml`: every key with its value and, in a comment, its origin.
pub(crate) fn to_toml(schema: &Schema, preset: &str, described: Vec<Described>) -> String {
    let mut text = format!("# Every setting of this run. `{}` with this file repeats the run.\n", schema.repeat);
    // Pre-training wrote runs before there was another task.
    if schema.task != Task::Pretraining {
        let _ = writeln!(text, "task = \"{}\"", schema.task);
    }
    let _ = writeln!(text, "format = {}\nextends = {}", schema.format, Value::String(preset.to_owned()));
    let mut section = "";
    for Described { key, value, origin } in described {
        let (of, field) = key.split_once('.').unwrap_or(("", key));
        if of != section {
            let _ = write!(text, "\n[{of}]\n");
            section = of;
        }
        let _ = writeln!(text, "{field} = {value}  # {}", origin.to_string().replace(['\n', '\r'], " "));
    }
    text
}

/// The origins that [`to_toml`] wrote in comments. They are for the reader: a file with other line formats loses its comments, never
/// its values.
pub(crate) fn origins(schema: &Schema, text: &str) -> Origins {
    let mut origins = Origins::new();
    let mut section = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let (Some((field, _)), Some((_, remark))) = (line.split_once(" = "), line.rsplit_once("  # "))
            && let Some(key) = schema.key(&format!("{section}{field}"))
        {
            origins.insert(key.name, Origin::Run(remark.to_owned()));
        }
    }
    origins
}
