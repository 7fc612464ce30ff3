//! Ring (Wu et al., *Conditional Negative Sampling for Contrastive Learning of Visual Representations*, ICLR 2021): negatives come from a
//! ring around the query, neither the hardest, which are often false, nor the many easy ones.
//!
//! Of V valid keys in the order hardest first (ties: the lower position first), ranks `floor(from V) <= r < ceil(to V)` are kept. In the paper's
//! terms these are the percentiles 1 - to and 1 - from of the similarity.

use super::rule::{Filter, Rule};
use crate::spec::{Argument, Range, Spec};

/// `ring`.
pub static SPEC: Spec<Filter> = Spec {
    name: "ring",
    doc: "Keeps only keys ranked between two fractions, hardest first.",
    arguments: &[
        Argument {
            name: "from",
            range: Range::Number { min: 0.0, max: 1.0 },
            default: 0.01,
            doc: "Fraction of the hardest keys that are excluded.",
        },
        Argument {
            name: "to",
            range: Range::Number { min: 0.0, max: 1.0 },
            default: 0.1,
            doc: "Fraction up to which keys stay.",
        },
    ],
    build: |values| Filter { name: "ring", rule: Rule::OutsideRanks { from: values[0], to: values[1] } },
};
