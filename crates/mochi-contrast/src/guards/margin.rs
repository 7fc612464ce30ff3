//! Margin: a column almost as near as the positive is rather another picture of the same thing. `q·n > q·k - m` is masked, m = 0.05.

/// The cosine above which columns are masked.
#[inline(always)]
pub(crate) fn bound(positive: f32, margin: f64) -> f32 {
    positive - margin as f32
}

/// Masks every cosine above the bound.
#[inline(always)]
pub(crate) fn mask_above(bound: f32, cosines: &mut [f32]) {
    for cosine in cosines {
        *cosine = if *cosine > bound { f32::NEG_INFINITY } else { *cosine };
    }
}
