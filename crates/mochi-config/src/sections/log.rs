//! `[log]`: how often the run is measured.

use super::section;
use crate::keys::{Kind, MANY};

section! {
    /// Measuring.
    Log, LogSettings, "log" {
        /// Steps between records of `metrics.jsonl` and the TensorBoard file.
        plain every_steps: u64 = Kind::Integer { min: 1, max: MANY };
    }
}
