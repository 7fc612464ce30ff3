//! Debiased contrastive loss (Chuang et al., NeurIPS 2020): a fraction c of the negatives is assumed to be of the positive's class, and their
//! part, estimated by the positive itself, is subtracted. c is 0.1 in the paper.
//!
//! ```text
//! G = max( (Σ ω e^x - M c e^{x+}) / (1 - c),  M e^{-1/t} )            L = -log( e^{x+} / (e^{x+} + G) )
//! dL/dx = ω e^x / ((1-c) (e^{x+} + G)),   dL/dx+ = e^{x+} (1 - M c/(1-c)) / (e^{x+} + G) - 1
//! ```
//!
//! If the bound M e^{-1/t} is active, G is constant, and the negatives have no gradient.

use super::variant::{CLASS_PRIOR, LossVariant};
use crate::spec::Spec;

/// `debiased`.
pub static SPEC: Spec<LossVariant> = Spec {
    name: "debiased",
    doc: "Corrected for a fraction c of false negatives (Chuang et al. 2020).",
    arguments: &[CLASS_PRIOR],
    build: |values| LossVariant { name: "debiased", class_prior: Some(values[0]), ..LossVariant::INFO_NCE },
};
