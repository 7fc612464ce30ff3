//! Sizes as Rust counts them (`usize`) and as libtorch does (`i64`).

/// A size for libtorch. No object in memory has more than `i64::MAX` elements: a larger number saturates, and libtorch refuses it.
pub fn dim(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// A size from libtorch, which is never negative.
pub fn extent(size: i64) -> usize {
    usize::try_from(size).unwrap_or(0)
}
