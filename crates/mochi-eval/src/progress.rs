//! How far a judgement is. Who shows it (a terminal, a pipe, a notebook) is not decided here.

use std::fmt;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Images become features; counted in images.
    Features,
    /// Test rows look for their neighbours; counted in rows.
    Neighbours,
    /// Learning rates are tried on the held-out part of the training set; counted in epochs.
    Sweep,
    /// The classifier is trained on all of the training set; counted in epochs.
    Fit,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Features => "features",
            Self::Neighbours => "neighbours",
            Self::Sweep => "learning-rate sweep",
            Self::Fit => "classifier",
        })
    }
}

/// `done` of `total` units of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Units finished.
    pub done: usize,
    /// Units in all.
    pub total: usize,
}
