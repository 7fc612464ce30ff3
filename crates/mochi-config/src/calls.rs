//! Settings that are a name with numeric arguments: in TOML `"hcl"` with default arguments, or `{ hcl = { beta = 0.5 } }`.
//!
//! A value is written back with every argument.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::{Table, Value};

use crate::nearest::nearest;
use crate::range::Range;

/// A name with its arguments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Word {
    /// Name in TOML.
    pub name: &'static str,
    /// Arguments, in the order of the reference.
    pub arguments: &'static [Argument],
}

/// A numeric argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Argument {
    /// Name in TOML.
    pub name: &'static str,
    /// Accepted values.
    pub range: Range,
    /// Value if it is not given.
    pub default: f64,
}

const fn word(name: &'static str, arguments: &'static [Argument]) -> Word {
    Word { name, arguments }
}

const fn number(name: &'static str, min: f64, max: f64, default: f64) -> Argument {
    Argument { name, range: Range::Number { min, max }, default }
}

const fn count(default: f64) -> Argument {
    Argument { name: "s", range: Range::Integer { min: 0, max: 1 << 20 }, default }
}

const CLASS: Argument = number("c", 0.0, 0.999, 0.1);

/// `negatives.extra`.
pub const EXTRA: &[Word] = &[
    word("extrapolate", &[count(256.0), number("max", 1.0, 100.0, 1.5)]),
    word("noise", &[count(64.0), number("sigma", 0.0, 100.0, 0.01)]),
    word("perturb", &[count(64.0), number("delta", 0.0, 100.0, 0.01)]),
    word("adversarial", &[count(64.0), number("eta", 0.0, 100.0, 0.01)]),
    word("repeat", &[count(256.0)]),
    word("weight", &[number("w", 0.0, 1e6, 1.0)]),
];

/// `negatives.filters`.
pub const FILTERS: &[Word] = &[
    word("same-image", &[]),
    word("class-oracle", &[]),
    word("margin", &[number("m", -2.0, 2.0, 0.05)]),
    word("percentage", &[number("p", 0.0, 10.0, 0.95)]),
    word("ring", &[number("from", 0.0, 1.0, 0.01), number("to", 0.0, 1.0, 0.1)]),
];

/// `moco.loss`.
pub const LOSS: &[Word] = &[
    word("info-nce", &[]),
    word("decoupled", &[]),
    word("debiased", &[CLASS]),
    word("hcl", &[Argument { name: "beta", range: Range::Positive { max: 100.0 }, default: 1.0 }, CLASS]),
];

/// Every table. No name is in two of them.
const TABLES: &[&[Word]] = &[EXTRA, FILTERS, LOSS];

/// A name with the value of each argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    word: &'static Word,
    values: Vec<f64>,
}

/// Why a value is not a name of a table with valid arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// Neither a name nor a table of one name.
    Type,
    /// An unknown name or argument; the most similar one.
    Unknown(Option<&'static str>),
    /// An argument outside its range.
    Range {
        /// The argument.
        argument: &'static str,
        /// Its accepted values.
        range: String,
    },
}

impl Call {
    /// Reads a TOML value by a table.
    pub(crate) fn read(value: &Value, table: &'static [Word]) -> Result<Self, CallError> {
        match value {
            Value::String(name) => Self::configure(name, &Table::new(), table),
            Value::Table(one) if one.len() == 1 => match one.iter().next() {
                Some((name, Value::Table(arguments))) => Self::configure(name, arguments, table),
                _ => Err(CallError::Type),
            },
            _ => Err(CallError::Type),
        }
    }

    fn configure(name: &str, arguments: &Table, table: &'static [Word]) -> Result<Self, CallError> {
        let names = table.iter().map(|word| word.name);
        let word = table.iter().find(|word| word.name == name).ok_or(CallError::Unknown(nearest(name, names)))?;
        let known = word.arguments.iter().map(|argument| argument.name);
        if let Some(unknown) = arguments.keys().find(|key| !known.clone().any(|name| name == *key)) {
            return Err(CallError::Unknown(nearest(unknown, known)));
        }
        let values = word.arguments.iter().map(|argument| match arguments.get(argument.name) {
            None => Ok(argument.default),
            Some(value) => {
                let number = value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
                number
                    .filter(|&x| argument.range.contains(x))
                    .ok_or_else(|| CallError::Range { argument: argument.name, range: argument.range.to_string() })
            }
        });
        Ok(Self { word, values: values.collect::<Result<_, _>>()? })
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.word.name
    }

