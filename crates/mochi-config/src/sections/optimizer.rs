//! `[optimizer]`: how parameters follow the gradient.

use super::section;
use crate::choice::{OptimizerName, Per, Schedule};
use crate::keys::Kind;

section! {
    /// Optimizer and learning-rate schedule.
    Optimizer, OptimizerSettings, "optimizer" {
        /// The optimizer.
        plain name: OptimizerName = Kind::Choice(OptimizerName::WORDS);
        /// Learning rate at the top of the schedule. Auto: 0.03 x batch / 256 (SGD), 0.3 x batch / 256 (LARS).
        auto learning_rate: f64 = Kind::Number { min: 0.0, max: 1000.0 };
        /// Momentum of the optimizer.
        plain momentum: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Weight decay, on all parameters.
        plain weight_decay: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// How the learning rate falls: half a `cosine` to zero, or by `step`s of 0.1 at the milestones.
        plain schedule: Schedule = Kind::Choice(Schedule::WORDS);
        /// Epochs at which the `step` schedule multiplies by 0.1.
        plain milestones: Vec<u32> = Kind::Rising;
        /// Set the learning rate anew at each `epoch` (MoCo) or at each `step`.
        plain per: Per = Kind::Choice(Per::WORDS);
        /// Epochs over which the learning rate climbs from zero.
        plain warmup_epochs: u32 = Kind::Integer { min: 0, max: 1_000_000 };
    }
}
