//! Specifications of strategies, filters and loss variants with their arguments, and their configured values.
//!
//! Each strategy of synthetic negatives, negative filter and loss variant has one [`Spec`] in its own file, and one line in the table of its
//! [`Family`]. Configuration, its reference page, the CPU path and the device path use this table.

use std::fmt;

/// A named entry of a table: arguments, documentation, and the function that builds its description.
#[derive(Debug)]
pub struct Spec<T: 'static> {
    /// Name in a configuration.
    pub name: &'static str,
    /// Description, one sentence in Markdown.
    pub doc: &'static str,
    /// Its arguments, all of them numbers.
    pub arguments: &'static [Argument],
    /// Builds the description from one value for each argument, in their order.
    pub build: fn(&[f64]) -> T,
}

/// One argument of a [`Spec`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Argument {
    /// Name in a configuration.
    pub name: &'static str,
    /// Valid values.
    pub range: Range,
    /// Default value.
    pub default: f64,
    /// Description, one sentence in Markdown.
    pub doc: &'static str,
}

/// The values of an argument.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
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
    /// A number above 0, the upper bound included.
    Positive {
        /// Largest.
        max: f64,
    },
}

/// A family of specifications with its table.
pub trait Family: Sized + 'static {
    /// Noun for an entry in messages, such as "strategy".
    const NOUN: &'static str;

    /// Every specification of the family, in the order of the reference page. No two have the same name.
    fn table() -> &'static [&'static Spec<Self>];
}

/// A specification with the values of its arguments.
#[derive(Debug)]
pub struct Configured<T: 'static> {
    spec: &'static Spec<T>,
    values: Vec<f64>,
}

/// Error of a name with arguments.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SpecError {
    /// No entry has this name.
    #[error("unknown {noun} {name:?}")]
    Name {
        /// "strategy", "filter" or "loss variant".
        noun: &'static str,
        /// The name.
        name: String,
    },
    /// The entry has no such argument.
    #[error("{name} has no argument {argument:?}")]
    Argument {
        /// The entry.
        name: &'static str,
        /// The argument.
        argument: String,
    },
    /// An argument is given twice.
    #[error("{name}.{argument} is given twice")]
    Twice {
        /// The entry.
        name: &'static str,
        /// The argument.
        argument: &'static str,
    },
    /// An argument's value is outside of its range.
    #[error("{name}.{argument} must be {range}, not {value}")]
    Range {
        /// The entry.
        name: &'static str,
        /// The argument.
        argument: &'static str,
        /// Valid values.
        range: Range,
        /// The given value.
        value: f64,
    },
}

impl Range {
    /// Whether `value` is in the range.
    pub fn contains(self, value: f64) -> bool {
        match self {
            Self::Integer { min, max } => value.fract() == 0.0 && (min as f64..=max as f64).contains(&value),
            Self::Number { min, max } => (min..=max).contains(&value),
            Self::Positive { max } => value > 0.0 && value <= max,
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Integer { min, max } => write!(f, "an integer from {min} to {max}"),
            Self::Number { min, max } => write!(f, "a number from {min} to {max}"),
            Self::Positive { max } => write!(f, "a number above 0 and at most {max}"),
        }
    }
}

impl<T: 'static> Spec<T> {
    /// The specification with every argument at its default.
    pub fn defaults(&'static self) -> Configured<T> {
        Configured { spec: self, values: self.arguments.iter().map(|argument| argument.default).collect() }
    }

    /// The specification with some arguments given, the others at their defaults.
    ///
    /// # Errors
    /// An argument that is unknown, given twice, or out of range.
    pub fn configure<'a>(
        &'static self,
        given: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<Configured<T>, SpecError> {
        let mut values = vec![None; self.arguments.len()];
        for (name, value) in given {
            let at = self.arguments.iter().position(|argument| argument.name == name);
            let at = at.ok_or_else(|| SpecError::Argument { name: self.name, argument: name.to_owned() })?;
            let argument = &self.arguments[at];
            if !argument.range.contains(value) {
                let (name, range) = (self.name, argument.range);
                return Err(SpecError::Range { name, argument: argument.name, range, value });
            }
            if values[at].replace(value).is_some() {
                return Err(SpecError::Twice { name: self.name, argument: argument.name });
            }
        }
        let filled = values.into_iter().zip(self.arguments).map(|(value, argument)| value.unwrap_or(argument.default));
        Ok(Configured { spec: self, values: filled.collect() })
    }
}

