//! Progress of an evaluation; the caller decides how to show it.

use std::fmt;

/// A stage of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Feature extraction, counted in images.
    Features,
    /// Embeddings of augmented views, counted in images.
    Views,
    /// Measures of the embeddings, counted in checkpoints.
    Measures,
    /// Map of the features of the last checkpoint, counted in iterations of t-SNE.
    Map,
    /// Neighbor search, counted in test images.
    Neighbors,
    /// Learning-rate sweep on the held-out training images, counted in epochs; of fine-tuning in steps.
    Sweep,
    /// Training of the final classifier, counted in epochs; of fine-tuning in steps.
    Fit,
    /// Few-shot episodes.
    Episodes,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Features => "features",
            Self::Views => "augmented views",
            Self::Measures => "measures",
            Self::Map => "map of the features",
            Self::Neighbors => "neighbors",
            Self::Sweep => "learning-rate sweep",
            Self::Fit => "classifier",
            Self::Episodes => "episodes",
        })
    }
}

/// Units of a stage that are finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The stage.
    pub stage: Stage,
    /// Units finished.
    pub done: usize,
    /// Units in total.
    pub total: usize,
}
