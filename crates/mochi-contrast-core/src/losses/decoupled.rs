//! Decoupled contrastive loss (Yeh et al., ECCV 2022): the positive is left out of the denominator, so that an easy positive does not
//! damp the gradient of the negatives. `L = -x+ + log Σ ω e^x`; `dL/dx = ω e^x / Σ ω e^x`, `dL/dx+ = -1`.

use super::variant::LossVariant;
use crate::spec::Spec;

/// `decoupled`.
pub static SPEC: Spec<LossVariant> = Spec {
    name: "decoupled",
    doc: "InfoNCE with the positive left out of the denominator (Yeh et al. 2022).",
    arguments: &[],
    build: |_| LossVariant { name: "decoupled", positive_in_denominator: false, ..LossVariant::INFO_NCE },
};
