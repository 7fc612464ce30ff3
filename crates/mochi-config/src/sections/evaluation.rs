//! `[evaluation]`: evaluation during training.

use crate::kind::{Kind, MANY};
use crate::section::section;

section! {
    /// Evaluation during training. It does not change what is learned.
    Evaluation, EvaluationSettings, "evaluation" {
        /// Labeled images on which k-NN and a linear classifier are evaluated during training: a folder with one folder per class, or anything else
        /// with labels. A third of them is held out. Not the images of the final test: whoever stops by these values tunes on them.
        /// Empty: only measures that need no labels, on the training images.
        plain source: String = Kind::Text;
        /// Steps between evaluations, which also come after the first and the last step. 0 disables them. auto: the steps of one epoch, from 20
        /// to 1000; without `evaluation.source` only if the time limit is at least 10 minutes, otherwise 0.
        auto every_steps: u64 = Kind::Integer { min: 0, max: MANY };
        /// Images of an evaluation, at most. They are drawn once and stay the same.
        plain images: usize = Kind::Integer { min: 16, max: 100_000 };
        /// Largest fraction of the training time that evaluations take: those that would exceed it are left out, except the ones after the first and
        /// the last step. They count as training time, so that a run with a time limit ends in time.
        plain time_fraction: f64 = Kind::Number { min: 0.0, max: 1.0 };
    }
}
