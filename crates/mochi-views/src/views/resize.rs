//! Pillow's antialiased bilinear resize (`Resample.c`) of a crop. Only the pixels of the view are computed.
//!
//! Rows are resized first and rounded to 8 bits, then columns, which are rounded again. If the height shrinks much more than the width, columns are
//! first, as in Pillow since 13.0 (pull request 9549; before, rows were always first, which differs by one level in about half the pixels of such
//! crops). Output `x` is centered at `(x + 0.5) in / out` and uses the input within `max(in / out, 1)` of it, with triangular weights. Weights are
//! normalized and rounded to 22 bits as in Pillow, and summed in 32-bit integers: ties are common in flat and synthetic images, and float sums would
//! round some of them differently.
//!
//! Pixels have four bytes (R, G, B, unused), and four rows are resized at once, so that one tap is a vector of sixteen.

use pulp::{Simd, WithSimd};

use crate::decode::Pixels;
use crate::plan::Crop;

/// Fractional bits of a weight: 8 bits of pixel and 2 of headroom fill up 32.
const BITS: u32 = 32 - 8 - 2;
/// One half, so that the shift rounds.
const HALF: i32 = 1 << (BITS - 1);
/// Number of rows that are resized at once.
const ROWS: usize = 4;
/// Values in one column of these rows.
const LANES: usize = ROWS * 4;

/// The taps of every output position along one axis.
#[derive(Default)]
pub(super) struct Taps {
    /// First input position of each output.
    first: Vec<usize>,
    /// `taps` weights for each output, zeros at the end.
    weights: Vec<i32>,
    taps: usize,
    /// Weights of one output before rounding.
    shape: Vec<f64>,
}

impl Taps {
    /// Taps for `inputs` positions resized to `outputs`, of which `shown` outputs from `skip` are computed (`precompute_coeffs`).
    fn compute(&mut self, inputs: u32, outputs: u32, skip: u32, shown: u32) {
        let scale = f64::from(inputs) / f64::from(outputs);
        let support = scale.max(1.0);
        let narrowness = 1.0 / support;
        // The maximum number of integers in an interval of length 2 support.
        self.taps = (2.0 * support).ceil() as usize;
        self.first.clear();
        self.weights.clear();
        self.weights.resize(shown as usize * self.taps, 0);
        for (x, weights) in (skip..skip + shown).zip(self.weights.chunks_exact_mut(self.taps)) {
            let center = (f64::from(x) + 0.5) * scale;
            // C casts towards zero, as `as` does.
            let first = ((center - support + 0.5) as i64).max(0);
            let end = ((center + support + 0.5) as i64).min(i64::from(inputs));
            // As in Pillow: multiplied by the reciprocal of the support, but divided by the sum.
            self.shape.clear();
            self.shape.extend((first..end).map(|i| (1.0 - ((i as f64 - center + 0.5) * narrowness).abs()).max(0.0)));
            let sum: f64 = self.shape.iter().sum();
            for (weight, shape) in weights.iter_mut().zip(&self.shape) {
                *weight = (shape / sum * f64::from(1 << BITS) + 0.5) as i32;
            }
            self.first.push(first as usize);
        }
    }
}

/// Buffers of the resize, which are reused.
#[derive(Default)]
pub(super) struct ResizeScratch {
    across: Taps,
    down: Taps,
    /// Four input rows: for each column four bytes of the first row, four of the second, and so on.
    rows: Vec<u8>,
    /// The same four rows after the horizontal resize, in bytes.
    mixed: Vec<u8>,
    /// Four rows of the crop after the vertical resize.
    flat: Vec<u8>,
    /// The crop after the horizontal resize: (crop height, size, 4), then rows with weight zero.
    narrowed: Vec<u8>,
}

/// A resize to be dispatched to an instruction set. The crop must lie inside the pixels.
pub(super) struct Resize<'a> {
    pub(super) pixels: &'a Pixels,
    pub(super) crop: Crop,
    /// Width and height of the whole resized crop.
    pub(super) resized: (u32, u32),
    /// Position of the view in the resized crop.
    pub(super) window: (u32, u32),
    /// Width and height of the view.
    pub(super) size: (u32, u32),
    pub(super) scratch: &'a mut ResizeScratch,
    /// (height, width, 4) bytes: R, G, B and an unused byte.
    pub(super) out: &'a mut [u8],
}

