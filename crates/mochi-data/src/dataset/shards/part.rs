//! Parts of remote files.

use std::ops::Range;

/// A part of a file, or all of it.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Exactly these bytes.
    Range(Range<u64>),
    /// The whole file, at most this many bytes.
    Whole(u64),
}
