//! Settings that select an entry of a table of [`mochi_contrast_core`] with arguments: strategies, filters, loss variants.
//!
//! In TOML an entry is its name, with every argument at its default, or a table: `"same-image"`, `{ noise = { s = 64 } }`. It is written back with
//! every argument.

use std::fmt;

use mochi_contrast_core::{Configured, Family, Filter, LossVariant, Range, Spec, SpecError, Strategy, parse};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::{Table, Value};

use crate::nearest::nearest;

/// An entry of a table with the values of its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection<T: 'static>(Configured<T>);

/// The tables that a key can select from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choices {
    /// [`mochi_contrast_core::STRATEGIES`].
    Strategies,
    /// [`mochi_contrast_core::FILTERS`].
    Filters,
    /// [`mochi_contrast_core::LOSSES`].
    Losses,
}

/// Why a value selects no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectionFault {
    /// The entry or argument that was most likely meant.
    pub nearest: Option<&'static str>,
    /// What is expected, where it is more than an entry of the table.
    pub expected: Option<String>,
}

impl<T: Family> Selection<T> {
    /// Reads a value by a table.
    pub fn read(value: &Value, table: &[&'static Spec<T>]) -> Result<Self, SelectionFault> {
        let none = || SelectionFault { nearest: None, expected: None };
        let empty = Table::new();
        let (name, arguments) = match value {
            Value::String(name) => (name, &empty),
            Value::Table(entry) => {
                let mut entries = entry.iter();
                let (Some((name, Value::Table(arguments))), None) = (entries.next(), entries.next()) else {
                    return Err(none());
                };
                (name, arguments)
            }
            _ => return Err(none()),
        };
        let number = |value: &Value| value.as_float().or(value.as_integer().map(|n| n as f64)).unwrap_or(f64::NAN);
        let given = arguments.iter().map(|(argument, value)| (argument.as_str(), number(value)));
        let error = match parse(table, name, given) {
            Ok(configured) => return Ok(Self(configured)),
            Err(error) => error,
        };
        Err(match &error {
            SpecError::Name { .. } => {
                SelectionFault { nearest: nearest(name, table.iter().map(|spec| spec.name)), ..none() }
            }
            SpecError::Argument { argument, .. } => {
                let spec = table.iter().find(|spec| spec.name == name);
                let names = spec.map_or(&[][..], |spec| spec.arguments).iter().map(|argument| argument.name);
                let listed: Vec<String> = names.clone().map(|name| format!("`{name}`")).collect();
                let expected = match listed.is_empty() {
                    true => format!("no arguments of {name}"),
                    false => format!("the arguments {} of {name}", listed.join(" and ")),
                };
                SelectionFault { nearest: nearest(argument, names), expected: Some(expected) }
            }
            SpecError::Range { argument, range, .. } => {
                SelectionFault { expected: Some(format!("{range} as `{argument}` of {name}")), ..none() }
            }
            SpecError::Twice { .. } => none(),
        })
    }

    /// Reads a value of the family's own table.
    fn of_family(value: &Value) -> Result<Self, SelectionFault> {
        Self::read(value, T::table())
    }
}

impl<T: 'static> Selection<T> {
    /// The entry's name.
    pub fn name(&self) -> &'static str {
        self.0.spec().name
    }

    /// An argument's value; `None` where the entry has no such argument.
    pub fn get(&self, argument: &str) -> Option<f64> {
        self.0.arguments().find(|(one, _)| one.name == argument).map(|(_, value)| value)
    }

    /// The description that the loss reads.
    pub fn build(&self) -> T {
        self.0.build()
    }

    /// The TOML value, with every argument.
    fn value(&self) -> Value {
        written(&self.0)
    }
}

/// A configured entry as TOML.
fn written<T: 'static>(configured: &Configured<T>) -> Value {
    let name = configured.spec().name;
    let arguments: Table = configured
        .arguments()
        .map(|(argument, value)| {
            let value = match argument.range {
                Range::Integer { .. } => Value::Integer(value as i64),
                Range::Number { .. } | Range::Positive { .. } => Value::Float(value),
            };
            (argument.name.to_owned(), value)
        })
        .collect();
    match arguments.is_empty() {
        true => Value::String(name.to_owned()),
        false => Value::Table(Table::from_iter([(name.to_owned(), Value::Table(arguments))])),
    }
}

impl Choices {
    /// Reads a value and writes it with every argument.
    pub(crate) fn complete(self, value: &Value) -> Result<Value, SelectionFault> {
        match self {
            Self::Strategies => Selection::<Strategy>::of_family(value).map(|selection| selection.value()),
            Self::Filters => Selection::<Filter>::of_family(value).map(|selection| selection.value()),
            Self::Losses => Selection::<LossVariant>::of_family(value).map(|selection| selection.value()),
        }
    }

