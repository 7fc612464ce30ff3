//! What can be trained: one folder per task.

pub(crate) mod contrastive;
pub(crate) mod detection;
