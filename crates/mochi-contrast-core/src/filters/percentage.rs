//! Percentage: keys with `q·n > q·k - (1-p) |q·k|` are excluded, p = 0.95: `p q·k` if the positive's cosine is above 0, otherwise the same distance below the
//! positive. ([`super::margin`] with a margin that shrinks with the positive's cosine.)

use super::rule::{Bound, Filter, Rule};
use crate::spec::{Argument, Range, Spec};

/// `percentage`.
pub static SPEC: Spec<Filter> = Spec {
    name: "percentage",
    doc: "Excludes keys nearer than a fraction of the positive's cosine: q.n > q.k - (1 - p) |q.k|.",
    arguments: &[Argument {
        name: "p",
        range: Range::Number { min: 0.0, max: 10.0 },
        default: 0.95,
        doc: "The fraction.",
    }],
    build: |values| {
        let bound = Bound { slope: 1.0, absolute: values[0] - 1.0, offset: 0.0 };
        Filter { name: "percentage", rule: Rule::Above(bound) }
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a8_the_bound_is_below_the_positive_whatever_its_sign() {
        let Rule::Above(bound) = SPEC.defaults().build().rule else { unreachable!("it is a bound") };
        assert!((bound.at(0.2) - 0.19).abs() < 1e-12);
        assert!((bound.at(-0.2) + 0.21).abs() < 1e-12);
    }
}
