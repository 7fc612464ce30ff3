//! Pillow's Gaussian blur: three box blurs along the rows, three along the columns, each rounded to 8 bits (`BoxBlur.c`).
//!
//! With sigma^2 = radius^2 / 3, L = sqrt(12 sigma^2 + 1), l = floor((L - 1) / 2) and
//! a = (2l+1)(l(l+1) - 3 sigma^2) / (6 (sigma^2 - (l+1)^2)), the box has radius R = l + a: its 2 floor(R) + 1 inner pixels weigh
//! w = 1 / (2R + 1) each and the two at its ends f = (1 - (2 floor(R) + 1) w) / 2. Edge pixels are repeated outside.
//! (Gwosdek et al., "Theoretical foundations of Gaussian convolution by extended box filtering", 2011.)
//!
//! The plane is copied into a larger one whose margins repeat the edges. A pass is then one long loop without branches, both along rows (neighbors 1
//! apart) and along columns (neighbors one row apart).

use pulp::{Simd, WithSimd};

const PASSES: usize = 3;

/// Parameters of one box blur.
#[derive(Clone, Copy, Debug)]
struct Kernel {
    radius: usize,
    /// Weights with 24 fractional bits, as in Pillow. Ties are common for even weights, so sums are integers here as well.
    inner: u32,
    ends: u32,
}

fn kernel(sigma: f32) -> Option<Kernel> {
    // Pillow computes this in float.
    let variance = sigma * sigma / PASSES as f32;
    let length = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
    let l = ((f64::from(length) - 1.0) / 2.0).floor() as f32;
    let a = (2.0 * l + 1.0) * (l * (l + 1.0) - 3.0 * variance);
    let a = a / (6.0 * (variance - (l + 1.0) * (l + 1.0)));
    let r = l + a;
    if !(r.is_finite() && r > 0.0) {
        return None;
    }
    let radius = r as usize;
    // In float, like Pillow: the quotient is rounded to 24 bits before it is truncated.
    let inner = ((1u32 << 24) as f32 / (r * 2.0 + 1.0)) as u32;
    let ends = ((1u32 << 24) - (radius as u32 * 2 + 1) * inner) / 2;
    Some(Kernel { radius, inner, ends })
}

/// Buffers of the blur, kept between images: the plane with its margins, before a pass and after it.
#[derive(Default)]
pub(super) struct BlurScratch {
    before: Vec<u8>,
    after: Vec<u8>,
}

/// A blur of one plane, to be dispatched to an instruction set.
pub(super) struct Gaussian<'a> {
    pub(super) plane: &'a mut [u8],
    pub(super) width: usize,
    pub(super) sigma: f32,
    pub(super) scratch: &'a mut BlurScratch,
}

impl WithSimd for Gaussian<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        gaussian(self.plane, self.width, self.sigma, self.scratch);
    }
}

/// Blurs one plane of `height * width` bytes in place.
#[inline(always)]
pub(super) fn gaussian(plane: &mut [u8], width: usize, sigma: f32, scratch: &mut BlurScratch) {
    let Some(kernel) = kernel(sigma) else { return };
    if width == 0 || plane.len() < width {
        return;
    }
    let height = plane.len() / width;
    let margin = kernel.radius + 1;
    let stride = width + 2 * margin;
    let rows = margin * stride..(margin + height) * stride;
    let (mut from, mut to) = (&mut scratch.before, &mut scratch.after);
    from.resize((height + 2 * margin) * stride, 0);
    to.resize((height + 2 * margin) * stride, 0);
    for (padded, row) in from[rows.clone()].chunks_exact_mut(stride).zip(plane.chunks_exact(width)) {
        padded[margin..margin + width].copy_from_slice(row);
    }
    for _ in 0..PASSES {
        for row in from[rows.clone()].chunks_exact_mut(stride) {
            let (first, last) = (row[margin], row[margin + width - 1]);
            row[..margin].fill(first);
            row[margin + width..].fill(last);
        }
        pass(from, to, rows.start + margin, rows.end - margin, 1, &kernel);
        std::mem::swap(&mut from, &mut to);
    }
    for _ in 0..PASSES {
        for y in 0..margin {
            from.copy_within(rows.start..rows.start + stride, y * stride);
            from.copy_within(rows.end - stride..rows.end, rows.end + y * stride);
        }
        pass(from, to, rows.start, rows.end, stride, &kernel);
        std::mem::swap(&mut from, &mut to);
    }
    for (padded, row) in from[rows].chunks_exact(stride).zip(plane.chunks_exact_mut(width)) {
        row.copy_from_slice(&padded[margin..margin + width]);
    }
}

