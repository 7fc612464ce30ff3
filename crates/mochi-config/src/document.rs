//! Settings files, and the conversion between typed settings and TOML documents.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Table;

use crate::error::Problem;
use crate::keys;
use crate::layers::Layers;
use crate::origin::{Described, Origin};

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
pub(crate) fn describe<T: Serialize>(document: &T, origins: &BTreeMap<&'static str, Origin>) -> Vec<Described> {
    let table = Table::try_from(document).unwrap_or_default();
    keys::all()
        .filter_map(|key| {
            let value = match key.name.split_once('.') {
                None => table.get(key.name),
                Some((section, field)) => table.get(section).and_then(|section| section.get(field)),
            }?;
            let origin = origins.get(key.name).cloned().unwrap_or(Origin::Run(String::from("config.toml")));
            Some(Described { key: key.name, value: value.clone(), origin })
        })
        .collect()
}
