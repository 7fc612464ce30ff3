//! Settings that are a word with arguments, such as `noise(s=64, sigma=0.01)`: the tables of such words, and their values.
//!
//! Arguments are named or stand in the order of the table; one with a default may be left out, and so may empty parentheses. A value is
//! written back with every argument named.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kind::Kind;
use crate::nearest::nearest;

/// A word and what stands in its parentheses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Word {
    /// As written.
    pub name: &'static str,
    /// In their order.
    pub arguments: &'static [Argument],
}

/// One argument of a word: a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Argument {
    /// As written before `=`.
    pub name: &'static str,
    /// Its bounds: [`Kind::Integer`], [`Kind::Number`] or [`Kind::Positive`].
    pub kind: Kind,
    /// Its value where it is left out; without one it must be given.
    pub default: Option<f64>,
}

const fn word(name: &'static str, arguments: &'static [Argument]) -> Word {
    Word { name, arguments }
}

const fn number(name: &'static str, min: f64, max: f64, default: f64) -> Argument {
    Argument { name, kind: Kind::Number { min, max }, default: Some(default) }
}

const POINTS: Argument = Argument { name: "s", kind: Kind::Integer { min: 0, max: 1 << 20 }, default: None };
const CLASS: Argument = number("c", 0.0, 0.999, 0.1);

/// `negatives.extra`.
pub const ALSO: &[Word] = &[
    word("extrapolate", &[POINTS, number("max", 1.0, 100.0, 1.5)]),
    word("noise", &[POINTS, number("sigma", 0.0, 100.0, 0.01)]),
    word("perturb", &[POINTS, number("delta", 0.0, 100.0, 0.01)]),
    word("adversarial", &[POINTS, number("eta", 0.0, 100.0, 0.01)]),
    word("repeat", &[POINTS]),
    word("weight", &[Argument { name: "w", kind: Kind::Number { min: 0.0, max: 1e6 }, default: None }]),
];

/// `negatives.filters`.
pub const GUARDS: &[Word] = &[
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
    word("hcl", &[Argument { name: "beta", kind: Kind::Positive { max: 100.0 }, default: Some(1.0) }, CLASS]),
];

/// Every table; no name stands in two.
const TABLES: &[&[Word]] = &[ALSO, GUARDS, LOSS];

/// A word with the value of each argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    word: &'static Word,
    values: Vec<f64>,
}

/// Why a text is no call: what was most likely meant, where it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoCall {
    pub nearest: Option<&'static str>,
}

impl Call {
    /// Reads a text by a table.
    pub(crate) fn read(text: &str, table: &'static [Word]) -> Result<Self, NoCall> {
        let (name, inside) = match text.trim().split_once('(') {
            None => (text.trim(), ""),
            Some((name, rest)) => (name.trim(), rest.strip_suffix(')').ok_or(NoCall { nearest: None })?),
        };
        let found = table.iter().find(|word| word.name == name);
        let word = found.ok_or_else(|| NoCall { nearest: nearest(name, table.iter().map(|word| word.name)) })?;
        let mut values: Vec<Option<f64>> = vec![None; word.arguments.len()];
        let parts = inside.split(',').map(str::trim).filter(|_| !inside.trim().is_empty());
        for (place, part) in parts.enumerate() {
            let (at, value) = match part.split_once('=') {
                None => (Some(place), part),
                Some((name, value)) => {
                    let name = name.trim();
                    let at = word.arguments.iter().position(|argument| argument.name == name);
                    let near = || nearest(name, word.arguments.iter().map(|argument| argument.name));
                    (Some(at.ok_or_else(|| NoCall { nearest: near() })?), value.trim())
                }
            };
            let slot = at.and_then(|at| values.get_mut(at).zip(word.arguments.get(at)));
            let (slot, argument) = slot.filter(|(slot, _)| slot.is_none()).ok_or(NoCall { nearest: None })?;
            let number = value.parse::<f64>().ok().filter(|&x| holds(argument.kind, x));
            *slot = Some(number.ok_or(NoCall { nearest: None })?);
        }
        let filled = values.into_iter().zip(word.arguments).map(|(value, argument)| value.or(argument.default));
        match filled.collect::<Option<Vec<f64>>>() {
            Some(values) => Ok(Self { word, values }),
            None => Err(NoCall { nearest: None }),
        }
    }

    /// The word.
    pub fn name(&self) -> &'static str {
        self.word.name
    }

    /// An argument's value; `None` where the word has no such argument.
    pub fn get(&self, argument: &str) -> Option<f64> {
        let at = self.word.arguments.iter().position(|one| one.name == argument)?;
        self.values.get(at).copied()
    }
}

fn holds(kind: Kind, x: f64) -> bool {
    match kind {
        Kind::Integer { min, max } => x.fract() == 0.0 && (min as f64..=max as f64).contains(&x),
        Kind::Number { min, max } => (min..=max).contains(&x),
        Kind::Positive { max } => x > 0.0 && x <= max,
        _ => false,
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word.name)?;
        for (i, (argument, value)) in self.word.arguments.iter().zip(&self.values).enumerate() {
            write!(f, "{}{}={value}", if i == 0 { "(" } else { ", " }, argument.name)?;
        }
        if self.values.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl fmt::Display for Word {
    /// As in the reference: defaults where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for (i, argument) in self.arguments.iter().enumerate() {
            write!(f, "{}{}=", if i == 0 { "(" } else { ", " }, argument.name)?;
            match argument.default {
                Some(value) => write!(f, "{value}")?,
                None => f.write_str("...")?,
            }
        }
        if self.arguments.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl Serialize for Call {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Call {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = TABLES.iter().find_map(|table| Call::read(&text, table).ok());
        found.ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no word with arguments that is known")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, Option<&'static str>> {
        Call::read(text, ALSO).map(|call| call.to_string()).map_err(|fault| fault.nearest)
    }

    #[test]
    fn calls_are_read_by_name_and_by_place() {
        assert_eq!(read("noise(s=64, sigma=0.02)").unwrap(), "noise(s=64, sigma=0.02)");
        assert_eq!(read(" noise ( sigma = 0.02 , s = 64 ) ").unwrap(), "noise(s=64, sigma=0.02)");
        assert_eq!(read("noise(64)").unwrap(), "noise(s=64, sigma=0.01)");
        assert_eq!(read("weight(2)").unwrap(), "weight(w=2)");
        assert_eq!(Call::read("decoupled()", LOSS).unwrap().to_string(), "decoupled");
        assert_eq!(Call::read("hcl", LOSS).unwrap().to_string(), "hcl(beta=1, c=0.1)");
        let call = Call::read("ring(0.02, 0.2)", GUARDS).unwrap();
        assert_eq!(
            (call.name(), call.get("from"), call.get("to"), call.get("m")),
            ("ring", Some(0.02), Some(0.2), None)
        );
    }

    #[test]
    fn faults_tell_what_was_meant() {
        assert_eq!(read("nosie(s=64)"), Err(Some("noise")));
        assert_eq!(read("noise(s=64, sigm=1)"), Err(Some("sigma")));
        for text in [
            "noise",
            "noise(s=64",
            "noise(s=1.5)",
            "noise(s=-1)",
            "noise(1, 2, 3)",
            "noise(s=1, s=2)",
            "noise(4, s=4)",
            "noise(s=x)",
            "noise(,)",
            "",
            "whatever(s=1)",
        ] {
            assert_eq!(read(text), Err(None), "{text}");
        }
    }

    #[test]
    fn no_name_stands_in_two_tables() {
        let mut names: Vec<&str> = TABLES.iter().flat_map(|table| table.iter().map(|word| word.name)).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
