//! `[optimizer]`: optimizer and learning-rate schedule.

use crate::choice::{OptimizerName, Per, Schedule};
use crate::kind::Kind;
use crate::section::section;

section! {
    /// Optimizer and learning-rate schedule.
    Optimizer, OptimizerSettings, "optimizer" {
        /// Optimizer: `sgd` (with momentum, as PyTorch's), `lars` (for large batches, as MoCo v3's) or `adamw` (as PyTorch's, with
        /// betas `momentum` and 0.999).
        plain name: OptimizerName = Kind::Choice(OptimizerName::WORDS);
        /// Peak learning rate. auto: 0.03 x batch / 256 for `sgd` (MoCo), with a shared
        /// encoder 0.12 x sqrt(batch / 256); 0.3 x batch / 256 for `lars`; 0.001 x sqrt(batch / 256) for `adamw`. With
        /// more than two views of each image, batch x views / 512 takes the place of batch / 256 under the square root.
        auto learning_rate: f64 = Kind::Number { min: 0.0, max: 1000.0 };
        /// Momentum of the optimizer.
        plain momentum: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Weight decay: on all parameters for `sgd`, as MoCo's; on weights only for `lars` and `adamw`, not on biases and norms.
        plain weight_decay: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Learning-rate schedule: `cosine`, half a cosine to zero over the whole run; `step`, times 0.1 at each milestone.
        plain schedule: Schedule = Kind::Choice(Schedule::WORDS);
        /// Epochs at which the `step` schedule multiplies the learning rate by 0.1.
        plain milestones: Vec<u32> = Kind::Rising { min: 1, max: u32::MAX as i64 };
        /// Update the learning rate at each `epoch` (MoCo) or at each `step`.
        plain per: Per = Kind::Choice(Per::WORDS);
        /// Learning-rate warm-up: number of epochs over which the learning rate rises linearly to its peak. The cosine schedule counts from
        /// the start of the run, so the learning rate then continues at the cosine's value, slightly below the peak. auto: 3 % of the epochs.
        auto warmup_epochs: f64 = Kind::Number { min: 0.0, max: 1e6 };
    }
}
