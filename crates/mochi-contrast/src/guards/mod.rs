//! False-negative guards: columns that are taken from a query's negatives before the hardest set is chosen, and from the denominator.
//!
//! Each guard is a file with its formula; [`ring`] comes last and ranks what the others leave. A masked column has the cosine -infinity: its
//! probability is 0, and it is never chosen as a parent.

pub mod class_oracle;
pub mod margin;
pub mod percentage;
pub mod ring;
pub mod same_image;

use crate::{Context, ContrastError};

/// One guard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Guard {
    /// Columns of the query's own image: [`same_image`].
    SameImage,
    /// Columns of the query's own class: [`class_oracle`].
    ClassOracle,
    /// Columns nearer than the positive less a margin: [`margin`].
    Margin(f64),
    /// Columns nearer than a share of the positive's cosine: [`percentage`].
    Percentage(f64),
    /// Only ranks between two percentiles stay: [`ring`].
    Ring {
        /// Share of the hardest columns that are left out.
        from: f64,
        /// Share of the columns, hardest first, up to which they stay.
        to: f64,
    },
}

impl Guard {
    /// The word in a configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SameImage => "same-image",
            Self::ClassOracle => "class-oracle",
            Self::Margin(_) => "margin",
            Self::Percentage(_) => "percentage",
            Self::Ring { .. } => "ring",
        }
    }

    pub(crate) fn check(&self) -> Result<(), ContrastError> {
        let (value, good) = match *self {
            Self::SameImage | Self::ClassOracle => return Ok(()),
            Self::Margin(m) => (m.to_string(), m.is_finite()),
            Self::Percentage(p) => (p.to_string(), p.is_finite()),
            Self::Ring { from, to } => (format!("{from}, {to}"), from >= 0.0 && from < to && to <= 1.0),
        };
        let expected = "a margin and a percentage are numbers, and a ring goes from a share of at least 0 to a larger one of at most 1";
        if good { Ok(()) } else { Err(ContrastError::Option { option: "negatives.filters", value, expected }) }
    }

    /// Refuses a guard that would have to know what nobody said.
    pub(crate) fn check_known(&self, context: &Context) -> Result<(), ContrastError> {
        let (known, what) = match self {
            Self::SameImage => (context.queries.images.is_some() && context.columns.images.is_some(), "images"),
            Self::ClassOracle => (context.queries.labels.is_some() && context.columns.labels.is_some(), "labels"),
            _ => return Ok(()),
        };
        if known { Ok(()) } else { Err(ContrastError::Unknown { guard: self.name(), what }) }
    }
}

/// Masks what is no negative of query `row`; returns how many columns are left.
#[inline(always)]
pub(crate) fn mask(
    guards: &[Guard],
    context: &Context,
    (row, batch): (usize, usize),
    positive: f32,
    cosines: &mut [f32],
    work: &mut ring::Ranks,
) -> usize {
    if guards.is_empty() && context.own.is_empty() {
        return cosines.len();
    }
    for &column in context.own_of(row, batch) {
        if let Some(cosine) = cosines.get_mut(column as usize) {
            *cosine = f32::NEG_INFINITY;
        }
    }
    let same = |queries: Option<&[i64]>, columns: Option<&[i64]>, cosines: &mut [f32]| {
        if let (Some(queries), Some(columns)) = (queries, columns) {
            same_image::mask_equal(queries.get(row).copied().unwrap_or(-1), columns, cosines);
        }
    };
    for guard in guards {
        match *guard {
            Guard::SameImage => same(context.queries.images, context.columns.images, cosines),
            Guard::ClassOracle => same(context.queries.labels, context.columns.labels, cosines),
            Guard::Margin(m) => margin::mask_above(margin::bound(positive, m), cosines),
            Guard::Percentage(p) => margin::mask_above(percentage::bound(positive, p), cosines),
            Guard::Ring { .. } => {}
        }
    }
    for guard in guards {
        if let Guard::Ring { from, to } = *guard {
            ring::mask(from, to, cosines, work);
        }
    }
    cosines.iter().filter(|&&c| c > f32::NEG_INFINITY).count()
}