/// Finds a specification in a table and configures it.
///
/// # Errors
/// A name that is not in the table, and as [`Spec::configure`].
pub fn parse<'a, T: Family>(
    table: &[&'static Spec<T>],
    name: &str,
    arguments: impl IntoIterator<Item = (&'a str, f64)>,
) -> Result<Configured<T>, SpecError> {
    let found = table.iter().find(|spec| spec.name == name);
    found.ok_or_else(|| SpecError::Name { noun: T::NOUN, name: name.to_owned() })?.configure(arguments)
}

impl<T: 'static> Configured<T> {
    /// The specification.
    pub fn spec(&self) -> &'static Spec<T> {
        self.spec
    }

    /// Each argument with its value.
    pub fn arguments(&self) -> impl Iterator<Item = (&'static Argument, f64)> {
        self.spec.arguments.iter().zip(self.values.iter().copied())
    }

    /// The description that both compute paths read.
    pub fn build(&self) -> T {
        (self.spec.build)(&self.values)
    }
}

impl<T: 'static> Clone for Configured<T> {
    fn clone(&self) -> Self {
        Self { spec: self.spec, values: self.values.clone() }
    }
}

impl<T: 'static> PartialEq for Configured<T> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.spec, other.spec) && self.values == other.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Filter, LossVariant, Strategy};

    fn each<T: Family + fmt::Debug>() {
        let table = T::table();
        for (at, spec) in table.iter().enumerate() {
            assert!(table[..at].iter().all(|other| other.name != spec.name), "{} is there twice", spec.name);
            assert!(!spec.doc.is_empty() && spec.doc.is_ascii(), "{}", spec.name);
            for argument in spec.arguments {
                assert!(argument.range.contains(argument.default), "{}.{}", spec.name, argument.name);
                assert!(!argument.doc.is_empty());
            }
            spec.defaults().build();
            assert_eq!(parse::<T>(table, spec.name, []).unwrap(), spec.defaults());
        }
    }

    #[test]
    fn names_are_unique_and_defaults_are_in_range() {
        each::<Strategy>();
        each::<Filter>();
        each::<LossVariant>();
    }

    #[test]
    fn faults_name_what_is_wrong() {
        let parse = |name: &str, arguments: &[(&str, f64)]| {
            parse::<Strategy>(Strategy::table(), name, arguments.iter().copied()).map(|_| ()).unwrap_err().to_string()
        };
        assert_eq!(parse("nosie", &[]), "unknown strategy \"nosie\"");
        assert_eq!(parse("noise", &[("sigm", 1.0)]), "noise has no argument \"sigm\"");
        assert_eq!(parse("noise", &[("s", 1.0), ("s", 2.0)]), "noise.s is given twice");
        assert_eq!(parse("noise", &[("sigma", -1.0)]), "noise.sigma must be a number from 0 to 100, not -1");
        for bad in [1.5, -1.0, f64::NAN] {
            assert!(parse("noise", &[("s", bad)]).starts_with("noise.s must be an integer from 0 to"), "{bad}");
        }
    }

    #[test]
    fn ranges_include_their_bounds() {
        let positive = Range::Positive { max: 2.0 };
        assert!(positive.contains(2.0) && !positive.contains(0.0) && !positive.contains(2.1));
        let number = Range::Number { min: -1.0, max: 1.0 };
        assert!(number.contains(-1.0) && number.contains(1.0) && !number.contains(f64::INFINITY));
    }
}
