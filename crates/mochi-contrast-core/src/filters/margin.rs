//! Margin: a key almost as near as the positive is more likely another image of the same object. Keys with `q·n > q·k - m` are excluded, m = 0.05.

use super::rule::{Bound, Filter, Rule};
use crate::spec::{Argument, Range, Spec};

/// `margin`.
pub static SPEC: Spec<Filter> = Spec {
    name: "margin",
    doc: "Excludes keys nearer than the positive less a margin: q.n > q.k - m.",
    arguments: &[Argument {
        name: "m",
        range: Range::Number { min: -2.0, max: 2.0 },
        default: 0.05,
        doc: "The margin, as a cosine.",
    }],
    build: |values| {
        let bound = Bound { slope: 1.0, absolute: 0.0, offset: -values[0] };
        Filter { name: "margin", rule: Rule::Above(bound) }
    },
};