    /// The value of an argument; `None` if there is no such argument.
    pub fn get(&self, argument: &str) -> Option<f64> {
        let at = self.word.arguments.iter().position(|one| one.name == argument)?;
        self.values.get(at).copied()
    }

    /// The TOML value, with every argument.
    pub(crate) fn to_toml(&self) -> Value {
        let argument = |(argument, &value): (&Argument, &f64)| {
            let value = match argument.range {
                Range::Integer { .. } => Value::Integer(value as i64),
                _ => Value::Float(value),
            };
            (argument.name.to_owned(), value)
        };
        let arguments: Table = self.word.arguments.iter().zip(&self.values).map(argument).collect();
        match arguments.is_empty() {
            true => Value::String(self.word.name.to_owned()),
            false => Value::Table(Table::from_iter([(self.word.name.to_owned(), Value::Table(arguments))])),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_toml())
    }
}

impl fmt::Display for Word {
    /// As in the reference, with default arguments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.arguments.is_empty() {
            return write!(f, "\"{}\"", self.name);
        }
        write!(f, "{{ {} = {{ ", self.name)?;
        for (i, argument) in self.arguments.iter().enumerate() {
            write!(f, "{}{} = {}", if i == 0 { "" } else { ", " }, argument.name, argument.default)?;
        }
        f.write_str(" } }")
    }
}

impl Serialize for Call {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_toml().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Call {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let found = TABLES.iter().find_map(|table| Call::read(&value, table).ok());
        found.ok_or_else(|| serde::de::Error::custom(format!("unknown name with arguments: {value}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        format!("value = {text}").parse::<Table>().unwrap().remove("value").unwrap()
    }

    fn read(text: &str) -> Result<String, CallError> {
        Call::read(&value(text), EXTRA).map(|call| call.to_string())
    }

    #[test]
    fn names_and_tables_are_read_and_written_with_every_argument() {
        assert_eq!(read("{ noise = { s = 32, sigma = 0.02 } }").unwrap(), "{ noise = { s = 32, sigma = 0.02 } }");
        assert_eq!(read("{ noise = { sigma = 1 } }").unwrap(), "{ noise = { s = 64, sigma = 1.0 } }");
        assert_eq!(read("\"noise\"").unwrap(), "{ noise = { s = 64, sigma = 0.01 } }");
        assert_eq!(read("{ weight = {} }").unwrap(), "{ weight = { w = 1.0 } }");
        assert_eq!(Call::read(&value("\"decoupled\""), LOSS).unwrap().to_string(), "\"decoupled\"");
        let call = Call::read(&value("{ ring = { from = 0.02, to = 0.2 } }"), FILTERS).unwrap();
        assert_eq!(
            (call.name(), call.get("from"), call.get("to"), call.get("m")),
            ("ring", Some(0.02), Some(0.2), None)
        );
    }

    #[test]
    fn errors_name_the_similar_name_or_the_range() {
        assert_eq!(read("\"nosie\""), Err(CallError::Unknown(Some("noise"))));
        assert_eq!(read("{ noise = { sigm = 1 } }"), Err(CallError::Unknown(Some("sigma"))));
        assert_eq!(read("\"whatever\""), Err(CallError::Unknown(None)));
        for text in ["1", "[]", "{}", "{ noise = 1 }", "{ noise = {}, weight = {} }"] {
            assert_eq!(read(text), Err(CallError::Type), "{text}");
        }
        for text in ["1.5", "-1", "\"x\"", "nan", "[1]"] {
            let range = "an integer from 0 to 1048576".to_owned();
            let error = CallError::Range { argument: "s", range };
            assert_eq!(read(&format!("{{ noise = {{ s = {text} }} }}")), Err(error), "{text}");
        }
    }

    #[test]
    fn names_are_unique_and_defaults_are_in_range() {
        let words: Vec<&Word> = TABLES.iter().copied().flatten().collect();
        let mut names: Vec<&str> = words.iter().map(|word| word.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), words.len());
        for argument in words.iter().flat_map(|word| word.arguments) {
            assert!(argument.range.contains(argument.default), "{}", argument.name);
        }
    }
}
