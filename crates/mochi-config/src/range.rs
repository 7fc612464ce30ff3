//! Ranges of numbers.

use std::fmt;

/// Largest count that any key accepts: sums of counts up to it do not overflow.
pub(crate) const MANY: i64 = 1 << 40;

/// A range of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// A number above zero, the upper bound included.
    Positive {
        /// Largest.
        max: f64,
    },
}

impl Range {
    /// Whether the number is in the range.
    pub fn contains(self, x: f64) -> bool {
        match self {
            Range::Integer { min, max } => x.fract() == 0.0 && (min as f64..=max as f64).contains(&x),
            Range::Number { min, max } => (min..=max).contains(&x),
            Range::Positive { max } => x > 0.0 && x <= max,
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Range::Integer { min, max: MANY } => write!(f, "an integer of at least {min}"),
            Range::Integer { min, max } => write!(f, "an integer from {min} to {max}"),
            Range::Number { min, max } => write!(f, "a number from {min} to {max}"),
            Range::Positive { max } => write!(f, "a number above 0 and at most {max}"),
        }
    }
}
