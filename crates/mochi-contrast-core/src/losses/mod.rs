//! Loss variants: functions of the positive and the negatives of a query.
//!
//! Each variant is a file with its [`Spec`], and one line in [`LOSSES`]. All are special cases of one formula, which both compute paths implement. With logits
//! `x = cosine / t`, weights ω (1, or a synthetic negative's own) and `M = Σ ω`:
//!
//! ```text
//! E = Σ ω e^x                                             or, with a concentration b,  E = M Σ ω e^{(1+b) x} / Σ ω e^{b x}
//! G = E                                                   or, with a class prior c,    G = max( (E - M c e^{x+}) / (1 - c),  M e^{-1/t} )
//! L = -log( e^{x+} / (e^{x+} + G) )                       or, without the positive in the denominator,  L = -log( e^{x+} / G )
//! ```
//!
//! On the CPU all values are relative to a shift m, the largest logit. A few sums over the row ([`Sums`]) determine the loss and the slopes of every
//! logit's gradient ([`Slopes`]).

pub mod debiased;
pub mod decoupled;
pub mod hcl;
pub mod info_nce;

mod slopes;
mod variant;

pub(crate) use slopes::Part;
pub use slopes::{Slopes, Sums};
pub use variant::LossVariant;

use crate::spec::{Family, Spec};

/// The loss variants that a configuration can name.
pub static LOSSES: &[&Spec<LossVariant>] = &[&info_nce::SPEC, &decoupled::SPEC, &debiased::SPEC, &hcl::SPEC];

impl Family for LossVariant {
    const NOUN: &'static str = "loss variant";

    fn table() -> &'static [&'static Spec<Self>] {
        LOSSES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_specification_and_defaults_hold() {
        for spec in LOSSES {
            let variant = spec.defaults().build();
            assert_eq!(variant.name, spec.name);
            variant.check().unwrap();
        }
        assert_eq!(info_nce::SPEC.defaults().build(), LossVariant::INFO_NCE);
    }
}
