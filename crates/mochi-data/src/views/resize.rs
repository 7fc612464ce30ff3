//! Pillow's antialiased bilinear resize (`Resample.c`) of a crop, computing only what the view shows.
//!
//! Along the rows first, rounded to 8 bits, then along the columns, rounded again; the other way round where the height shrinks
//! much more than the width, as Pillow does since 13.0 (its pull request 9549; before, rows always came first, which differs by
//! one level in about half the pixels of such crops). Output `x` is centred at
//! `(x + 0.5) in / out` and takes the input within `max(in / out, 1)` of it, weighed by a triangle; weights are normalised and
//! rounded to 22 bits as Pillow rounds them, and summed in 32-bit integers: ties are common in flat and synthetic pictures, and
//! sums in floats would round some of them the other way.
//!
//! Pixels are laid out by fours (R, G, B, something), and two rows are narrowed at once: one tap of both is a vector of eight.

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
    /// `taps` weights for each output, zeros at the end.
    weights: Vec<i32>,
    taps: usize,
}

impl Taps {
    /// For `inputs` positions resized to `outputs`, of which `shown` from `skip` on are wanted (`precompute_coeffs`).
    fn compute(&mut self, inputs: u32, outputs: u32, skip: u32, shown: u32) {
        let scale = f64::from(inputs) / f64::from(outputs);
        let support = scale.max(1.0);
        // Two cuts that lie 2 support apart have at most so many whole numbers between them.
        self.taps = (2.0 * support).ceil() as usize;
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
    /// Two input rows widened to 32 bits: for each column four of the one, four of the other.
    rows: Vec<i32>,
    /// The same two rows narrowed.
    both: Vec<u8>,
    /// Two rows of the crop with its height already that of the view.
    flat: Vec<u8>,
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
        let ResizeScratch { across, down, rows, both, flat, narrowed, sums } = scratch;
        across.compute(crop.width, resized.0, window.0, size);
        down.compute(crop.height, resized.1, window.1, size);
        let line = size as usize * 4;
        let (width, stride) = (crop.width as usize, pixels.width as usize * 3);
        // Taps that weigh nothing may lie beyond the end of the row.
        rows.clear();
        rows.resize((width + across.taps) * 8, 0);
        both.resize(line * 2, 0);
        narrowed.resize(crop.height as usize * line, 0);
        // Only rows that some output takes.
        let begin = down.first.first().copied().unwrap_or(0);
        let end = (down.first.last().copied().unwrap_or(0) + down.taps).min(crop.height as usize);
        let row = |y: usize| &pixels.rgb[(crop.top as usize + y) * stride + crop.left as usize * 3..][..width * 3];
        if columns_first(crop, resized) {
            sums.resize(width * 3, 0);
            flat.resize(width * 6, 0);
            for (pair, to) in out.chunks_mut(line * 2).enumerate() {
                let (upper, lower) = flat.split_at_mut(width * 3);
                // The last row again where their number is odd.
                for (y, flat) in [(pair * 2, &mut *upper), (pair * 2 + 1, &mut *lower)] {
                    let y = y.min(down.first.len() - 1);
                    let weights = &down.weights[y * down.taps..][..down.taps];
                    sums.fill(HALF);
                    for (i, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0) {
                        add_row(sums, row(down.first[y] + i), weight);
                    }
                    shift_down(sums, flat);
                }
                widen(upper, lower, rows);
                narrow_any(rows, across, both);
                split_rows(both, to, line);
            }
            return;
        }
        for (pair, to) in narrowed[begin * line..end * line].chunks_mut(line * 2).enumerate() {
            let y = begin + pair * 2;
            widen(row(y), row((y + 1).min(end - 1)), rows);
            narrow_any(rows, across, both);
            split_rows(both, to, line);
        }

        sums.resize(line, 0);
        for ((to, &first), weights) in
            out.chunks_exact_mut(line).zip(&down.first).zip(down.weights.chunks_exact(down.taps))
        {
            let sums = &mut sums[..line];
            sums.fill(HALF);
            for (from, &weight) in narrowed[first * line..].chunks_exact(line).zip(weights) {
                if weight != 0 {
                    add_row(sums, from, weight);
                }
            }
            shift_down(sums, to);
        }
    }
}

/// Pillow's choice of the pass that comes first, as its results show it.
fn columns_first(crop: Crop, (wide, high): (u32, u32)) -> bool {
    let [w, h, wide, high] = [crop.width, crop.height, wide, high].map(u64::from);
    h > high && 2 * w * high < wide * (h + high)
}

#[inline(always)]
fn add_row(sums: &mut [i32], from: &[u8], weight: i32) {
    for (sum, &v) in sums.iter_mut().zip(from) {
        *sum += weight * i32::from(v);
    }
}

#[inline(always)]
fn shift_down(sums: &[i32], to: &mut [u8]) {
    for (to, sum) in to.iter_mut().zip(sums) {
        *to = (*sum >> BITS) as u8;
    }
}

/// Two narrowed rows that lie by fours in turn, one after the other; where `to` is a single row, only the upper.
#[inline(always)]
fn split_rows(both: &[u8], to: &mut [u8], line: usize) {
    let (upper, lower) = to.split_at_mut(line);
    for (to, both) in upper.chunks_exact_mut(4).zip(both.chunks_exact(8)) {
        to.copy_from_slice(&both[..4]);
    }
    for (to, both) in lower.chunks_exact_mut(4).zip(both.chunks_exact(8)) {
        to.copy_from_slice(&both[4..]);
    }
}

#[inline(always)]
fn narrow_any(rows: &[i32], across: &Taps, to: &mut [u8]) {
    match across.taps {
        2 => narrow::<2>(rows, across, to),
        3 => narrow::<3>(rows, across, to),
        4 => narrow::<4>(rows, across, to),
        _ => narrow::<0>(rows, across, to),
    }
}

/// Two rows of RGB bytes to 32 bits, by fours in turn; the fourth is the next pixel's red, which nobody looks at.
#[inline(always)]
fn widen(upper: &[u8], lower: &[u8], to: &mut [i32]) {
    let pixels = upper.len() / 3;
    let (body, last) = to.split_at_mut((pixels - 1) * 8);
    for (x, to) in body.chunks_exact_mut(8).enumerate() {
        let (upper, lower) = (&upper[x * 3..x * 3 + 4], &lower[x * 3..x * 3 + 4]);
        for c in 0..4 {
            to[c] = i32::from(upper[c]);
            to[c + 4] = i32::from(lower[c]);
        }
    }
    let end = (pixels - 1) * 3;
    for c in 0..3 {
        last[c] = i32::from(upper[end + c]);
        last[c + 4] = i32::from(lower[end + c]);
    }
}

/// Two rows along their length. `TAPS` is the number of taps where it is known beforehand, else 0.
#[inline(always)]
fn narrow<const TAPS: usize>(rows: &[i32], across: &Taps, to: &mut [u8]) {
    let taps = if TAPS > 0 { TAPS } else { across.taps };
    for ((to, &first), weights) in to.chunks_exact_mut(8).zip(&across.first).zip(across.weights.chunks_exact(taps)) {
        let from = &rows[first * 8..][..taps * 8];
        let mut sums = [HALF; 8];
        for (from, &weight) in from.chunks_exact(8).zip(weights) {
            for lane in 0..8 {
                sums[lane] += from[lane] * weight;
            }
        }
        for lane in 0..8 {
            to[lane] = (sums[lane] >> BITS) as u8;
        }
    }
}
