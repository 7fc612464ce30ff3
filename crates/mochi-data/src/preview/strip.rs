//! Views as a small JPEG: a column for each image, with the image, then its views below each other.

use mochi_views::DecodeError;
use mochi_views::average::Averager;
use mochi_views::decode::{DecodeOptions, Decoder, Pixels};

use super::Preview;
use crate::thumbnail::{self, encode};

/// Gap between cells, in pixels.
const GAP: usize = 4;

/// Draws previews with views of `size` pixels into cells of at most `cell` pixels. Larger views are averaged; smaller ones have each pixel repeated as often
/// as it fits.
///
/// # Errors
/// An invalid thumbnail.
pub fn strip(previews: &[Preview], size: u32, cell: u32) -> Result<Vec<u8>, DecodeError> {
    let side = if size >= cell { cell } else { size * (cell / size.max(1)) }.max(1) as usize;
    let views = previews.iter().map(|preview| preview.views.len()).max().unwrap_or(0);
    let (width, height) = (previews.len().max(1) * (side + GAP) + GAP, (1 + views) * (side + GAP) + GAP);
    let mut canvas = Canvas { width, rgb: vec![0xF6; width * height * 3] };
    let (mut decoder, mut averager) = (Decoder::new(), Averager::default());
    for (column, preview) in previews.iter().enumerate() {
        let left = GAP + column * (side + GAP);
        let mut source = Pixels::default();
        decoder.decode(&preview.source.jpeg, &DecodeOptions::default(), &mut source)?;
        canvas.paste(&fitted(&source, side, &mut averager), side, left, GAP);
        for (row, view) in preview.views.iter().enumerate() {
            let pixels = Pixels { width: size, height: size, rgb: view.rgb.clone() };
            canvas.paste(&fitted(&pixels, side, &mut averager), side, left, GAP + (row + 1) * (side + GAP));
        }
    }
    let length = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
    encode(&canvas.rgb, length(width), length(height))
}

/// An image that fits a square of `side` pixels: averaged, or each pixel repeated.
fn fitted(pixels: &Pixels, side: usize, averager: &mut Averager) -> Pixels {
    let whole = u32::try_from(side).unwrap_or(u32::MAX);
    let times = whole / pixels.width.max(pixels.height).max(1);
    if times >= 1 {
        return repeated(pixels, times as usize);
    }
    let (width, height) = thumbnail::fit(pixels.width, pixels.height, whole);
    let rgb = averager.run(pixels, width, height).iter().map(|value| value.round() as u8).collect();
    Pixels { width, height, rgb }
}

fn repeated(pixels: &Pixels, times: usize) -> Pixels {
    let row = |row: &[u8]| -> Vec<u8> { row.chunks_exact(3).flat_map(|pixel| pixel.repeat(times)).collect() };
    let rows = pixels.rgb.chunks_exact((pixels.width as usize * 3).max(1)).map(row);
    let rgb = rows.flat_map(|row| row.repeat(times)).collect();
    let times = u32::try_from(times).unwrap_or(u32::MAX);
    Pixels { width: pixels.width * times, height: pixels.height * times, rgb }
}

struct Canvas {
    width: usize,
    rgb: Vec<u8>,
}

impl Canvas {
    /// Draws an image into the middle of the square of `side` pixels at (left, top).
    fn paste(&mut self, pixels: &Pixels, side: usize, left: usize, top: usize) {
        let (width, height) = (pixels.width as usize, pixels.height as usize);
        let (left, top) = (left + side.saturating_sub(width) / 2, top + side.saturating_sub(height) / 2);
        let rows = self.rgb.chunks_exact_mut(self.width * 3).skip(top);
        for (to, from) in rows.zip(pixels.rgb.chunks_exact(width.max(1) * 3)) {
            for (to, from) in to.iter_mut().skip(left * 3).zip(from) {
                *to = *from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_images_are_repeated_and_large_ones_averaged() {
        let mut averager = Averager::default();
        let pixels = Pixels { width: 2, height: 1, rgb: vec![0, 0, 0, 200, 100, 50] };
        let large = fitted(&pixels, 5, &mut averager);
        assert_eq!((large.width, large.height), (4, 2));
        assert_eq!(large.rgb[..12], [0, 0, 0, 0, 0, 0, 200, 100, 50, 200, 100, 50]);
        assert_eq!(large.rgb[..12], large.rgb[12..]);
        let small = fitted(&large, 2, &mut averager);
        assert_eq!((small.width, small.height, &small.rgb[..]), (2, 1, &pixels.rgb[..]));
    }
}
