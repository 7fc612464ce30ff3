//! Strategies of synthetic negatives, each in a file of its own. They differ in what is combined, not in how it is computed.
//!
//! Every synthetic negative is `h = v / r`, `v = c_q q + c_i n_i + c_j n_j + e`, `r = |v|`, with `n_i, n_j` among the query's N hard negatives,
//! coefficients that are linear functions of one random number, and an extra vector `e` that only strategies with one parent have. With
//! `a_i = q·n_i` already known and `g = n_i·n_j`:
//!
//! ```text
//! r²   = c_q² q·q + c_i² + c_j² + 2 (c_q c_i a_i + c_q c_j a_j + c_i c_j g) + e·e + 2 (c_q q·e + c_i n_i·e)
//! q·h  = (c_q q·q + c_i a_i + c_j a_j + q·e) / r
//! d(q·h)/dq = h = (c_q q + c_i n_i + c_j n_j + e) / r                     h is a constant
//! ```
//!
//! So the gradient of a synthetic negative goes to q, to its parents' keys and, over 1/r, to e: a (D,) sum for the whole row. As in
//! `torch.nn.functional.normalize`, r is at least 1e-12: opposite parents with equal coefficients give the cosine 0.
//!
//! A strategy is one file with its [`Spec`], and one line in [`STRATEGIES`].

pub mod adversarial;
pub mod extrapolation;
pub mod noise;
pub mod pair_mixing;
pub mod perturbation;
pub mod query_mixing;
pub mod repeated;
pub mod weighted;

mod common_form;
mod description;

pub use common_form::{Coefficients, Cosines, ExtraDots, Synthetic, normalized};
pub use description::{Coefficient, Extra, Linear, Sampling, SecondParent, Strategy};

use crate::spec::{Family, Spec};

/// The strategies that a configuration can name.
pub static STRATEGIES: &[&Spec<Strategy>] = &[
    &pair_mixing::SPEC,
    &query_mixing::SPEC,
    &extrapolation::SPEC,
    &noise::SPEC,
    &perturbation::SPEC,
    &adversarial::SPEC,
    &repeated::SPEC,
    &weighted::SPEC,
];

impl Family for Strategy {
    const NOUN: &'static str = "strategy";

    fn table() -> &'static [&'static Spec<Self>] {
        STRATEGIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_strategies_draw_from_the_same_stream() {
        let mut purposes: Vec<u8> = STRATEGIES.iter().map(|spec| spec.defaults().build().purpose).collect();
        assert!(purposes.iter().all(|purpose| *purpose < 128));
        let count = purposes.len();
        purposes.sort_unstable();
        purposes.dedup();
        assert_eq!(purposes.len(), count);
    }

    #[test]
    fn names_and_counts_are_those_of_the_specification() {
        for spec in STRATEGIES {
            let strategy = spec.defaults().build();
            assert_eq!(strategy.name, spec.name);
            strategy.check().unwrap();
            let none = spec.arguments.iter().find(|argument| argument.name == "s").map(|_| [("s", 0.0)]);
            if let Some(none) = none {
                assert!(!spec.configure(none).unwrap().build().is_active(8), "{}", spec.name);
            }
        }
    }
}
