//! `[log]`: how often the run is measured.

use super::section;
use crate::keys::{Kind, MANY};

section! {
    /// Measuring.
    Log, LogSettings, "log" {
        /// Steps between records of `metrics.jsonl` and the TensorBoard file.
        plain every_steps: u64 = Kind::Integer { min: 1, max: MANY };
        /// Steps between closer looks: the matching-probability curve (`curves.jsonl`) and, where the data set has labels, the shares of
        /// false negatives. Auto: once an epoch, from 20 to 1000. 0: never.
        auto diagnostics_every_steps: u64 = Kind::Integer { min: 0, max: MANY };
    }
}
