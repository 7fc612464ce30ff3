//! Accepted values of a key: their description and validation.

use std::fmt;

use mochi_contrast_core::Range;
use toml::Value;

use crate::device::Device;
use crate::selection::{Choices, SelectionFault};
use crate::time::{EXPECTED, TimeBudget};

/// Largest count that any key accepts: sums of counts up to it do not overflow.
pub(crate) const MANY: i64 = 1 << 40;

/// One key of the settings.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted name, such as `moco.queue`.
    pub name: &'static str,
    /// Accepted values.
    pub kind: Kind,
    /// Whether `"auto"` is accepted as well.
    pub auto: bool,
    /// Documentation, in Markdown.
    pub doc: &'static str,
}

impl Key {
    /// The section that it is in, empty for a key without one.
    pub(crate) fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// Its name within the section.
    pub(crate) fn field(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, field)| field)
    }
}

/// Accepted values of a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// An integer, both bounds included.
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
    /// One name of a list.
    Choice(&'static [&'static str]),
    /// One entry of a table, with its arguments.
    Selection(Choices),
    /// A list of entries of a table, each with its arguments.
    Selections(Choices),
    /// A list of increasing integers, both bounds included. It may be empty.
    Rising {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A list of one number or more, each above zero, the upper bound included.
    Numbers {
        /// Largest.
        max: f64,
    },
    /// A time budget: `none` or a duration.
    Time,
    /// A device: `cpu`, `cuda` or `cuda:N`.
    Device,
    /// Any string.
    Text,
    /// A list of strings, which may be empty.
    Texts,
}

/// Why a value is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The wrong type.
    Type,
    /// The right type, but outside the range or list.
    Range,
    /// Not an entry of the table with valid arguments.
    Selection(SelectionFault),
}

impl Key {
    /// The accepted values, as a phrase that ends the sentence "expected ...".
    pub fn expected(&self) -> String {
        let kind = self.kind.to_string();
        match self.auto {
            false => kind,
            true if kind.contains(" or ") => format!("\"auto\", {kind}"),
            true => format!("\"auto\" or {kind}"),
        }
    }

    /// Validates a value and converts it to the type that is read later (an integer given for a number becomes a number).
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
            (Kind::Time, Value::String(text)) => in_range(text.parse::<TimeBudget>().is_ok(), Value::String(text)),
            (Kind::Device, Value::String(text)) => in_range(text.parse::<Device>().is_ok(), Value::String(text)),
            (Kind::Selection(choices), value) => select(choices, &value),
            (Kind::Selections(choices), Value::Array(items)) => {
                items.iter().map(|item| select(choices, item)).collect::<Result<_, _>>().map(Value::Array)
            }
            // A list of one element needs no brackets.
            (Kind::Selections(choices), value) => select(choices, &value).map(|one| Value::Array(vec![one])),
            (Kind::Text, Value::String(text)) => Ok(Value::String(text)),
            (Kind::Texts, Value::Array(items)) if items.iter().all(Value::is_str) => Ok(Value::Array(items)),
            (Kind::Rising { min, max }, Value::Array(items)) => {
                let numbers: Option<Vec<i64>> = items.iter().map(Value::as_integer).collect();
                let numbers = numbers.ok_or(Fault::Type)?;
                let rises = numbers.iter().zip(numbers.iter().skip(1)).all(|(a, b)| a < b);
                let within = numbers.iter().all(|n| (min..=max).contains(n));
                in_range(rises && within, Value::Array(items))
            }
            (Kind::Numbers { max }, Value::Array(items)) => {
                let number = |item: &Value| item.as_float().or(item.as_integer().map(|n| n as f64));
                let numbers: Vec<f64> = items.iter().map(number).collect::<Option<_>>().ok_or(Fault::Type)?;
                let within = !numbers.is_empty() && numbers.iter().all(|&x| x > 0.0 && x <= max);
                in_range(within, Value::Array(numbers.into_iter().map(Value::Float).collect()))
            }
            _ => Err(Fault::Type),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Kind::Integer { min, max: MANY } => write!(f, "an integer of at least {min}"),
            Kind::Integer { min, max } => write!(f, "{}", Range::Integer { min, max }),
            Kind::Number { min, max } => write!(f, "{}", Range::Number { min, max }),
            Kind::Positive { max } => write!(f, "{}", Range::Positive { max }),
            Kind::Switch => f.write_str("true or false"),
            Kind::Choice(words) => list(f, words.iter().map(|word| format!("{word:?}")).collect()),
            Kind::Selection(choices) => list(f, choices.written()),
            Kind::Selections(choices) => {
                f.write_str("a list of any of ")?;
                list(f, choices.written())
            }
            Kind::Rising { min: 1, .. } => f.write_str("a list of increasing positive integers, such as [120, 160]"),
            Kind::Rising { min, max } => write!(f, "a list of increasing integers from {min} to {max}"),
            Kind::Numbers { max } => {
                write!(f, "a list of numbers above 0 and at most {max}, such as [0.5, 1.0, 2.0]")
            }
            Kind::Time => f.write_str(EXPECTED),
            Kind::Device => f.write_str("\"cpu\", \"cuda\" or \"cuda:N\""),
            Kind::Text => f.write_str("a string"),
            Kind::Texts => f.write_str("a list of strings, such as [\"a\", \"b\"]"),
        }
    }
}

/// An entry with every argument written out.
fn select(choices: Choices, value: &Value) -> Result<Value, Fault> {
    choices.complete(value).map_err(Fault::Selection)
}

/// `a, b or c`.
fn list(f: &mut fmt::Formatter<'_>, items: Vec<String>) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        let gap = match i {
            0 => "",
            _ if i + 1 == items.len() => " or ",
            _ => ", ",
        };
        write!(f, "{gap}{item}")?;
    }
    Ok(())
}
