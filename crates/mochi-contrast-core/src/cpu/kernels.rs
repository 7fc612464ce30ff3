//! The loops over a row of cosines, written so that the compiler vectorizes them for the instruction set that `pulp` finds at run time.
//!
//! Products and sums are not fused (`mul_add`), because a fused operation is a function call if the caller is compiled without FMA.

use crate::losses::Part;

/// Width of the accumulators: one AVX-512 register, two AVX ones.
const LANES: usize = 16;

/// Largest value; -infinity for an empty row. NaN is ignored.
#[inline(always)]
pub(crate) fn largest(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let blocks = row.chunks_exact(LANES);
    let tail = blocks.remainder();
    for block in blocks {
        for i in 0..LANES {
            lanes[i] = if block[i] > lanes[i] { block[i] } else { lanes[i] };
        }
    }
    tail.iter().chain(&lanes).fold(f32::NEG_INFINITY, |m, &x| if x > m { x } else { m })
}

/// Dot product of two vectors of one length.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Four registers of sums, so that an addition need not wait for the one before it, and a tree at the end.
    const WIDE: usize = 4 * LANES;
    let mut sums = [0.0f32; WIDE];
    let (xs, ys) = (a.chunks_exact(WIDE), b.chunks_exact(WIDE));
    let (x_rest, y_rest) = (xs.remainder().chunks_exact(LANES), ys.remainder().chunks_exact(LANES));
    let tail: f32 = x_rest.remainder().iter().zip(y_rest.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in xs.zip(ys) {
        for i in 0..WIDE {
            sums[i] += x[i] * y[i];
        }
    }
    for (x, y) in x_rest.zip(y_rest) {
        for i in 0..LANES {
            sums[i] += x[i] * y[i];
        }
    }
    let mut width = WIDE / 2;
    while width > 0 {
        for i in 0..width {
            sums[i] += sums[i + width];
        }
        width /= 2;
    }
    sums[0] + tail
}

/// Replaces each cosine c by `e = exp((c - shift) / t)`; returns (sum e, sum e (c - shift)/t).
///
/// Sums run in float32 over 4,096 values at a time and in float64 across.
#[inline(always)]
pub(crate) fn exponentials(row: &mut [f32], shift: f32, inverse_t: f32) -> (f64, f64) {
    let (mut total, mut weighted) = (0.0f64, 0.0f64);
    for piece in row.chunks_mut(4096) {
        let (mut sums, mut products) = ([0.0f32; LANES], [0.0f32; LANES]);
        let mut blocks = piece.chunks_exact_mut(LANES);
        for block in &mut blocks {
            for i in 0..LANES {
                let x = (block[i] - shift) * inverse_t;
                let e = exp(x);
                block[i] = e;
                sums[i] += e;
                products[i] += if e > 0.0 { x * e } else { 0.0 };
            }
        }
        for value in blocks.into_remainder() {
            let x = (*value - shift) * inverse_t;
            let e = exp(x);
            *value = e;
            sums[0] += e;
            products[0] += if e > 0.0 { x * e } else { 0.0 };
        }
        total += sums.iter().map(|&s| f64::from(s)).sum::<f64>();
        weighted += products.iter().map(|&s| f64::from(s)).sum::<f64>();
    }
    (total, weighted)
}

/// Replaces each cosine c by its logit `x = (c - shift) / t` and sums what a loss variant with a concentration needs.
#[inline(always)]
pub(crate) fn tilted_sums(row: &mut [f32], shift: f32, inverse_t: f32, b: f32) -> Part {
    let mut part = Part::default();
    for piece in row.chunks_mut(4096) {
        let mut sums = [[0.0f32; LANES]; 4];
        for block in piece.chunks_mut(LANES) {
            for (i, value) in block.iter_mut().enumerate() {
                let x = (*value - shift) * inverse_t;
                // With b below 1, e^{bx} can be positive although e^x underflows to 0; for a filtered key both are 0.
                let (e, tilt) = (exp(x), exp(b * x));
                *value = x;
                sums[0][i] += e;
                sums[1][i] += if e > 0.0 { x * e } else { 0.0 };
                sums[2][i] += tilt;
                sums[3][i] += e * tilt;
            }
        }
        let total = |lanes: &[f32; LANES]| lanes.iter().map(|&s| f64::from(s)).sum::<f64>();
        part.plain += total(&sums[0]);
        part.weighted += total(&sums[1]);
        part.tilted += total(&sums[2]);
        part.hard += total(&sums[3]);
    }
    part
}

/// Replaces each logit x by `tilted e^{b x} + hard e^{(1+b) x}`.
#[inline(always)]
pub(crate) fn tilted_weights(row: &mut [f32], b: f32, tilted: f32, hard: f32) {
    for x in row {
        let tilt = exp(b * *x);
        *x = tilt * (tilted + hard * exp(*x));
    }
}

/// Sum in float64 of float32 sums over pieces.
#[inline(always)]
pub(crate) fn sum(values: &[f32]) -> f64 {
    values
        .chunks(1024)
        .map(|piece| {
            let mut lanes = [0.0f32; LANES];
            for block in piece.chunks(LANES) {
                for (lane, value) in lanes.iter_mut().zip(block) {
                    *lane += value;
                }
            }
            f64::from(lanes.iter().sum::<f32>())
        })
        .sum()
}

/// e^x for x <= 0, within 2 units in the last place; 0 below -87 (and for -infinity).
///
/// Cody and Waite's reduction x = k ln 2 + f with |f| <= ln(2)/2, then a polynomial for e^f, then 2^k by its bits.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer, whose bits are then the low ones
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x > -87.0 { x } else { -87.0 };
    let shifted = clamped * std::f32::consts::LOG2_E + MAGIC;
    let k = shifted - MAGIC;
    // k * LN2_HIGH is exact: the constant has 12 trailing zero bits.
    let f = (clamped - k * LN2_HIGH) - k * LN2_LOW;
    let mut p = 1.987_569_1e-4f32;
    p = p * f + 1.398_2e-3;
    p = p * f + 8.333_452e-3;
    p = p * f + 4.166_579_6e-2;
    p = p * f + 1.666_666_5e-1;
    p = p * f + 0.5;
    let e = p * (f * f) + f + 1.0;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    if x > -87.0 { e * power } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_ulps() {
        let mut worst = 0.0f64;
        for i in 0..870_000 {
            let x = -(i as f32) * 1e-4;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) / exact - 1.0).abs());
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst:e}");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(-88.0), 0.0);
    }

    #[test]
    fn sums_and_maxima_are_those_of_float64() {
        let mut row: Vec<f32> = (0..10_007).map(|i| ((i * 37 % 1009) as f32 / 1009.0) * 2.0 - 1.0).collect();
        let exact: Vec<f64> = row.iter().map(|&c| (f64::from(c) - 1.0) / 0.2).collect();
        assert_eq!(largest(&row), row.iter().copied().fold(f32::MIN, f32::max));
        let (sum, weighted) = exponentials(&mut row, 1.0, 5.0);
        let wanted: f64 = exact.iter().map(|x| x.exp()).sum();
        let wanted_weighted: f64 = exact.iter().map(|x| x * x.exp()).sum();
        assert!((sum / wanted - 1.0).abs() < 1e-6);
        assert!((weighted / wanted_weighted - 1.0).abs() < 1e-6);
        let a: Vec<f32> = (0..131).map(|i| (i as f32 * 0.1).sin()).collect();
        let exact: f64 = a.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        assert!((f64::from(dot(&a, &a)) / exact - 1.0).abs() < 1e-6);
    }
}
