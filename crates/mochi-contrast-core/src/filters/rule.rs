//! The description of a filter with its values: all that the compute paths know of it.

use crate::{CoreError, SampleMetadata};

/// A filter with its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filter {
    /// Name in a configuration.
    pub name: &'static str,
    /// Which keys are no negatives.
    pub rule: Rule,
}

/// Which keys are no negatives of a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Keys with the query's own metadata; unknown metadata (negative) equals nothing.
    Same(Metadata),
    /// Keys whose cosine is above a bound that follows from the positive's.
    Above(Bound),
    /// Keys whose rank, hardest first, lies outside of `floor(from V) <= r < ceil(to V)` of the V that the other filters leave.
    OutsideRanks {
        /// Fraction of the hardest keys that are left out.
        from: f64,
        /// Fraction of the keys, hardest first, up to which they stay.
        to: f64,
    },
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metadata {
    /// Image ids.
    Images,
    /// Class labels.
    Labels,
}

/// The bound `slope q·k + absolute |q·k| + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// Of the positive's cosine.
    pub slope: f64,
    /// Of its absolute value.
    pub absolute: f64,
    /// Added.
    pub offset: f64,
}

impl Bound {
    /// The cosine above which keys are no negatives.
    #[inline(always)]
    pub fn at(self, positive: f64) -> f64 {
        self.slope * positive + self.absolute * positive.abs() + self.offset
    }
}

impl Metadata {
    /// The ids or labels of some rows.
    pub fn of<'a>(self, metadata: &SampleMetadata<'a>) -> Option<&'a [i64]> {
        match self {
            Self::Images => metadata.images,
            Self::Labels => metadata.labels,
        }
    }

    /// As in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }
}

impl Filter {
    pub(crate) fn check(&self) -> Result<(), CoreError> {
        let (good, value, expected) = match self.rule {
            Rule::Same(_) => return Ok(()),
            Rule::Above(bound) => (bound.at(0.5).is_finite(), format!("{bound:?}"), "finite numbers"),
            Rule::OutsideRanks { from, to } => (
                from >= 0.0 && from < to && to <= 1.0,
                format!("{from} to {to}"),
                "two fractions from 0 to 1, the first below the second",
            ),
        };
        if good { Ok(()) } else { Err(CoreError::Value { what: format!("filter {}", self.name), value, expected }) }
    }

    /// Refuses a filter whose metadata of queries and candidate keys is missing.
    pub(crate) fn check_metadata(&self, rows: [&SampleMetadata; 2]) -> Result<(), CoreError> {
        let Rule::Same(metadata) = self.rule else { return Ok(()) };
        if rows.iter().all(|rows| metadata.of(rows).is_some()) {
            return Ok(());
        }
        Err(CoreError::MissingMetadata { filter: self.name, what: metadata.name() })
    }
}
