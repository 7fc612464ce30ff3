//! Negative filters: rules that exclude keys from a query's negatives, before its hard negatives are selected, and from the denominator.
//!
//! Each filter is a file with its [`Spec`], and one line in [`FILTERS`]. It uses one of the rules of [`Rule`], which both compute paths
//! implement. A filtered key has the cosine -infinity: its probability is 0, and it is never a parent. Filters by rank are applied last, to the keys that
//! the other filters leave. A query without negatives contributes no loss and no gradient.

pub mod class_oracle;
pub mod margin;
pub mod percentage;
pub mod ring;
pub mod same_image;

mod apply;
mod rule;

pub(crate) use apply::apply;
pub use apply::{Ranks, cuts};
pub use rule::{Bound, Filter, Metadata, Rule};

use crate::spec::{Family, Spec};

/// The filters that a configuration can name.
pub static FILTERS: &[&Spec<Filter>] =
    &[&same_image::SPEC, &class_oracle::SPEC, &margin::SPEC, &percentage::SPEC, &ring::SPEC];

impl Family for Filter {
    const NOUN: &'static str = "filter";

    fn table() -> &'static [&'static Spec<Self>] {
        FILTERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_specification_and_defaults_hold() {
        for spec in FILTERS {
            let filter = spec.defaults().build();
            assert_eq!(filter.name, spec.name);
            filter.check().unwrap();
        }
    }

    #[test]
    fn a_ring_must_not_be_empty() {
        for (from, to) in [(0.5, 0.5), (0.6, 0.5)] {
            let ring = ring::SPEC.configure([("from", from), ("to", to)]).unwrap().build();
            assert!(ring.check().unwrap_err().to_string().contains("filter ring"));
        }
    }
}
