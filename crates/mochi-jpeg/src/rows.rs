//! Conversion of strips of samples to rows of RGB, with libjpeg's "fancy" upsampling of chroma.
//!
//! A chroma sample is centered on its pixels. A pixel gets 3/4 of the nearer and 1/4 of the farther sample along each halved dimension, alternately
//! rounded up and down. At the edge the last sample of the image (not of its padding) is repeated. Chroma of at most two columns is replicated instead,
//! as in libjpeg.

use pulp::NullaryFnOnce;

use crate::kernels::{Kernels, STEP};
use crate::layout::{Layout, Strip};
use crate::upsampling::Upsampling;

/// Buffer for a row of upsampled chroma.
#[derive(Debug, Default)]
pub(crate) struct Upsampled {
    sums: Vec<u16>,
    full: [Vec<u8>; 2],
}

impl Upsampled {
    /// Makes buffers for images of `width` pixels.
    pub(crate) fn fit(&mut self, width: usize) {
        let padded = (width + 2).next_multiple_of(STEP);
        self.sums.resize(padded, 0);
        for full in &mut self.full {
            full.resize(padded, 0);
        }
    }
}

/// Writes the rows of pixels that are complete after row `mcu_row` of MCUs, and keeps the samples that the next row needs.
pub(crate) struct Emit<'a, K> {
    pub(crate) kernels: K,
    pub(crate) layout: &'a Layout,
    pub(crate) mcu_row: usize,
    pub(crate) samples: &'a mut [u8],
    pub(crate) upsampled: &'a mut Upsampled,
    /// The whole image.
    pub(crate) rgb: &'a mut [u8],
}

impl<K: Kernels> NullaryFnOnce for Emit<'_, K> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { kernels, layout, mcu_row, samples, upsampled, rgb } = self;
        let how = layout.upsampling;
        let (top, last) = (mcu_row * layout.mcu_rows, mcu_row + 1 == layout.mcus.1);
        // The last row must wait if it uses the row below.
        let waits = usize::from(how.looks_around());
        let from = if mcu_row == 0 { 0 } else { top - waits };
        let to = if last { layout.height } else { top + layout.mcu_rows - waits };
        let [luma, cb, cr] = &layout.strips;
        for y in from..to {
            let row = Row {
                luma: line(samples, luma, mcu_row, y),
                chroma: [chroma(samples, cb, how, mcu_row, y), chroma(samples, cr, how, mcu_row, y)],
                below: y % 2 == 1,
            };
            upsampled.convert(kernels, how, row, &mut rgb[y * layout.width * 3..][..layout.width * 3]);
        }
        if waits > 0 {
            for strip in &layout.strips {
                let end = strip.start + (1 + strip.rows) * strip.stride;
                samples.copy_within(end - strip.stride..end, strip.start);
            }
        }
    }
}

/// Row `y` of a component, with padding.
#[inline(always)]
fn line<'a>(samples: &'a [u8], strip: &Strip, mcu_row: usize, y: usize) -> &'a [u8] {
    &samples[strip.start + (1 + y - mcu_row * strip.rows) * strip.stride..][..strip.stride]
}

/// The nearer and the farther row of chroma for row `y` of pixels.
#[inline(always)]
fn chroma<'a>(samples: &'a [u8], strip: &Strip, how: Upsampling, mcu_row: usize, y: usize) -> [&'a [u8]; 2] {
    if how == Upsampling::Grayscale {
        return [&[]; 2];
    }
    let near = if how.halves_rows() { y / 2 } else { y };
    let far = match (how.looks_around(), y % 2) {
        (false, _) => near,
        (true, 0) => near.saturating_sub(1),
        (true, _) => (near + 1).min(strip.height - 1),
    };
    let (near, far) = (line(samples, strip, mcu_row, near), line(samples, strip, mcu_row, far));
    // Without upsampling, the conversion reads into the padding.
    let columns = if how == Upsampling::Full { strip.stride } else { strip.columns };
    [&near[..columns], &far[..columns]]
}

