//! `[checkpoint]`: when the training state is saved, and which checkpoints are kept.

use crate::kind::{Kind, MANY};
use crate::section::section;

section! {
    /// Checkpoints.
    Checkpoint, CheckpointSettings, "checkpoint" {
        /// Steps between checkpoints. auto: the steps of one epoch, at most those of 5 minutes if the speed was measured (`time`), and at most a sixth
        /// of the planned steps or 10; in detection a tenth of the iterations, from 100 to 5000.
        auto every_steps: u64 = Kind::Integer { min: 1, max: MANY };
        /// Number of latest checkpoints to keep.
        plain keep_last: usize = Kind::Integer { min: 1, max: 1_000_000 };
        /// Keep every checkpoint whose step is a multiple of this number. 0: none. auto: about 6 of them over the planned steps, for curves over
        /// training (`mochi analyze`); in detection 0.
        auto keep_every: u64 = Kind::Integer { min: 0, max: MANY };
    }
}
