//! Inverse DCT of libjpeg's `jidctint` ("islow"): the algorithm of Loeffler, Ligtenberg and Moschytz in integers with 13 fractional bits.
//!
//! Columns are first, rounded to 2 fractional bits, then rows, rounded to integers. The integer arithmetic between is exact, so the order of sums does not
//! matter. The four outputs of the odd half are linear in its four inputs, with the combined constants [`ODD`]. A block whose inputs are so large that
//! 16-bit and 32-bit decoders would differ is unsupported.

use crate::Unsupported;
use crate::block::{Pair, ROW};

/// Fractional bits of the constants, and of the values between the passes.
pub(crate) const CONST_BITS: i32 = 13;
pub(crate) const PASS1_BITS: i32 = 2;

const fn fix(x: f64) -> i32 {
    (x * (1 << CONST_BITS) as f64 + 0.5) as i32
}

/// sqrt(2) cos(6 pi / 16) and neighbors: outputs of the even half from its second and fourth input.
pub(crate) const EVEN: [[i32; 2]; 2] = [
    [fix(0.541_196_100), fix(0.541_196_100) - fix(1.847_759_065)],
    [fix(0.541_196_100) + fix(0.765_366_865), fix(0.541_196_100)],
];

/// Coefficients of inputs 1, 3, 5 and 7 for the odd half's outputs that are added to even outputs 0, 1, 2 and 3.
pub(crate) const ODD: [[i32; 4]; 4] = {
    let both = fix(1.175_875_602);
    let (near, far) = (both - fix(0.390_180_644), both - fix(1.961_570_560));
    [
        [fix(1.501_321_110) - fix(0.899_976_223) + near, both, near, both - fix(0.899_976_223)],
        [both, fix(3.072_711_026) - fix(2.562_915_447) + far, both - fix(2.562_915_447), far],
        [near, both - fix(2.562_915_447), fix(2.053_119_869) - fix(2.562_915_447) + near, both],
        [both - fix(0.899_976_223), far, both, fix(0.298_631_336) - fix(0.899_976_223) + far],
    ]
};

/// Largest magnitude of a pass's input: sums of two fit 16 bits, and no sum of products exceeds 32 bits.
pub(crate) const LARGEST: i32 = (1 << 14) - 1;

/// Quantization table, with data for a fast check that products stay within [`LARGEST`].
#[derive(Clone, Debug)]
pub(crate) struct Quant {
    /// Steps, row by row.
    pub(crate) steps: [u16; 64],
    /// Largest magnitudes that are safe with every step of the column.
    pub(crate) safe: [u16; 8],
}

impl Quant {
    pub(crate) fn new(steps: [u16; 64]) -> Self {
        let largest = |column: usize| steps.iter().skip(column).step_by(8).copied().max().unwrap_or(1).max(1);
        let safe = std::array::from_fn(|column| LARGEST as u16 / largest(column));
        Self { steps, safe }
    }

    /// Whether no product of the block at `side` exceeds [`LARGEST`]: the exact check, for the few blocks that fail the fast check.
    #[cold]
    pub(crate) fn admits(&self, pair: &Pair, side: usize) -> bool {
        self.steps.chunks_exact(8).zip(pair.chunks_exact(ROW)).all(|(steps, row)| {
            let mut products = steps.iter().zip(&row[side..]).map(|(&q, &c)| i32::from(q) * i32::from(c));
            products.all(|p| p.abs() <= LARGEST)
        })
    }

    /// The sample value of a block with only a mean, `dc`.
    #[inline(always)]
    pub(crate) fn flat(&self, dc: i16) -> Result<u8, Unsupported> {
        let product = i32::from(dc) * i32::from(self.steps[0]);
        if product.abs() > LARGEST {
            return Err(Unsupported::Range);
        }
        sample((product + 4) >> 3)
    }
}

/// Converts an integer around zero to a sample. libjpeg-turbo's variants agree only for values of up to ten bits.
#[inline(always)]
fn sample(value: i32) -> Result<u8, Unsupported> {
    if (-512..512).contains(&value) { Ok((value + 128).clamp(0, 255) as u8) } else { Err(Unsupported::Range) }
}

