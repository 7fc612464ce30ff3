//! Same image: older keys of the query's own image are no negatives. It matters where the queue holds a good part of an epoch.

use super::rule::{Filter, Metadata, Rule};
use crate::spec::Spec;

/// `same-image`.
pub static SPEC: Spec<Filter> = Spec {
    name: "same-image",
    doc: "Excludes older keys of the query's own image.",
    arguments: &[],
    build: |_| Filter { name: "same-image", rule: Rule::Same(Metadata::Images) },
};
