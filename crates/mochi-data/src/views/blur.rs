//! Pillow's Gaussian blur: three box blurs along the rows, three along the columns, each rounded to 8 bits (`BoxBlur.c`).
//!
//! With sigma^2 = radius^2 / 3, L = sqrt(12 sigma^2 + 1), l = floor((L - 1) / 2) and
//! a = (2l+1)(l(l+1) - 3 sigma^2) / (6 (sigma^2 - (l+1)^2)), the box has radius R = l + a: its 2 floor(R) + 1 inner pixels weigh
//! w = 1 / (2R + 1) each and the two at its ends f = (1 - (2 floor(R) + 1) w) / 2. Edge pixels are repeated outside.
//! (Gwosdek et al., "Theoretical foundations of Gaussian convolution by extended box filtering", 2011.)

use pulp::{Simd, WithSimd};

const PASSES: usize = 3;

/// One box blur's shape.
#[derive(Clone, Copy, Debug)]
struct Kernel {
    radius: usize,
    /// Weights with 24 fractional bits, as Pillow has them: an even weight makes ties common, so sums are integers here as well.
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
    // In float, like Pillow: the quotient is rounded to 24 bits before it is cut.
    let inner = ((1u32 << 24) as f32 / (r * 2.0 + 1.0)) as u32;
    let ends = ((1u32 << 24) - (radius as u32 * 2 + 1) * inner) / 2;
    Some(Kernel { radius, inner, ends })
}

/// Buffers of the blur, kept between images.
#[derive(Default)]
pub(super) struct BlurScratch {
    line: Vec<u8>,
    other_line: Vec<u8>,
    plane: Vec<u8>,
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
    rows(plane, width, &kernel, scratch);
    scratch.plane.resize(plane.len(), 0);
    let other = &mut scratch.plane[..];
    columns(plane, other, width, height, &kernel);
    columns(other, plane, width, height, &kernel);
    columns(plane, other, width, height, &kernel);
    plane.copy_from_slice(other);
}

/// Sums of up to five bytes come as u16: twice the lanes until the multiplication.
#[inline(always)]
fn weigh(inner: impl Into<u32>, ends: impl Into<u32>, kernel: &Kernel) -> u8 {
    // At most 255 whole: the product stays within 32 bits.
    ((inner.into() * kernel.inner + ends.into() * kernel.ends + (1 << 23)) >> 24) as u8
}

#[inline(always)]
fn rows(plane: &mut [u8], width: usize, kernel: &Kernel, scratch: &mut BlurScratch) {
    // The line with the edge pixels repeated: margin | width | margin.
    let margin = kernel.radius + 1;
    scratch.line.resize(width + 2 * margin, 0);
    scratch.other_line.resize(width + 2 * margin, 0);
    let (mut from, mut to) = (&mut scratch.line[..], &mut scratch.other_line[..]);
    for row in plane.chunks_exact_mut(width) {
        from[margin..margin + width].copy_from_slice(row);
        for _ in 0..PASSES {
            let (first, last) = (from[margin], from[margin + width - 1]);
            from[..margin].fill(first);
            from[margin + width..].fill(last);
            line(from, &mut to[margin..margin + width], kernel);
            std::mem::swap(&mut from, &mut to);
        }
        row.copy_from_slice(&from[margin..margin + width]);
    }
}

/// One box blur of a line with margins: `from` has radius + 1 more pixels at each end than `to`.
#[inline(always)]
fn line(from: &[u8], to: &mut [u8], kernel: &Kernel) {
    let n = to.len();
    match kernel.radius {
        0 => {
            let (a, b, c) = (&from[..n], &from[1..=n], &from[2..n + 2]);
            for i in 0..n {
                to[i] = weigh(u16::from(b[i]), u16::from(a[i]) + u16::from(c[i]), kernel);
            }
        }
        1 => {
            let (a, b, c) = (&from[..n], &from[1..=n], &from[2..n + 2]);
            let (d, e) = (&from[3..n + 3], &from[4..n + 4]);
            for i in 0..n {
                let inner = u16::from(b[i]) + u16::from(c[i]) + u16::from(d[i]);
                to[i] = weigh(inner, u16::from(a[i]) + u16::from(e[i]), kernel);
            }
        }
        radius => {
            for i in 0..n {
                let window = &from[i..i + 2 * radius + 3];
                let inner: u32 = window[1..2 * radius + 2].iter().map(|&v| u32::from(v)).sum();
                let ends = u32::from(window[0]) + u32::from(window[2 * radius + 2]);
                to[i] = weigh(inner, ends, kernel);
            }
        }
    }
}

/// One box blur along the columns.
#[inline(always)]
fn columns(from: &[u8], to: &mut [u8], width: usize, height: usize, kernel: &Kernel) {
    let row = |y: isize| {
        let y = y.clamp(0, height as isize - 1) as usize;
        &from[y * width..y * width + width]
    };
    for (y, out) in to.chunks_exact_mut(width).enumerate() {
        let y = y as isize;
        let out = &mut out[..width];
        match kernel.radius {
            0 => {
                let (a, b, c) = (row(y - 1), row(y), row(y + 1));
                for x in 0..width {
                    out[x] = weigh(u16::from(b[x]), u16::from(a[x]) + u16::from(c[x]), kernel);
                }
            }
            1 => {
                let (a, b, c, d, e) = (row(y - 2), row(y - 1), row(y), row(y + 1), row(y + 2));
                for x in 0..width {
                    let inner = u16::from(b[x]) + u16::from(c[x]) + u16::from(d[x]);
                    out[x] = weigh(inner, u16::from(a[x]) + u16::from(e[x]), kernel);
                }
            }
            radius => {
                let radius = radius as isize;
                let (first, last) = (row(y - radius - 1), row(y + radius + 1));
                for x in 0..width {
                    let inner: u32 = (-radius..=radius).map(|k| u32::from(row(y + k)[x])).sum();
                    out[x] = weigh(inner, u32::from(first[x]) + u32::from(last[x]), kernel);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn sizes_below_the_kernel_and_sigma_zero_do_no_harm() {
        for (w, h) in [(1, 1), (1, 5), (5, 1), (2, 2)] {
            for sigma in [0.0, 2.0, 30.0, f32::NAN] {
                let mut plane: Vec<u8> = (0..w * h).map(|v| v as u8 * 10).collect();
                gaussian(&mut plane, w, sigma, &mut BlurScratch::default());
            }
        }
    }
}
