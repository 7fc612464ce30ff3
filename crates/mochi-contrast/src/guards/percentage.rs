//! Percentage: `q·n > p q·k` is masked, p = 0.95; as [`super::margin`], with a bound that shrinks with the positive's cosine.

/// The cosine above which columns are masked.
#[inline(always)]
pub(crate) fn bound(positive: f32, share: f64) -> f32 {
    share as f32 * positive
}