impl WithSimd for Resize<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { pixels, crop, resized, window, size, scratch, out } = self;
        let ResizeScratch { across, down, rows, mixed, flat, narrowed } = scratch;
        across.compute(crop.width, resized.0, window.0, size.0);
        down.compute(crop.height, resized.1, window.1, size.1);
        let line = size.0 as usize * 4;
        let (width, stride) = (crop.width as usize, pixels.width as usize * 3);
        // Taps with weight zero can be beyond the end of the row.
        rows.clear();
        rows.resize((width + across.taps) * LANES, 0);
        let row = |y: usize| &pixels.rgb[(crop.top as usize + y) * stride + crop.left as usize * 3..][..width * 3];
        if columns_first(crop, resized) {
            flat.resize(width * 3 * ROWS, 0);
            let last = down.first.len() - 1;
            for (group, to) in out.chunks_mut(line * ROWS).enumerate() {
                for (y, flat) in flat.chunks_exact_mut(width * 3).enumerate() {
                    // Repeats the last row if the number of rows is not a multiple.
                    let y = (group * ROWS + y).min(last);
                    let weights = &down.weights[y * down.taps..][..down.taps];
                    let rows_end = crop.height as usize - 1;
                    flatten_any(weights, |tap| row((down.first[y] + tap).min(rows_end)), flat);
                }
                interleave(std::array::from_fn(|y| &flat[y * width * 3..][..width * 3]), rows);
                narrow_any(rows, across, mixed, to, line);
            }
            return;
        }
        // Only rows that an output uses, followed by rows of zeros for taps with weight zero.
        let begin = down.first.first().copied().unwrap_or(0);
        let past = down.first.last().copied().unwrap_or(0) + down.taps;
        let end = past.min(crop.height as usize);
        narrowed.resize(past.max(end) * line, 0);
        for (group, to) in narrowed[begin * line..end * line].chunks_mut(line * ROWS).enumerate() {
            let y = begin + group * ROWS;
            interleave(std::array::from_fn(|i| row((y + i).min(end - 1))), rows);
            narrow_any(rows, across, mixed, to, line);
        }
        let weights = down.weights.chunks_exact(down.taps);
        for ((to, &first), weights) in out.chunks_exact_mut(line).zip(&down.first).zip(weights) {
            flatten_any(weights, |tap| &narrowed[(first + tap) * line..][..line], to);
        }
    }
}

/// Resizes whole images and reuses its buffers.
#[derive(Default)]
pub struct ImageResizer {
    scratch: ResizeScratch,
    four: Vec<u8>,
}

impl ImageResizer {
    /// `pixels` resized to `width x height`, equal to `PIL.Image.resize(.., BILINEAR)`. Both sides must be at least 1.
    pub fn resize(&mut self, pixels: &Pixels, width: u32, height: u32) -> Pixels {
        self.four.resize(width as usize * height as usize * 4, 0);
        pulp::Arch::new().dispatch(Resize {
            pixels,
            crop: Crop { left: 0, top: 0, width: pixels.width, height: pixels.height },
            resized: (width, height),
            window: (0, 0),
            size: (width, height),
            scratch: &mut self.scratch,
            out: &mut self.four,
        });
        let rgb = self.four.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        Pixels { width, height, rgb }
    }
}

/// Whether columns are resized first, as in Pillow.
fn columns_first(crop: Crop, (wide, high): (u32, u32)) -> bool {
    let [w, h, wide, high] = [crop.width, crop.height, wide, high].map(u64::from);
    h > high && 2 * w * high < wide * (h + high)
}

/// Computes one output row from the rows of its taps.
#[inline(always)]
fn flatten_any<'a>(weights: &[i32], row: impl Fn(usize) -> &'a [u8], to: &mut [u8]) {
    match *weights {
        [a, b] => flatten([a, b], [row(0), row(1)], to),
        [a, b, c] => flatten([a, b, c], [row(0), row(1), row(2)], to),
        [a, b, c, d] => flatten([a, b, c, d], [row(0), row(1), row(2), row(3)], to),
        [a, b, c, d, e] => flatten([a, b, c, d, e], [row(0), row(1), row(2), row(3), row(4)], to),
        // Sums of one piece at a time, which stay in the cache.
        _ => {
            let mut sums = [0i32; 512];
            for (stretch, to) in to.chunks_mut(512).enumerate() {
                let sums = &mut sums[..to.len()];
                sums.fill(HALF);
                for (tap, &weight) in weights.iter().enumerate() {
                    let from = &row(tap)[stretch * 512..][..to.len()];
                    for (sum, &v) in sums.iter_mut().zip(from) {
                        *sum += weight * i32::from(v);
                    }
                }
                for (to, sum) in to.iter_mut().zip(sums) {
                    *to = (*sum >> BITS) as u8;
                }
            }
        }
    }
}

