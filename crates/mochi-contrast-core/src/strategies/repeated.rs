//! Repeated hard negatives, a control: `h = n_i`, drawn from the N hard negatives and not mixed. The gain of mixing is its gain over this
//! control with the same number of synthetic negatives (MoCHi's ablation of "more weight on the hardest").
//!
//! `c_i = 1` and nothing else: cosine and gradient are the parent's.

use super::description::{Strategy, count};
use crate::spec::Spec;

/// `repeat`.
pub static SPEC: Spec<Strategy> = Spec {
    name: "repeat",
    doc: "Copies of hard negatives, drawn and not mixed: a control.",
    arguments: &[count(256)],
    build: |values| Strategy::copies("repeat", 7, values[0] as usize),
};
