//! Evaluation protocols that a plan can name.

use serde::{Deserialize, Serialize};

/// A protocol of `mochi eval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Weighted k-nearest neighbors on frozen features.
    Knn,
    /// Linear classifier on frozen features.
    Linear,
}

impl Protocol {
    /// Every protocol, in the order of a table's columns.
    pub const ALL: [Protocol; 2] = [Protocol::Knn, Protocol::Linear];

    /// Name of its subcommand and of its file under `eval/`.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Knn => "knn",
            Protocol::Linear => "linear",
        }
    }

    /// Heading of its column. Accuracies are in percent.
    pub fn title(self) -> &'static str {
        match self {
            Protocol::Knn => "k-NN top-1, %",
            Protocol::Linear => "linear top-1, %",
        }
    }
}
