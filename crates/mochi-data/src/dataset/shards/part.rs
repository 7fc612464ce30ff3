//! What is read of a remote file.

use std::ops::Range;

/// A part of a file, or all of it.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Exactly these bytes.
    Range(Range<u64>),
    /// All of it, at most this many bytes.
    Whole(u64),
}
