//! Class oracle (MoCHi, section 4.3's upper bound): keys of the query's own class are taken from its negatives and from its parents. Labels have no
//! other influence. For analysis: a run that uses it is no longer self-supervised.

use super::rule::{Filter, Metadata, Rule};
use crate::spec::Spec;

/// `class-oracle`.
pub static SPEC: Spec<Filter> = Spec {
    name: "class-oracle",
    doc: "Excludes keys of the query's own class (needs labels).",
    arguments: &[],
    build: |_| Filter { name: "class-oracle", rule: Rule::Same(Metadata::Labels) },
};
