//! Weighted hard negatives, a control without chance: each of the N hard negatives counts 1 + w times in the sums over negatives. In the common
//! form: every one of the N once more, as itself (`c_i = 1`), with the weight w.

use super::description::{Sampling, Strategy};
use crate::spec::{Argument, Range, Spec};

/// `weight`.
pub static SPEC: Spec<Strategy> = Spec {
    name: "weight",
    doc: "Each of the N hard negatives counts 1 + w times: a control.",
    arguments: &[Argument {
        name: "w",
        range: Range::Number { min: 0.0, max: 1e6 },
        default: 1.0,
        doc: "What is added to the weight of a hard negative.",
    }],
    build: |values| Strategy { sampling: Sampling::Each, weight: values[0], ..Strategy::copies("weight", 8, 0) },
};
