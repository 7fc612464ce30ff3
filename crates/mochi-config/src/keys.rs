//! The one table of keys: name, what may be written, what it means. Checking, the nearest name for a slip of the pen
//! and the reference page all read this table, so none of them can fall behind the others.

use std::fmt;

use toml::Value;

use crate::calls::{Call, Word};
use crate::sections;

/// One key of the settings.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted name, such as `moco.queue`.
    pub name: &'static str,
    /// What may be written.
    pub kind: Kind,
    /// Whether `"auto"` may be written as well.
    pub auto: bool,
    /// What it means, in Markdown.
    pub doc: &'static str,
}

/// What may be written for a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number, both bounds included.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A number, both bounds included.
    Number {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// A number above zero, the upper bound included.
    Positive {
        /// Largest.
        max: f64,
    },
    /// `true` or `false`.
    Switch,
    /// One word of a list.
    Choice(&'static [&'static str]),
    /// One word of a table, with its arguments.
    Call(&'static [Word]),
    /// A list of words of a table, each with its arguments.
    Calls(&'static [Word]),
    /// A list of whole numbers above zero, each larger than the one before.
    Rising,
    /// Any text.
    Text,
    /// A list of texts, which may be empty.
    Texts,
}

/// Largest count that any key takes: counts above it could not be meant and would overflow sums of counts.
pub(crate) const MANY: i64 = 1 << 40;

/// Why a value cannot stand for its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not the kind of value that is expected.
    Type,
    /// The right kind, but outside its bounds or list.
    Range,
    /// No word of the table with arguments that it takes; the word or argument that was most likely meant.
    Word(Option<&'static str>),
}

impl Key {
    /// What may be written, as a phrase that ends the sentence "expected ...".
    pub fn expected(&self) -> String {
        if self.auto { format!("{} or \"auto\"", self.kind) } else { self.kind.to_string() }
    }

    /// Checks a value and brings it to the type that is read later (a whole number given for a number becomes one).
    pub(crate) fn check(&self, value: Value) -> Result<Value, Fault> {
        if self.auto && value.as_str() == Some("auto") {
            return Ok(value);
        }
        let in_range = |holds: bool, value: Value| if holds { Ok(value) } else { Err(Fault::Range) };
        match (self.kind, value) {
            (Kind::Integer { min, max }, Value::Integer(n)) => in_range((min..=max).contains(&n), Value::Integer(n)),
            (Kind::Number { .. } | Kind::Positive { .. }, Value::Integer(n)) => self.check(Value::Float(n as f64)),
            (Kind::Number { min, max }, Value::Float(x)) => in_range((min..=max).contains(&x), Value::Float(x)),
            (Kind::Positive { max }, Value::Float(x)) => in_range(x > 0.0 && x <= max, Value::Float(x)),
            (Kind::Switch, Value::Boolean(b)) => Ok(Value::Boolean(b)),
            (Kind::Choice(words), Value::String(word)) => in_range(words.contains(&word.as_str()), Value::String(word)),
            (Kind::Call(table), Value::String(text)) => call(&text, table),
            // One word needs no brackets.
            (Kind::Calls(table), Value::String(text)) => call(&text, table).map(|one| Value::Array(vec![one])),
            (Kind::Calls(table), Value::Array(items)) => {
                let one = |item: Value| call(item.as_str().ok_or(Fault::Type)?, table);
                items.into_iter().map(one).collect::<Result<_, _>>().map(Value::Array)
            }
            (Kind::Text, Value::String(text)) => Ok(Value::String(text)),
            (Kind::Texts, Value::Array(items)) if items.iter().all(Value::is_str) => Ok(Value::Array(items)),
            (Kind::Rising, Value::Array(items)) => {
                let numbers: Option<Vec<i64>> = items.iter().map(Value::as_integer).collect();
                let numbers = numbers.ok_or(Fault::Type)?;
                let rises = numbers.iter().zip(numbers.iter().skip(1)).all(|(a, b)| a < b);
                let above_zero = numbers.first().is_none_or(|&n| n > 0);
                in_range(rises && above_zero, Value::Array(items))
            }
            _ => Err(Fault::Type),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Kind::Integer { min, max: MANY } => write!(f, "a whole number of at least {min}"),
            Kind::Integer { min, max } => write!(f, "a whole number from {min} to {max}"),
            Kind::Number { min, max } => write!(f, "a number from {min} to {max}"),
            Kind::Positive { max } => write!(f, "a number above 0 and at most {max}"),
            Kind::Switch => f.write_str("true or false"),
            Kind::Choice(words) => {
                for (i, word) in words.iter().enumerate() {
                    let gap = match i {
                        0 => "",
                        _ if i + 1 == words.len() => " or ",
                        _ => ", ",
                    };
                    write!(f, "{gap}{word:?}")?;
                }
                Ok(())
            }
            Kind::Call(table) | Kind::Calls(table) => {
                f.write_str(if matches!(self, Kind::Calls(_)) { "a list of any of " } else { "" })?;
                for (i, word) in table.iter().enumerate() {
                    let gap = match i {
                        0 => "",
                        _ if i + 1 == table.len() => " or ",
                        _ => ", ",
                    };
                    write!(f, "{gap}\"{word}\"")?;
                }
                Ok(())
            }
            Kind::Rising => f.write_str("a list of rising whole numbers above 0, such as [120, 160]"),
            Kind::Text => f.write_str("a text in quotes"),
            Kind::Texts => f.write_str("a list of texts in quotes, such as [\"a\", \"b\"]"),
        }
    }
}

/// A text as a call, written out.
fn call(text: &str, table: &'static [Word]) -> Result<Value, Fault> {
    Call::read(text, table).map(|call| Value::String(call.to_string())).map_err(|fault| Fault::Word(fault.nearest))
}

/// Keys outside any section.
const TOP: &[Key] = &[
    Key {
        name: "seed",
        kind: Kind::Integer { min: 0, max: i64::MAX },
        auto: false,
        doc: "The number that everything random derives from: initial weights, order of images, views, synthesis. \
              Same seed, data and settings on a CPU: same weights, bit for bit.",
    },
    Key {
        name: "epochs",
        kind: Kind::Integer { min: 0, max: 1_000_000 },
        auto: true,
        doc: "Passes over the data set. 0 writes the untrained encoder as a run.",
    },
];

/// Every key, section by section in the order in which they are written.
pub fn all() -> impl Iterator<Item = &'static Key> + Clone {
    let sections = [
        TOP,
        sections::Data::KEYS,
        sections::Model::KEYS,
        sections::Moco::KEYS,
        sections::Negatives::KEYS,
        sections::Mix::KEYS,
        sections::Optimizer::KEYS,
        sections::Compute::KEYS,
        sections::Checkpoint::KEYS,
        sections::Log::KEYS,
    ];
    sections.into_iter().flatten()
}

/// The key of this name.
pub fn find(name: &str) -> Option<&'static Key> {
    all().find(|key| key.name == name)
}

/// Whether a name is a section, such as `moco`.
pub(crate) fn is_section(name: &str) -> bool {
    all().any(|key| key.name.split_once('.').is_some_and(|(section, _)| section == name))
}