/// One dimension: eight inputs to eight outputs with 13 more fractional bits.
#[inline(always)]
fn transform(x: [i32; 8]) -> [i32; 8] {
    let (sum, difference) = ((x[0] + x[4]) << CONST_BITS, (x[0] - x[4]) << CONST_BITS);
    let inner = EVEN[0][0] * x[2] + EVEN[0][1] * x[6];
    let outer = EVEN[1][0] * x[2] + EVEN[1][1] * x[6];
    let even = [sum + outer, difference + inner, difference - inner, sum - outer];
    let odd: [i32; 4] =
        std::array::from_fn(|i| ODD[i][0] * x[1] + ODD[i][1] * x[3] + ODD[i][2] * x[5] + ODD[i][3] * x[7]);
    std::array::from_fn(|i| if i < 4 { even[i] + odd[i] } else { even[7 - i] - odd[7 - i] })
}

/// Computes the samples of the block of `pair` at `side`, row by row.
#[inline(always)]
pub(crate) fn block(pair: &Pair, side: usize, quant: &Quant) -> Result<[[u8; 8]; 8], Unsupported> {
    if !quant.admits(pair, side) {
        return Err(Unsupported::Range);
    }
    let mut between = [[0i32; 8]; 8];
    for column in 0..8 {
        let inputs = std::array::from_fn(|row| {
            i32::from(pair[row * ROW + (side & 8) + column]) * i32::from(quant.steps[row * 8 + column])
        });
        let outputs = transform(inputs);
        let round = 1 << (CONST_BITS - PASS1_BITS - 1);
        for (row, output) in between.iter_mut().zip(outputs) {
            row[column] = (output + round) >> (CONST_BITS - PASS1_BITS);
        }
    }
    if between.as_flattened().iter().any(|v| v.abs() > LARGEST) {
        return Err(Unsupported::Range);
    }
    let mut samples = [[0; 8]; 8];
    for (row, to) in between.iter().zip(&mut samples) {
        let shift = CONST_BITS + PASS1_BITS + 3;
        for (output, to) in transform(*row).into_iter().zip(to) {
            *to = sample((output + (1 << (shift - 1))) >> shift)?;
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_those_that_the_odd_half_has_after_multiplying_out() {
        assert_eq!(EVEN, [[4433, -10704], [10703, 4433]]);
        let odd = [
            [11363, 9633, 6437, 2260],
            [9633, -2259, -11362, -6436],
            [6437, -11362, 2261, 9633],
            [2260, -6436, 9633, -11363],
        ];
        assert_eq!(ODD, odd);
    }

    #[test]
    fn samples_are_those_of_the_cosine_sum() {
        // T.81, A.3.3, in float64: rounding between the passes moves a sample by less than one.
        let mut state = 1u32;
        for round in 0..200 {
            let mut pair: Pair = [0; 8 * ROW];
            for i in 0..64 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let spread = if round % 2 == 0 { 9 } else { 61 };
                pair[i / 8 * ROW + 8 + i % 8] = if state >> 28 < 5 { (state >> 8) as i16 % spread } else { 0 };
            }
            let quant = Quant::new([5; 64]);
            let Ok(got) = block(&pair, 8, &quant) else { continue };
            for (y, row) in got.iter().enumerate() {
                for (x, &sample) in row.iter().enumerate() {
                    let mut sum = 0.0;
                    for (v, coefficients) in pair.chunks_exact(ROW).take(8).enumerate() {
                        for (u, &c) in coefficients[8..].iter().enumerate() {
                            let part = |n: usize, k: usize| {
                                let scale = if k == 0 { 0.5f64.sqrt() } else { 1.0 };
                                scale * ((2 * n + 1) as f64 * k as f64 * std::f64::consts::PI / 16.0).cos()
                            };
                            sum += part(x, u) * part(y, v) * f64::from(c) * 5.0 / 4.0;
                        }
                    }
                    let want = (sum + 128.0).clamp(0.0, 255.0);
                    assert!((f64::from(sample) - want).abs() < 0.6, "{sample} {want}");
                }
            }
        }
    }

    #[test]
    fn what_decoders_differ_on_is_refused() {
        let mut pair: Pair = [0; 8 * ROW];
        pair[0] = 3277;
        // 3277 * 5 = 16385.
        assert_eq!(block(&pair, 0, &Quant::new([5; 64])), Err(Unsupported::Range));
        assert_eq!(Quant::new([5; 64]).flat(3277), Err(Unsupported::Range));
        pair[0] = 512;
        assert!(block(&pair, 0, &Quant::new([7; 64])).is_ok());
        // (512 * 8 + 4) >> 3 is 512: one too many.
        assert_eq!(block(&pair, 0, &Quant::new([8; 64])), Err(Unsupported::Range));
        assert_eq!(Quant::new([8; 64]).flat(512), Err(Unsupported::Range));
    }
}
