//! Images of an evaluation that could not be read.

use mochi_data::BadImage;
use serde::{Deserialize, Serialize};

/// Images that could not be read or decoded and were left out of the result, by split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadImages {
    /// Of the training set.
    pub training: Vec<BadImage>,
    /// Of the test set.
    pub test: Vec<BadImage>,
}

impl BadImages {
    /// Number of both splits together.
    pub fn len(&self) -> usize {
        self.training.len() + self.test.len()
    }

    /// Whether every image could be read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
