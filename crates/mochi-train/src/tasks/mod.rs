//! What can be trained: one folder per task.

pub(crate) mod contrastive;
