//! Where a process stands among the others.

/// A rank's place in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Rank, from 0.
    pub rank: usize,
    /// Number of ranks.
    pub size: usize,
    /// Rank among those of this machine: the index of its GPU.
    pub local_rank: usize,
}
