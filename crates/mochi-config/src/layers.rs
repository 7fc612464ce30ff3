//! Layers of settings: each layer (preset, file, command line) is flattened to dotted keys, every value is validated against the table of keys,
//! and later layers override earlier ones. Problems are collected, so that all are reported.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::error::Problem;
use crate::keys;
use crate::kind::{Fault, Kind};
use crate::nearest::nearest;
use crate::origin::Origin;
use crate::presets;

/// Number of the format of a run's `config.toml`: it increases when a key is added, removed, renamed or changes its meaning.
pub(crate) const FORMAT: i64 = 1;

/// Validated values by key, each with its origin, and every problem found.
#[derive(Default)]
pub(crate) struct Layers {
    pub(crate) values: BTreeMap<&'static str, (Value, Origin)>,
    pub(crate) problems: Vec<Problem>,
}

impl Layers {
    /// Adds a built-in preset, after the presets that it extends. `origin` is where an unknown name was written.
    pub(crate) fn preset(&mut self, name: &str, origin: Origin) {
        let Some(preset) = presets::find(name) else {
            let nearest = nearest(name, presets::all().map(|preset| preset.name));
            self.problems.push(Problem::UnknownPreset { name: name.to_owned(), origin, nearest });
            return;
        };
        let here = Origin::Preset(preset.name.to_owned());
        if let Some(mut table) = self.parse(preset.text, &here) {
            if let Some(base) = self.take_extends(&mut table, &here) {
                self.preset(&base, here.clone());
            }
            self.table(table, &here);
        }
    }

    /// Parses TOML text. A syntax error is collected with its line.
    pub(crate) fn parse(&mut self, text: &str, origin: &Origin) -> Option<Table> {
        match text.parse::<Table>() {
            Ok(table) => Some(table),
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                let message = error.message().replace('\n', ", ");
                self.problems.push(Problem::Syntax { origin: origin.clone(), line, message });
                None
            }
        }
    }

    /// Removes and returns the name of the preset that a document extends.
    pub(crate) fn take_extends(&mut self, table: &mut Table, origin: &Origin) -> Option<String> {
        match table.remove("extends")? {
            Value::String(name) => Some(name),
            other => {
                self.problems.push(Problem::BadExtends { found: other.to_string(), origin: origin.clone() });
                None
            }
        }
    }

    /// Removes and validates the format number of a document. `None` if there is none.
    pub(crate) fn take_format(&mut self, table: &mut Table, origin: &Origin) -> Option<()> {
        let found = table.remove("format")?;
        if found.as_integer() != Some(FORMAT) {
            self.problems.push(Problem::Format { found: found.to_string(), expected: FORMAT, origin: origin.clone() });
        }
        Some(())
    }

    /// Adds a document.
    pub(crate) fn table(&mut self, table: Table, origin: &Origin) {
        for (name, value) in table {
            match value {
                Value::Table(section) if keys::is_section(&name) => {
                    for (field, value) in section {
                        self.value(&format!("{name}.{field}"), value, origin);
                    }
                }
                value if keys::is_section(&name) => {
                    let found = value.to_string();
                    self.problems.push(Problem::NotASection { section: name, found, origin: origin.clone() });
                }
                // An unknown section: its keys are reported one by one, because each may be similar to a key of another section.
                Value::Table(section) if keys::find(&name).is_none() && !section.is_empty() => {
                    for (field, value) in section {
                        self.value(&format!("{name}.{field}"), value, origin);
                    }
                }
                value => self.value(&name, value, origin),
            }
        }
    }

    /// Adds a `KEY=VALUE` argument. The value is TOML; anything else is a string, so names need no quotes.
    pub(crate) fn argument(&mut self, word: &str) {
        let Some((key, text)) = word.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
            self.problems.push(Problem::NotAnAssignment { word: word.to_owned() });
            return;
        };
        let (key, text) = (key.trim(), text.trim());
        if keys::is_section(key) {
            let (section, found) = (key.to_owned(), text.to_owned());
            self.problems.push(Problem::NotASection { section, found, origin: Origin::CommandLine });
            return;
        }
        let is_text = keys::find(key).is_some_and(|key| key.kind == Kind::Text);
        let parsed = format!("value = {text}").parse::<Table>().ok().filter(|table| table.len() == 1);
        let value = match parsed.and_then(|mut table| table.remove("value")) {
            // `data.source=2024` names a folder, not a number.
            Some(value) if !is_text || value.is_str() => value,
            _ => Value::String(text.to_owned()),
        };
        self.value(key, value, &Origin::CommandLine);
    }

    fn value(&mut self, name: &str, value: Value, origin: &Origin) {
        let origin = origin.clone();
        let Some(key) = keys::find(name) else {
            let nearest = nearest(name, keys::all().map(|key| key.name));
            self.problems.push(Problem::UnknownKey { key: name.to_owned(), origin, nearest });
            return;
        };
        let found = value.to_string();
        let problem = match key.check(value.clone()) {
            Ok(value) => {
                self.values.insert(key.name, (value, origin));
                return;
            }
            Err(Fault::Type) => Problem::WrongType { key: key.name, found, expected: key.expected(), origin },
            Err(Fault::Word(nearest)) => {
                Problem::OutOfRange { key: key.name, found, expected: key.expected(), nearest, origin }
            }
            Err(Fault::Range) => {
                let nearest = match (key.kind, value.as_str()) {
                    (Kind::Choice(words), Some(word)) => nearest(word, words.iter().copied()),
                    _ => None,
                };
                Problem::OutOfRange { key: key.name, found, expected: key.expected(), nearest, origin }
            }
        };
        self.problems.push(problem);
    }

    /// The validated values as one document with the structure of [`crate::Settings`].
    pub(crate) fn document(&self) -> Table {
        let mut document = Table::new();
        for (&name, (value, _)) in &self.values {
            match name.split_once('.') {
                None => {
                    document.insert(name.to_owned(), value.clone());
                }
                Some((section, field)) => {
                    let section = document.entry(section).or_insert_with(|| Value::Table(Table::new()));
                    if let Value::Table(section) = section {
                        section.insert(field.to_owned(), value.clone());
                    }
                }
            }
        }
        document
    }

    /// Adds a problem for every key that no layer sets.
    pub(crate) fn require_all(&mut self, origin: &Origin) {
        for key in keys::all().filter(|key| !self.values.contains_key(key.name)) {
            self.problems.push(Problem::Missing { key: key.name, origin: origin.clone() });
        }
    }
}
