//! Accepted values of a key: their description and validation.

use std::fmt;

use toml::Value;

use crate::calls::{Call, CallError, Word};
use crate::device::Device;
use crate::range::Range;

pub(crate) use crate::range::MANY;

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
    /// One name of a table, with its arguments.
    Call(&'static [Word]),
    /// A list of names of a table, each with its arguments.
    Calls(&'static [Word]),
    /// A list of increasing positive integers.
    Rising,
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
    /// An unknown name or argument; the most similar one.
    Unknown(Option<&'static str>),
    /// An argument outside its range.
    Argument {
        /// The argument.
        argument: &'static str,
        /// Its accepted values.
        range: String,
    },
}

impl Key {
    /// The accepted values, as a phrase that ends the sentence "expected ...".
    pub fn expected(&self) -> String {
        if self.auto { format!("{} or \"auto\"", self.kind) } else { self.kind.to_string() }
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
            (Kind::Device, Value::String(text)) => in_range(text.parse::<Device>().is_ok(), Value::String(text)),
            (Kind::Call(table), value) => call(&value, table),
            (Kind::Calls(table), Value::Array(items)) => {
                items.iter().map(|item| call(item, table)).collect::<Result<_, _>>().map(Value::Array)
            }
            // A list of one element needs no brackets.
            (Kind::Calls(table), value) => call(&value, table).map(|one| Value::Array(vec![one])),
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
            Kind::Integer { min, max } => write!(f, "{}", Range::Integer { min, max }),
            Kind::Number { min, max } => write!(f, "{}", Range::Number { min, max }),
            Kind::Positive { max } => write!(f, "{}", Range::Positive { max }),
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
                    write!(f, "{gap}{word}")?;
                }
                Ok(())
            }
            Kind::Rising => f.write_str("a list of increasing positive integers, such as [120, 160]"),
            Kind::Device => f.write_str("\"cpu\", \"cuda\" or \"cuda:N\""),
            Kind::Text => f.write_str("a string"),
            Kind::Texts => f.write_str("a list of strings, such as [\"a\", \"b\"]"),
        }
    }
}

/// Validates a name with arguments; returns it with every argument.
fn call(value: &Value, table: &'static [Word]) -> Result<Value, Fault> {
    Call::read(value, table).map(|call| call.to_toml()).map_err(|error| match error {
        CallError::Type => Fault::Type,
        CallError::Unknown(nearest) => Fault::Unknown(nearest),
        CallError::Range { argument, range } => Fault::Argument { argument, range },
    })
}