/// One box blur of `from[begin..end]` into the same positions of `to`, with neighbors `step` apart. The margins between rows are blurred
/// as well, which is faster than a loop that skips them.
#[inline(always)]
fn pass(from: &[u8], to: &mut [u8], begin: usize, end: usize, step: usize, kernel: &Kernel) {
    let to = &mut to[begin..end];
    let n = to.len();
    let at = |k: usize| &from[begin + k * step - (kernel.radius + 1) * step..][..n];
    match kernel.radius {
        0 if kernel.inner.is_multiple_of(2) => pass_of_three::<false>([at(0), at(1), at(2)], to, kernel),
        0 => pass_of_three::<true>([at(0), at(1), at(2)], to, kernel),
        1 => pass_of_five([at(0), at(1), at(2), at(3), at(4)], to, kernel),
        radius => {
            let (first, last) = (at(0), at(2 * radius + 2));
            for i in 0..n {
                let inner: u32 = (1..2 * radius + 2).map(|k| u32::from(at(k)[i])).sum();
                to[i] = weigh(inner, u32::from(first[i]) + u32::from(last[i]), kernel);
            }
        }
    }
}

/// Pillow's result from the inner sum of a box and the sum of its two ends. It is at most 255 with 24 fractional bits, which fits 32 bits.
#[inline(always)]
fn weigh(inner: u32, ends: u32, kernel: &Kernel) -> u8 {
    ((inner * kernel.inner + ends * kernel.ends + (1 << 23)) >> 24) as u8
}

#[inline(always)]
fn pass_of_three<const ODD: bool>([a, b, c]: [&[u8]; 3], to: &mut [u8], kernel: &Kernel) {
    let n = to.len();
    let (a, b, c) = (&a[..n], &b[..n], &c[..n]);
    let ends = Halves::of(kernel.ends);
    for i in 0..n {
        to[i] = weigh_three::<ODD>(i16::from(b[i]), i16::from(a[i]) + i16::from(c[i]), ends);
    }
}

#[inline(always)]
fn pass_of_five([a, b, c, d, e]: [&[u8]; 5], to: &mut [u8], kernel: &Kernel) {
    let n = to.len();
    let (a, b, c, d, e) = (&a[..n], &b[..n], &c[..n], &d[..n], &e[..n]);
    // Weights are passed by value: the compiler would have to reload weights behind a reference after every write.
    let kernel = *kernel;
    for i in 0..n {
        let inner = u16::from(b[i]) + u16::from(c[i]) + u16::from(d[i]);
        let ends = u16::from(a[i]) + u16::from(e[i]);
        to[i] = weigh(inner.into(), ends.into(), &kernel);
    }
}

/// The weight of the ends as `high 2^8 + low` with low in -128..128, for products of 16 bits.
#[derive(Clone, Copy)]
struct Halves {
    high: i16,
    low: i16,
    /// low 2^8.
    low_raised: i16,
}

impl Halves {
    fn of(ends: u32) -> Self {
        // Ends weigh less than a third where the radius is below 1: 22 bits and a half.
        let low = ends as u8 as i8;
        let high = (ends as i32 - i32::from(low)) >> 8;
        Self { high: high as i16, low: i16::from(low), low_raised: i16::from(low) << 8 }
    }
}

