//! HCL (Robinson et al., *Contrastive Learning with Hard Negative Samples*, ICLR 2021): the debiased loss, in which each negative weighs
//! `e^{b x}` relative to the mean of these weights.
//!
//! ```text
//! R = Σ ω e^{(1+b) x} / ( Σ ω e^{b x} / M )        in the place of Σ ω e^x of the debiased loss
//! dR/dx = (M ω / T) ( (1+b) e^{(1+b) x} - (H/T) b e^{b x} ),   H = Σ ω e^{(1+b) x},  T = Σ ω e^{b x}
//! ```
//!
//! The weights are **not** detached: the authors' public code (joshr17/HCL) computes them in the graph, and so does this. c = 0 is reweighting
//! alone.

use super::variant::{CLASS_PRIOR, LossVariant};
use crate::spec::{Argument, Range, Spec};

/// `hcl`.
pub static SPEC: Spec<LossVariant> = Spec {
    name: "hcl",
    doc: "The debiased loss with hard negatives weighing more (Robinson et al. 2021).",
    arguments: &[
        Argument {
            name: "beta",
            range: Range::Positive { max: 100.0 },
            default: 1.0,
            doc: "Concentration b on hard negatives.",
        },
        CLASS_PRIOR,
    ],
    build: |values| LossVariant {
        name: "hcl",
        concentration: Some(values[0]),
        class_prior: Some(values[1]),
        ..LossVariant::INFO_NCE
    },
};
