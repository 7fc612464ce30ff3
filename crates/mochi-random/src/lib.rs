//! Counter-based random numbers: a draw is a pure function of what it is for, so results never depend on threads, devices or the order of work.
//!
//! ```
//! use mochi_random::{Beta, DrawKey, below, permutation, unit};
//!
//! let key = DrawKey { seed: 7, purpose: 1, step: 100, direction: 0, first_row: 0 };
//! // Four random words for item 3 of row 12, and what they can be turned into.
//! let [a, b, c, _] = key.words(12, 3);
//! let (index, uniform, coefficient) = (below(a, 10), unit(b), Beta::symmetric(0.2).draw(c));
//! assert!(index < 10 && (0.0..1.0).contains(&uniform) && (0.0..=1.0).contains(&coefficient));
//! // The second half of a batch draws what the whole batch does.
//! assert_eq!(key.words(12, 3), key.from_row(10).words(2, 3));
//! let order = permutation(key.family(0), key.counter(0), 5);
//! assert_eq!(order.len(), 5);
//! ```
#![forbid(unsafe_code)]

mod beta;
mod key;
mod philox;
mod shuffle;

pub use beta::Beta;
pub use key::{DrawKey, purpose};
pub use philox::{LANES, Philox, philox4x32_10};
pub use shuffle::{permutation, shuffle};

/// A word as a number in [0, 1), a multiple of 2^-32.
#[inline(always)]
pub fn unit(word: u32) -> f64 {
    f64::from(word) * (1.0 / 4_294_967_296.0)
}

/// A word as an index below `n`, by multiplication (bias under n / 2^32); 0 where `n` is 0.
#[inline(always)]
pub fn below(word: u32, n: u32) -> u32 {
    philox::low((u64::from(word) * u64::from(n)) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_kept() {
        assert_eq!(below(u32::MAX, 10), 9);
        assert_eq!(below(0, 10), 0);
        assert_eq!(below(77, 0), 0);
        assert!(unit(u32::MAX) < 1.0);
    }
}
