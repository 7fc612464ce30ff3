//! `[checkpoint]`: when the state of the run is saved, and what is kept.

use super::section;
use crate::keys::{Kind, MANY};

section! {
    /// Saving.
    Checkpoint, CheckpointSettings, "checkpoint" {
        /// Steps between checkpoints. Auto: once an epoch.
        auto every_steps: u64 = Kind::Integer { min: 1, max: MANY };
        /// How many of the latest checkpoints are kept.
        plain keep_last: usize = Kind::Integer { min: 1, max: 1_000_000 };
        /// Checkpoints at multiples of this many steps are kept for good. 0: none.
        plain keep_every: u64 = Kind::Integer { min: 0, max: MANY };
    }
}