/// A row of samples of all components, before upsampling. Rows of luma, and of chroma at full size, can be read up to the next multiple of
/// [`STEP`].
#[derive(Clone, Copy)]
struct Row<'a> {
    luma: &'a [u8],
    /// For Cb and Cr the nearer row and the farther one (equal if only one is used).
    chroma: [[&'a [u8]; 2]; 2],
    /// Whether the farther row is below.
    below: bool,
}

impl Upsampled {
    /// Writes one row of RGB.
    #[inline(always)]
    fn convert<K: Kernels>(&mut self, kernels: K, how: Upsampling, row: Row<'_>, rgb: &mut [u8]) {
        if how == Upsampling::Grayscale {
            for (to, &v) in rgb.chunks_exact_mut(3).zip(row.luma) {
                to.copy_from_slice(&[v; 3]);
            }
            return;
        }
        for ([near, far], full) in row.chroma.into_iter().zip(&mut self.full) {
            match how {
                Upsampling::Across => across(near, full),
                Upsampling::Down => down(near, far, row.below, full),
                Upsampling::Both => both(near, far, &mut self.sums, full),
                Upsampling::Repeat(_) => {
                    full.chunks_exact_mut(2).zip(near).for_each(|(to, &v)| to.copy_from_slice(&[v; 2]));
                }
                Upsampling::Full | Upsampling::Grayscale => {}
            }
        }
        let [cb, cr] = match how {
            Upsampling::Full => row.chroma.map(|[near, _]| near),
            _ => self.full.each_ref().map(|full| &full[..]),
        };
        let (y, cb, cr) = (row.luma.as_chunks().0, cb.as_chunks().0, cr.as_chunks().0);
        for (((to, y), cb), cr) in rgb.chunks_mut(3 * STEP).zip(y).zip(cb).zip(cr) {
            let pixels = kernels.convert(y, cb, cr);
            match to.as_mut_array() {
                Some(to) => *to = pixels,
                None => to.copy_from_slice(&pixels[..to.len()]),
            }
        }
    }
}

/// Interpolation 3:1 between neighbors in a row, in quarters: rounded down on the left of a sample, up on its right.
#[inline(always)]
fn across(from: &[u8], to: &mut [u8]) {
    let n = from.len();
    let (Some(&first), Some(&last)) = (from.first(), from.last()) else { return };
    let inner = &mut to[1..2 * n - 1];
    for ((pair, &a), &b) in inner.as_chunks_mut::<2>().0.iter_mut().zip(&from[..n - 1]).zip(&from[1..]) {
        let (a, b) = (u16::from(a), u16::from(b));
        *pair = [((3 * a + b + 2) >> 2) as u8, ((a + 3 * b + 1) >> 2) as u8];
    }
    (to[0], to[2 * n - 1]) = (first, last);
}

/// Interpolation 3:1 between rows, in quarters: rounded down above a sample, up below.
#[inline(always)]
fn down(near: &[u8], far: &[u8], below: bool, to: &mut [u8]) {
    let half = 1 + u16::from(below);
    for ((to, &near), &far) in to.iter_mut().zip(near).zip(far) {
        *to = ((3 * u16::from(near) + u16::from(far) + half) >> 2) as u8;
    }
}

/// Interpolation 3:1 between rows, then between neighbors, in sixteenths, rounded once.
#[inline(always)]
fn both(near: &[u8], far: &[u8], sums: &mut [u16], to: &mut [u8]) {
    let n = near.len();
    let sums = &mut sums[..n];
    for ((sum, &near), &far) in sums.iter_mut().zip(near).zip(far) {
        *sum = 3 * u16::from(near) + u16::from(far);
    }
    let (Some(&first), Some(&last)) = (sums.first(), sums.last()) else { return };
    let inner = &mut to[1..2 * n - 1];
    for ((pair, &a), &b) in inner.as_chunks_mut::<2>().0.iter_mut().zip(&sums[..n - 1]).zip(&sums[1..]) {
        *pair = [((3 * a + b + 7) >> 4) as u8, ((a + 3 * b + 8) >> 4) as u8];
    }
    to[0] = ((4 * first + 8) >> 4) as u8;
    to[2 * n - 1] = ((4 * last + 7) >> 4) as u8;
}
