//! Description of a filter with its values, which the compute paths use.

use crate::{CoreError, SampleMetadata};

/// A filter with its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filter {
    /// Name in a configuration.
    pub name: &'static str,
    /// Keys that are not negatives.
    pub rule: Rule,
}

/// Keys that are not negatives of a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Keys with the query's own metadata; unknown metadata (negative values) never matches.
    Same(Metadata),
    /// Keys whose cosine is above a bound that follows from the positive's.
    Above(Bound),
    /// Keys whose rank, hardest first, is outside of `floor(from V) <= r < ceil(to V)` among the V keys that the other filters leave.
    OutsideRanks {
        /// Fraction of the hardest keys that are left out.
        from: f64,
        /// Fraction of the keys, hardest first, up to which they stay.
        to: f64,
    },
}

/// Metadata to compare.
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
    /// Factor of the positive's cosine.
    pub slope: f64,
    /// Factor of its absolute value.
    pub absolute: f64,
    /// Offset.
    pub offset: f64,
}

impl Bound {
    /// Cosine above which keys are not negatives.
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

    /// Name in messages.
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
