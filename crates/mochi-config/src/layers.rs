//! Layers of settings: each layer (preset, file, command line) is flattened to dotted keys, every value is validated against the table of keys,
//! and later layers override earlier ones. Problems are collected, so that all are reported.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::choice::Task;
use crate::error::Problem;
use crate::kind::{Fault, Key, Kind};
use crate::nearest::nearest;
use crate::origin::Origin;
use crate::schema::Schema;
use crate::selection::SelectionFault;

/// Validated values by key, each with its origin, and every problem found.
pub(crate) struct Layers {
    pub(crate) schema: &'static Schema,
    pub(crate) values: BTreeMap<&'static str, (Value, Origin)>,
    pub(crate) problems: Vec<Problem>,
}

impl Layers {
    /// No layer yet.
    pub(crate) fn new(schema: &'static Schema) -> Layers {
        Layers { schema, values: BTreeMap::new(), problems: Vec::new() }
    }

    /// Adds a built-in preset, after the presets that it extends. `origin` is where an unknown name was written.
    pub(crate) fn preset(&mut self, name: &str, origin: Origin) {
        let Some(preset) = self.schema.preset(name) else {
            let nearest = nearest(name, self.schema.presets().map(|preset| preset.name));
            let of = Task::ALL.iter().copied().find(|task| task.schema().preset(name).is_some());
            self.problems.push(Problem::UnknownPreset { name: name.to_owned(), origin, nearest, of });
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

    /// Parses TOML text. A syntax error is collected.
    pub(crate) fn parse(&mut self, text: &str, origin: &Origin) -> Option<Table> {
        parse(text, origin).map_err(|problem| self.problems.push(problem)).ok()
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

    /// Removes and validates the format number of a document. `None` if there is none; whether it is that of this version. Another one is a problem, and a
    /// complete one: its keys are others.
    pub(crate) fn take_format(&mut self, table: &mut Table, origin: &Origin) -> Option<bool> {
        let found = table.remove("format")?;
        let expected = self.schema.format;
        let known = found.as_integer() == Some(expected);
        if !known {
            self.problems.push(Problem::Format { found, expected, origin: origin.clone() });
        }
        Some(known)
    }

    /// Removes the task of a document and returns whether its settings are of this schema. If not, that is a problem, and a complete one: its keys
    /// have other meanings.
    pub(crate) fn take_task(&mut self, table: &mut Table, origin: &Origin) -> bool {
        let (found, expected) = (task(table, origin), self.schema.task);
        table.remove("task");
        let problem = match found {
            Ok(found) if found.is_none_or(|found| found == expected) => return true,
            Ok(found) => found.map(|found| Problem::OtherTask { origin: origin.clone(), found, expected }),
            Err(problem) => Some(problem),
        };
        self.problems.extend(problem);
        false
    }

    /// Adds a document.
    pub(crate) fn table(&mut self, table: Table, origin: &Origin) {
        for (name, value) in table {
            match value {
                Value::Table(section) if self.schema.is_section(&name) => {
                    for (field, value) in section {
                        self.value(&format!("{name}.{field}"), value, origin);
                    }
                }
                value if self.schema.is_section(&name) => {
                    let found = value.to_string();
                    self.problems.push(Problem::NotASection { section: name, found, origin: origin.clone() });
                }
                // An unknown section: its keys are reported one by one, because each may be similar to a key of another section.
                Value::Table(section) if self.schema.key(&name).is_none() && !section.is_empty() => {
                    for (field, value) in section {
                        self.value(&format!("{name}.{field}"), value, origin);
                    }
                }
                value => self.value(&name, value, origin),
            }
        }
    }

    /// Adds a `KEY=VALUE` argument. The value is TOML; anything else is a string, so names need no quotes.
    pub(crate) fn argument(&mut self, word: &str, origin: &Origin) {
        let Some((key, text)) = word.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
            self.problems.push(Problem::NotAnAssignment { word: word.to_owned() });
            return;
        };
        let (key, text) = (key.trim(), text.trim());
        if self.schema.is_section(key) {
            let (section, found) = (key.to_owned(), text.to_owned());
            self.problems.push(Problem::NotASection { section, found, origin: origin.clone() });
            return;
        }
        if let Some((key, name, argument)) = self.schema.with_argument(key) {
            let given = toml_value(text).unwrap_or_else(|| Value::String(text.to_owned()));
            let value = self.with_argument(key, name, argument, given);
            self.value(key.name, value, origin);
            return;
        }
        let value = self.schema.key(key).map_or_else(|| toml_value(text), |key| value_of(key.kind, text));
        self.value(key, value.unwrap_or_else(|| Value::String(text.to_owned())), origin);
    }

    /// The value of a name with arguments after setting one of its arguments: `moco.loss.hcl.beta=0.5`, `negatives.extra.noise.s=32`. In a list,
    /// the other names stay, and a new name is added at the end.
    fn with_argument(&self, key: &Key, name: &str, argument: &str, given: Value) -> Value {
        let now = self.values.get(key.name).map(|(value, _)| value);
        let is_named = |value: &Value| value.as_str() == Some(name) || value.get(name).is_some();
        let changed = |value: Option<&Value>| {
            let arguments = value.and_then(|value| value.get(name)).and_then(Value::as_table);
            let mut arguments = arguments.cloned().unwrap_or_default();
            arguments.insert(argument.to_owned(), given.clone());
            Value::Table(Table::from_iter([(name.to_owned(), Value::Table(arguments))]))
        };
        match (key.kind, now) {
            (Kind::Selections(_), Some(Value::Array(items))) => {
                let mut items = items.clone();
                match items.iter_mut().find(|item| is_named(item)) {
                    Some(item) => *item = changed(Some(item)),
                    None => items.push(changed(None)),
                }
                Value::Array(items)
            }
            (_, now) => changed(now),
        }
    }

    fn value(&mut self, name: &str, value: Value, origin: &Origin) {
        let origin = origin.clone();
        let Some(key) = self.schema.key(name) else {
            let nearest = nearest(name, self.schema.keys().map(|key| key.name));
            self.problems.push(Problem::UnknownKey { key: name.to_owned(), origin, nearest, page: self.schema.page });
            return;
        };
        let found = value.to_string();
        let problem = match key.check(value.clone()) {
            Ok(value) => {
                self.values.insert(key.name, (value, origin));
                return;
            }
            Err(Fault::Type) => Problem::WrongType { key: key.name, found, expected: key.expected(), origin },
            Err(Fault::Selection(SelectionFault { nearest, expected })) => {
                let expected = expected.unwrap_or_else(|| key.expected());
                Problem::OutOfRange { key: key.name, found, expected, nearest, origin }
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
        for key in self.schema.keys().filter(|key| !self.values.contains_key(key.name)) {
            self.problems.push(Problem::Missing { key: key.name, origin: origin.clone() });
        }
    }
}

/// Parses TOML text. The error has the line.
pub(crate) fn parse(text: &str, origin: &Origin) -> Result<Table, Problem> {
    text.parse::<Table>().map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Problem::Syntax { origin: origin.clone(), line, message: error.message().replace('\n', ", ") }
    })
}

/// The task of a document: the written one; without, that of a run's `config.toml`, which has a format number, is pre-training, whose runs write
/// none. `None`: a settings file of any task.
pub(crate) fn task(table: &Table, origin: &Origin) -> Result<Option<Task>, Problem> {
    let Some(written) = table.get("task") else {
        return Ok(table.contains_key("format").then_some(Task::Pretraining));
    };
    let unknown = || Problem::OutOfRange {
        key: "task",
        found: written.to_string(),
        expected: Kind::Choice(Task::WORDS).to_string(),
        nearest: written.as_str().and_then(|word| nearest(word, Task::WORDS.iter().copied())),
        origin: origin.clone(),
    };
    written.clone().try_into().map(Some).map_err(|_| unknown())
}

/// The TOML value of a text, if it is one.
fn toml_value(text: &str) -> Option<Value> {
    let mut table = format!("value = {text}").parse::<Table>().ok().filter(|table| table.len() == 1)?;
    table.remove("value")
}

/// The value of an argument's text for a key. Names need no quotes, lists no brackets: `moco.loss=hcl`, `optimizer.milestones=120,160`,
/// `negatives.filters=same-image,margin`.
fn value_of(kind: Kind, text: &str) -> Option<Value> {
    let list = || toml_value(&format!("[{text}]"));
    match kind {
        // `data.source=2024` names a folder, not a number.
        Kind::Text => toml_value(text).filter(Value::is_str),
        Kind::Rising { .. } | Kind::Numbers { .. } => toml_value(text).filter(Value::is_array).or_else(list),
        Kind::Selections(_) => toml_value(text).or_else(list).or_else(|| {
            let names = text.split(',').map(|name| Value::String(name.trim().to_owned()));
            text.contains(',').then(|| Value::Array(names.collect()))
        }),
        _ => toml_value(text),
    }
}