/// [`weigh`] for a box of three in 16-bit lanes, twice as many as of 32. With f the weight of the ends, s = ends - 2 inner and
/// the inner weight 2^24 - 2f - d (d is 1 where that is `ODD`) it is
/// `inner + floor((s f - d inner + 2^23) / 2^24)`, and the floor of the product's lower part comes first:
/// `floor((s high + floor((s low - d inner) / 2^8) + 2^15) / 2^16)`.
#[inline(always)]
fn weigh_three<const ODD: bool>(inner: i16, ends: i16, weight: Halves) -> u8 {
    let s = ends - 2 * inner;
    let upper = |a: i16, b: i16| ((i32::from(a) * i32::from(b)) >> 16) as i16;
    let mut part = upper(s, weight.low_raised);
    if ODD {
        part -= i16::from(s.wrapping_mul(weight.low) & 255 < inner);
    }
    // The lower half of `s high`, less 2^15 so that it can be compared as a signed number: does adding the rest carry?
    let lower = s.wrapping_mul(weight.high) ^ i16::MIN;
    (inner + upper(s, weight.high) + i16::from(lower >= -part)) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::{Purpose, Stream};

    #[test]
    fn a_flat_plane_stays_flat_and_a_point_spreads_evenly() {
        for sigma in [0.1, 0.5, 1.0, 2.0, 3.7, 9.0] {
            let mut flat = vec![200u8; 20 * 15];
            gaussian(&mut flat, 20, sigma, &mut BlurScratch::default());
            assert!(flat.iter().all(|&v| v == 200), "sigma {sigma}");
            let mut point = vec![0u8; 21 * 21];
            point[10 * 21 + 10] = 255;
            gaussian(&mut point, 21, sigma, &mut BlurScratch::default());
            assert!(point.iter().eq(point.iter().rev()), "sigma {sigma} is not symmetric");
        }
    }

    #[test]
    fn sixteen_bits_give_what_pillows_formula_gives() {
        // Every sum that three bytes have, for weights of either parity over the whole range of radii below 1.
        let mut parities = [0; 2];
        for i in 1..60 {
            let Some(kernel) = kernel(i as f32 * 0.0235) else { continue };
            assert_eq!(kernel.radius, 0);
            parities[kernel.inner as usize % 2] += 1;
            let halves = Halves::of(kernel.ends);
            for inner in 0..=255i16 {
                for ends in 0..=510i16 {
                    let got = match kernel.inner % 2 {
                        0 => weigh_three::<false>(inner, ends, halves),
                        _ => weigh_three::<true>(inner, ends, halves),
                    };
                    assert_eq!(got, weigh(inner as u32, ends as u32, &kernel), "{inner} {ends} {kernel:?}");
                }
            }
        }
        assert!(parities[0] > 10 && parities[1] > 10, "{parities:?}");
    }

    /// Three boxes along rows and three along columns, each pixel by itself.
    fn by_the_letter(plane: &[u8], width: usize, sigma: f32) -> Vec<u8> {
        let Some(kernel) = kernel(sigma) else { return plane.to_vec() };
        let (w, h, r) = (width as i64, (plane.len() / width) as i64, kernel.radius as i64);
        let mut plane = plane.to_vec();
        for (dx, dy) in [(1, 0), (1, 0), (1, 0), (0, 1), (0, 1), (0, 1)] {
            let at = |x: i64, y: i64, k: i64| {
                let (x, y) = ((x + k * dx).clamp(0, w - 1), (y + k * dy).clamp(0, h - 1));
                u32::from(plane[(y * w + x) as usize])
            };
            let pixel = |i: i64| {
                let (x, y) = (i % w, i / w);
                weigh((-r..=r).map(|k| at(x, y, k)).sum(), at(x, y, -r - 1) + at(x, y, r + 1), &kernel)
            };
            plane = (0..w * h).map(pixel).collect();
        }
        plane
    }

    proptest! {
        #[test]
        fn blurring_is_what_it_is_by_the_letter(w in 1usize..40, h in 1usize..40, sigma in 0.05f32..6.0, seed: u64) {
            let mut stream = Stream::new(seed, Purpose::View, 0, 0, 0);
            let mut plane: Vec<u8> = (0..w * h).map(|_| stream.next_u32() as u8).collect();
            let want = by_the_letter(&plane, w, sigma);
            // Buffers that held a larger plane: what is left of it must not show.
            let mut scratch = BlurScratch::default();
            gaussian(&mut [7; 50 * 50], 50, sigma, &mut scratch);
            gaussian(&mut plane, w, sigma, &mut scratch);
            prop_assert_eq!(plane, want);
        }
    }

    #[test]
    fn sizes_below_the_kernel_and_sigma_zero_do_no_harm() {
        for (w, h) in [(1, 1), (1, 5), (5, 1), (2, 2)] {
            for sigma in [0.0, 2.0, 30.0, f32::NAN] {
                let mut plane: Vec<u8> = (0..w * h).map(|v| v as u8 * 10).collect();
                gaussian(&mut plane, w, sigma, &mut BlurScratch::default());
            }
        }
    }
}
