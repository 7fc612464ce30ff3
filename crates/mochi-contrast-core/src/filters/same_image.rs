//! Same image: older keys of the query's own image are not negatives. The filter matters if the queue contains a large part of an epoch.

use super::rule::{Filter, Metadata, Rule};
use crate::spec::Spec;

/// `same-image`.
pub static SPEC: Spec<Filter> = Spec {
    name: "same-image",
    doc: "Excludes older keys of the query's own image.",
    arguments: &[],
    build: |_| Filter { name: "same-image", rule: Rule::Same(Metadata::Images) },
};
