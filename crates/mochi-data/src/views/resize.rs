//! Pillow's antialiased bilinear resize (`Resample.c`) of a crop, computing only what the view shows.
//!
//! Along the rows first, rounded to 8 bits, then along the columns, rounded again. Output `x` is centred at
//! `(x + 0.5) in / out` and takes the input within `max(in / out, 1)` of it, weighed by a triangle; weights are normalised and
//! rounded to 22 bits as Pillow rounds them, and summed in 32-bit integers: ties are common in flat and synthetic pictures, and
//! sums in floats would round some of them the other way.
//!
//! Pixels are laid out by fours (R, G, B, something) so that one tap of one pixel is half a vector of eight; weights are stored
//! twice four times, for two taps at once.

use pulp::{Simd, WithSimd};

use crate::decode::Pixels;
use crate::plan::Crop;

/// Fractional bits of a weight: 8 bits of pixel and 2 of headroom fill up 32.
const BITS: u32 = 32 - 8 - 2;
/// One half, so that the shift rounds.
const HALF: i32 = 1 << (BITS - 1);

/// The taps of every output position along one axis.
#[derive(Default)]
pub(super) struct Taps {
    /// First input position of each output.
    first: Vec<usize>,
    /// `taps` weights for each output, zeros at the end; an even number of them.
    weights: Vec<i32>,
    taps: usize,
}

impl Taps {
    /// For `inputs` positions resized to `outputs`, of which `shown` from `skip` on are wanted (`precompute_coeffs`).
    fn compute(&mut self, inputs: u32, outputs: u32, skip: u32, shown: u32) {
        let scale = f64::from(inputs) / f64::from(outputs);
        let support = scale.max(1.0);
        self.taps = (support.ceil() as usize * 2 + 1).next_multiple_of(2);
        self.first.clear();
        self.weights.clear();
        self.weights.resize(shown as usize * self.taps, 0);
        for (x, weights) in (skip..skip + shown).zip(self.weights.chunks_exact_mut(self.taps)) {
            let centre = (f64::from(x) + 0.5) * scale;
            // C casts towards zero, as `as` does.
            let first = ((centre - support + 0.5) as i64).max(0);
            let end = ((centre + support + 0.5) as i64).min(i64::from(inputs));
            let weigh = |i: i64| (1.0 - ((i as f64 - centre + 0.5) / support).abs()).max(0.0);
            let sum: f64 = (first..end).map(weigh).sum();
            for (weight, i) in weights.iter_mut().zip(first..end) {
                *weight = (weigh(i) * (1.0 / sum) * f64::from(1 << BITS) + 0.5) as i32;
            }
            self.first.push(first as usize);
        }
    }
}

/// Buffers of the resize, kept between images.
#[derive(Default)]
pub(super) struct ResizeScratch {
    across: Taps,
    down: Taps,
    /// For each output column and pair of taps: the first weight four times, the second four times.
    doubled: Vec<i32>,
    /// One input row widened to 32 bits, by fours.
    row: Vec<i32>,
    /// The crop with its width already that of the view: (crop height, size, 4).
    narrowed: Vec<u8>,
    /// Sums of one output row.
    sums: Vec<i32>,
}

/// A resize to be dispatched to an instruction set. The crop must lie inside the pixels.
pub(super) struct Resize<'a> {
    pub(super) pixels: &'a Pixels,
    pub(super) crop: Crop,
    /// Width and height that the whole crop would get.
    pub(super) resized: (u32, u32),
    /// Where the view begins in that.
    pub(super) window: (u32, u32),
    /// Width and height of the view.
    pub(super) size: u32,
    pub(super) scratch: &'a mut ResizeScratch,
    /// (size, size, 4) bytes: R, G, B and one without meaning.
    pub(super) out: &'a mut [u8],
}

impl WithSimd for Resize<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { pixels, crop, resized, window, size, scratch, out } = self;
        let ResizeScratch { across, down, doubled, row, narrowed, sums } = scratch;
        across.compute(crop.width, resized.0, window.0, size);
        down.compute(crop.height, resized.1, window.1, size);
        doubled.clear();
        for pair in across.weights.chunks_exact(2) {
            doubled.extend_from_slice(&[pair[0]; 4]);
            doubled.extend_from_slice(&[pair[1]; 4]);
        }

        let line = size as usize * 4;
        let (width, stride) = (crop.width as usize, pixels.width as usize * 3);
        // Taps that weigh nothing may lie beyond the end of the row.
        row.clear();
        row.resize((width + across.taps) * 4, 0);
        // Only rows that some output takes.
        let begin = down.first.first().copied().unwrap_or(0);
        let end = (down.first.last().copied().unwrap_or(0) + down.taps).min(crop.height as usize);
        narrowed.resize(crop.height as usize * line, 0);
        for y in begin..end {
            let from = &pixels.rgb[(crop.top as usize + y) * stride + crop.left as usize * 3..][..width * 3];
            widen(from, row);
            let to = &mut narrowed[y * line..][..line];
            match across.taps / 2 {
                2 => narrow::<2>(row, &across.first, doubled, to, 2),
                3 => narrow::<3>(row, &across.first, doubled, to, 3),
                4 => narrow::<4>(row, &across.first, doubled, to, 4),
                pairs => narrow::<0>(row, &across.first, doubled, to, pairs),
            }
        }

        sums.resize(line, 0);
        for ((to, &first), weights) in
            out.chunks_exact_mut(line).zip(&down.first).zip(down.weights.chunks_exact(down.taps))
        {
            let sums = &mut sums[..line];
            sums.fill(HALF);
            for (from, &weight) in narrowed[first * line..].chunks_exact(line).zip(weights) {
                if weight != 0 {
                    for (sum, &v) in sums.iter_mut().zip(from) {
                        *sum += weight * i32::from(v);
                    }
                }
            }
            for (to, sum) in to.iter_mut().zip(sums) {
                *to = (*sum >> BITS) as u8;
            }
        }
    }
}

/// RGB bytes to 32 bits by fours; the fourth is the next pixel's red, which nobody looks at.
#[inline(always)]
fn widen(from: &[u8], to: &mut [i32]) {
    let pixels = from.len() / 3;
    let (body, last) = to.split_at_mut((pixels - 1) * 4);
    for (x, to) in body.chunks_exact_mut(4).enumerate() {
        let four = &from[x * 3..x * 3 + 4];
        for c in 0..4 {
            to[c] = i32::from(four[c]);
        }
    }
    for c in 0..3 {
        last[c] = i32::from(from[(pixels - 1) * 3 + c]);
    }
}

/// One row along its length. `PAIRS` is the number of pairs of taps where it is known beforehand, else 0.
#[inline(always)]
fn narrow<const PAIRS: usize>(row: &[i32], first: &[usize], doubled: &[i32], to: &mut [u8], pairs: usize) {
    let pairs = if PAIRS > 0 { PAIRS } else { pairs };
    for ((to, &first), weights) in to.chunks_exact_mut(4).zip(first).zip(doubled.chunks_exact(pairs * 8)) {
        let from = &row[first * 4..][..pairs * 8];
        let mut sums = [0i32; 8];
        for (from, weights) in from.chunks_exact(8).zip(weights.chunks_exact(8)) {
            for lane in 0..8 {
                sums[lane] += from[lane] * weights[lane];
            }
        }
        for c in 0..4 {
            to[c] = ((sums[c] + sums[c + 4] + HALF) >> BITS) as u8;
        }
    }
}
