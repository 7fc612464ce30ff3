//! `[log]`: how often metrics are recorded.

use crate::kind::{Kind, MANY};
use crate::section::section;

section! {
    /// Metrics.
    Log, LogSettings, "log" {
        /// Steps between records in `metrics.jsonl` and in the TensorBoard file.
        plain every_steps: u64 = Kind::Integer { min: 1, max: MANY };
        /// Steps between periodic diagnostics: the matching-probability curve (`curves.jsonl`) and, if the dataset has labels, the fractions
        /// of false negatives. 0 disables them. auto: the steps of one epoch, from 20 to 1000.
        auto diagnostics_every_steps: u64 = Kind::Integer { min: 0, max: MANY };
    }
}
