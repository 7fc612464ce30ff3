//! InfoNCE (van den Oord et al. 2018; MoCo, eq. 1): `L = -log( e^{x+} / (e^{x+} + Σ ω e^x) )`.

use super::variant::LossVariant;
use crate::spec::Spec;

/// `info-nce`.
pub static SPEC: Spec<LossVariant> = Spec {
    name: "info-nce",
    doc: "InfoNCE (van den Oord et al. 2018), the loss of MoCo and MoCHi.",
    arguments: &[],
    build: |_| LossVariant::INFO_NCE,
};