#[inline(always)]
fn flatten<const TAPS: usize>(weights: [i32; TAPS], rows: [&[u8]; TAPS], to: &mut [u8]) {
    let n = to.len();
    let rows = rows.map(|row| &row[..n]);
    for i in 0..n {
        let mut sum = HALF;
        for tap in 0..TAPS {
            sum += weights[tap] * i32::from(rows[tap][i]);
        }
        to[i] = (sum >> BITS) as u8;
    }
}

/// Interleaves four rows of RGB bytes in groups of four; the fourth byte of a pixel is the next pixel's red and is not used.
#[inline(always)]
fn interleave([a, b, c, d]: [&[u8]; ROWS], to: &mut [u8]) {
    let pixels = a.len() / 3;
    let (body, last) = to.split_at_mut((pixels - 1) * LANES);
    for (x, to) in body.chunks_exact_mut(LANES).enumerate() {
        // One 128-bit value: four 32-bit values would be vectorized with gathers, which are several times slower.
        let pixel = |row: &[u8]| {
            let row = &row[x * 3..x * 3 + 4];
            u128::from(u32::from_le_bytes([row[0], row[1], row[2], row[3]]))
        };
        let column = pixel(a) | pixel(b) << 32 | pixel(c) << 64 | pixel(d) << 96;
        to.copy_from_slice(&column.to_le_bytes());
    }
    for (row, to) in [a, b, c, d].iter().zip(last.chunks_exact_mut(4)) {
        to[..3].copy_from_slice(&row[(pixels - 1) * 3..pixels * 3]);
    }
}

/// Four rows along their length, into `mixed`, then to as many lines of `to` as there are.
#[inline(always)]
fn narrow_any(rows: &[u8], across: &Taps, mixed: &mut Vec<u8>, to: &mut [u8], line: usize) {
    mixed.resize(line * ROWS, 0);
    match across.taps {
        2 => narrow::<2>(rows, across, mixed),
        3 => narrow::<3>(rows, across, mixed),
        4 => narrow::<4>(rows, across, mixed),
        5 => narrow::<5>(rows, across, mixed),
        _ => narrow::<0>(rows, across, mixed),
    }
    if to.len() < line * ROWS {
        for (row, line) in to.chunks_exact_mut(line).enumerate() {
            for (to, pixels) in line.chunks_exact_mut(4).zip(mixed.chunks_exact(LANES)) {
                to.copy_from_slice(&pixels[row * 4..row * 4 + 4]);
            }
        }
        return;
    }
    // All four in one loop: separate rows would be vectorized with gathers.
    let (a, rest) = to.split_at_mut(line);
    let (b, rest) = rest.split_at_mut(line);
    let (c, d) = rest.split_at_mut(line);
    let lines = a.chunks_exact_mut(4).zip(b.chunks_exact_mut(4)).zip(c.chunks_exact_mut(4)).zip(d.chunks_exact_mut(4));
    for ((((a, b), c), d), pixels) in lines.zip(mixed.chunks_exact(LANES)) {
        a.copy_from_slice(&pixels[..4]);
        b.copy_from_slice(&pixels[4..8]);
        c.copy_from_slice(&pixels[8..12]);
        d.copy_from_slice(&pixels[12..]);
    }
}

/// `TAPS` is the number of taps where it is known beforehand, else 0. Output: for each column four numbers of the first row, and so on.
#[inline(always)]
fn narrow<const TAPS: usize>(rows: &[u8], across: &Taps, to: &mut [u8]) {
    let taps = if TAPS > 0 { TAPS } else { across.taps };
    let outputs = across.first.iter().zip(across.weights.chunks_exact(taps));
    for (to, (&first, weights)) in to.chunks_exact_mut(LANES).zip(outputs) {
        let from = &rows[first * LANES..][..taps * LANES];
        let mut sums = [HALF; LANES];
        for (from, &weight) in from.chunks_exact(LANES).zip(weights) {
            for lane in 0..LANES {
                sums[lane] += i32::from(from[lane]) * weight;
            }
        }
        for lane in 0..LANES {
            to[lane] = (sums[lane] >> BITS) as u8;
        }
    }
}

#[cfg(test)]
#[path = "resize_tests.rs"]
mod tests;
