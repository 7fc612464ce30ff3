//! Checkpoints on the disk, whole and damaged.

use std::path::PathBuf;

/// A checkpoint on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Steps done when it was written.
    pub step: u64,
    /// Its folder.
    pub path: PathBuf,
}

/// A checkpoint that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// What is wrong with it.
    pub reason: String,
}

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is damaged ({})", self.checkpoint.path.display(), self.reason)
    }
}
