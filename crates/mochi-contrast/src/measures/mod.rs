//! Measurements on tensors: [`uniformity`] at every step, [`matching`] and [`false_negatives`] in [`crate::diagnostics()`].

pub(crate) mod false_negatives;
pub(crate) mod matching;
pub(crate) mod queue_age;
pub(crate) mod uniformity;
