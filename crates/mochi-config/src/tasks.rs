//! The schema of each task.

use crate::choice::Task;
use crate::detection::schema::DETECTION;
use crate::pretraining::PRETRAINING;
use crate::schema::Schema;

impl Task {
    /// Its keys and presets.
    pub fn schema(self) -> &'static Schema {
        match self {
            Task::Pretraining => &PRETRAINING,
            Task::Detection => &DETECTION,
        }
    }
}
