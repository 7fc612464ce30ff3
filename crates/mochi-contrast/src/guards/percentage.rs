//! Percentage: `q·n > q·k - (1-p) |q·k|` is masked, p = 0.95: `p q·k` where the positive's cosine is above 0, and as far below the positive where
//! it is not.

/// The cosine above which columns are masked.
#[inline(always)]
pub(crate) fn bound(positive: f32, share: f64) -> f32 {
    positive - (1.0 - share as f32) * positive.abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a8_the_bound_lies_below_the_positive_whatever_its_sign() {
        assert!((bound(0.2, 0.95) - 0.19).abs() < 1e-6);
        assert!((bound(-0.2, 0.95) + 0.21).abs() < 1e-6);
    }
}