    /// Every entry in TOML with its default arguments.
    pub(crate) fn written(self) -> Vec<String> {
        fn of<T: Family>() -> Vec<String> {
            T::table().iter().map(|spec| written(&spec.defaults()).to_string()).collect()
        }
        match self {
            Self::Strategies => of::<Strategy>(),
            Self::Filters => of::<Filter>(),
            Self::Losses => of::<LossVariant>(),
        }
    }

    /// The documentation of every entry and its arguments, as a Markdown list.
    pub(crate) fn reference(self) -> String {
        fn of<T: Family>() -> String {
            let entry = |spec: &&'static Spec<T>| {
                let arguments = spec.arguments.iter().map(|argument| {
                    format!(
                        "\n    * `{}`, {}, default {}: {}",
                        argument.name, argument.range, argument.default, argument.doc
                    )
                });
                format!("  * `{}`: {}{}\n", spec.name, spec.doc, arguments.collect::<String>())
            };
            T::table().iter().map(entry).collect()
        }
        match self {
            Self::Strategies => of::<Strategy>(),
            Self::Filters => of::<Filter>(),
            Self::Losses => of::<LossVariant>(),
        }
    }
}

impl<T: 'static> fmt::Display for Selection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}

impl<T: 'static> Serialize for Selection<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de, T: Family> Deserialize<'de> for Selection<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::of_family(&value).map_err(|_| serde::de::Error::custom(format!("expected a {}, got {value}", T::NOUN)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_contrast_core::{Argument, STRATEGIES};

    fn value(text: &str) -> Value {
        format!("value = {text}").parse::<Table>().unwrap().remove("value").unwrap()
    }

    fn read(text: &str) -> Result<String, SelectionFault> {
        Selection::<Strategy>::of_family(&value(text)).map(|selection| selection.to_string())
    }

    #[test]
    fn a_bare_name_has_every_default_and_values_survive() {
        assert_eq!(read("\"noise\"").unwrap(), read("{ noise = { s = 64, sigma = 0.01 } }").unwrap());
        let written = read("{ noise = { sigma = 1 } }").unwrap();
        let again = Selection::<Strategy>::of_family(&value(&written)).unwrap();
        assert_eq!((again.get("s"), again.get("sigma"), again.get("m")), (Some(64.0), Some(1.0), None));
        assert_eq!(again.to_string(), written);
        assert_eq!(Choices::Filters.complete(&value("\"same-image\"")).unwrap(), value("\"same-image\""));
        assert_eq!(Choices::Losses.written()[..2], ["\"info-nce\"", "\"decoupled\""]);
    }

    #[test]
    fn faults_name_what_was_meant_or_expected() {
        let fault = |text: &str| read(text).unwrap_err();
        assert_eq!(fault("\"nosie\"").nearest, Some("noise"));
        let argument = fault("{ noise = { sigm = 1 } }");
        assert_eq!(argument.nearest, Some("sigma"));
        assert_eq!(argument.expected.unwrap(), "the arguments `s` and `sigma` of noise");
        for bad in ["-1", "1.5", "\"x\"", "true"] {
            let expected = fault(&format!("{{ noise = {{ s = {bad} }} }}")).expected.unwrap();
            assert_eq!(expected, "an integer from 0 to 1048576 as `s` of noise");
        }
        for bad in ["3", "{ noise = 64 }", "{ noise = {}, repeat = {} }", "{}", "[]"] {
            assert_eq!(fault(bad), SelectionFault { nearest: None, expected: None }, "{bad}");
        }
    }

    #[test]
    fn a_strategy_that_only_a_test_knows_is_read_from_its_specification() {
        static TOY: Spec<Strategy> = Spec {
            name: "toy",
            doc: "Copies.",
            arguments: &[Argument {
                name: "s",
                range: Range::Integer { min: 0, max: 9 },
                default: 3.0,
                doc: "Synthetic negatives per query.",
            }],
            build: |values| Strategy::copies("toy", 99, values[0] as usize),
        };
        let table: Vec<&'static Spec<Strategy>> = STRATEGIES.iter().copied().chain([&TOY]).collect();
        let toy = Selection::read(&value("{ toy = { s = 4 } }"), &table).unwrap();
        assert_eq!(toy.build(), Strategy::copies("toy", 99, 4));
        assert_eq!(Selection::read(&value("\"toi\""), &table).unwrap_err().nearest, Some("toy"));
        assert!(read("\"toy\"").is_err());
    }
}
