//! Views as PNG: a single view, or a sheet with one row per image: the source with the outlines of its crops, then its views.

use mochi_views::decode::{DecodeOptions, Decoder, Pixels};
use mochi_views::{BadReason, DecodeError};

use super::Preview;

/// Gap between images, in pixels.
const GAP: usize = 8;
/// Colors of the crop outlines, as on the page; further views have them again.
const COLORS: [[u8; 3]; 5] =
    [[0x56, 0xB4, 0xE9], [0xFF, 0x9B, 0x4A], [0x35, 0xC4, 0x9B], [0xCC, 0x79, 0xA7], [0xE6, 0xCF, 0x3C]];

/// Encodes a view of `size x size` RGB bytes as PNG.
///
/// # Errors
/// Bytes that are not (size, size, 3).
pub fn png_of_view(rgb: &[u8], size: u32) -> Result<Vec<u8>, DecodeError> {
    encode(rgb, size, size)
}

/// Encodes the sheet as PNG. Its width is `(1 + views) * size` plus gaps.
///
/// # Errors
/// A sheet that is too large for a PNG, or an invalid thumbnail.
pub fn sheet(previews: &[Preview], size: u32) -> Result<Vec<u8>, DecodeError> {
    let side = size as usize;
    let columns = 1 + previews.iter().map(|preview| preview.views.len()).max().unwrap_or(0);
    let (width, height) = (columns * (side + GAP) + GAP, previews.len() * (side + GAP) + GAP);
    let mut canvas = Canvas { width, rgb: vec![0xF6; width * height * 3] };
    let mut decoder = Decoder::new();
    for (row, preview) in previews.iter().enumerate() {
        let top = GAP + row * (side + GAP);
        let mut small = Pixels::default();
        decoder.decode(&preview.source.jpeg, &DecodeOptions::default(), &mut small)?;
        let (w, h) = (small.width as usize, small.height as usize);
        let (left, down) = (GAP + side.saturating_sub(w) / 2, top + side.saturating_sub(h) / 2);
        canvas.paste(&small.rgb, w, left, down);
        for (view, color) in preview.views.iter().zip(COLORS.into_iter().cycle()) {
            let crop = view.shown(size);
            let (across, along) = preview.source.source;
            let x = |at: u32| left + (u64::from(at) * w as u64 / u64::from(across.max(1))) as usize;
            let y = |at: u32| down + (u64::from(at) * h as u64 / u64::from(along.max(1))) as usize;
            canvas.frame(x(crop.left), y(crop.top), x(crop.left + crop.width), y(crop.top + crop.height), color);
        }
        for (number, view) in preview.views.iter().enumerate() {
            canvas.paste(&view.rgb, side, GAP + (number + 1) * (side + GAP), top);
        }
    }
    let too_large = |_| DecodeError::new(BadReason::Oversized, "the sheet is too large for a PNG");
    encode(&canvas.rgb, u32::try_from(width).map_err(too_large)?, u32::try_from(height).map_err(too_large)?)
}

struct Canvas {
    width: usize,
    rgb: Vec<u8>,
}

impl Canvas {
    /// Draws an image of `width` pixels at (left, top), clipped to the canvas.
    fn paste(&mut self, rgb: &[u8], width: usize, left: usize, top: usize) {
        let rows = self.rgb.chunks_exact_mut(self.width * 3).skip(top);
        for (to, from) in rows.zip(rgb.chunks_exact(width.max(1) * 3)) {
            for (to, from) in to.iter_mut().skip(left * 3).zip(from) {
                *to = *from;
            }
        }
    }

    /// Draws a frame two pixels wide inside [left, right) x [top, bottom).
    fn frame(&mut self, left: usize, top: usize, right: usize, bottom: usize, color: [u8; 3]) {
        let rows = self.rgb.chunks_exact_mut(self.width * 3).enumerate().take(bottom).skip(top);
        for (y, row) in rows {
            let edge = y < top + 2 || y + 2 >= bottom;
            for (x, pixel) in row.chunks_exact_mut(3).enumerate().take(right).skip(left) {
                if edge || x < left + 2 || x + 2 >= right {
                    pixel.copy_from_slice(&color);
                }
            }
        }
    }
}

fn encode(rgb: &[u8], width: u32, height: u32) -> Result<Vec<u8>, DecodeError> {
    let failed = |error: png::EncodingError| DecodeError::new(BadReason::Panicked, error.to_string());
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.add_text_chunk("Software".to_owned(), "Mochi".to_owned()).map_err(failed)?;
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(rgb).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(file)
}
