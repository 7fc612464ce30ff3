//! Encoding of an image in a shard: its bytes unchanged, or a smaller JPEG.
//!
//! Every image is decoded, so that bad images are found now and not in training. Resizing uses Pillow's antialiased bilinear filter and the size of
//! torchvision's `Resize(short_side)`. The result is a JPEG of quality 95 with 4:2:0 chroma subsampling. Resizing loses fine detail, alpha, 16-bit
//! depth, CMYK (converted as in training) and metadata. A JPEG keeps its EXIF orientation (pixels are not rotated, as in training) and an RGB color
//! profile. Raw images (IDX, CIFAR) become PNG, which is lossless.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mochi_views::decode::{self, DecodeOptions, Decoder, Format, Pixels, sniff};
use mochi_views::views::ImageResizer;
use mochi_views::{BadReason, DecodeError};
use turbojpeg::{Compressor, PixelFormat, Subsamp};

use crate::dataset::Dataset;
use crate::read_error::ReadError;

const QUALITY: i32 = 95;

/// An image for a shard.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    /// "jpg", "png" or "webp", from the content.
    pub(super) extension: &'static str,
    pub(super) resized: bool,
}

/// Decoder and buffers of one thread.
#[derive(Default)]
pub(super) struct Encoder {
    decoder: Decoder,
    pixels: Pixels,
    resizer: ImageResizer,
}

impl Encoder {
    /// Reads, checks and, if requested, resizes an image. If this panics, the image is bad.
    pub(super) fn prepare(
        &mut self,
        dataset: &Dataset,
        image: u32,
        short_side: Option<u32>,
    ) -> Result<Encoded, ReadError> {
        let made = catch_unwind(AssertUnwindSafe(|| self.try_prepare(dataset, image as usize, short_side)));
        made.unwrap_or_else(|_| {
            *self = Self::default();
            Err(DecodeError::new(BadReason::Panicked, "the decoder panicked").into())
        })
    }

    fn try_prepare(&mut self, dataset: &Dataset, index: usize, short_side: Option<u32>) -> Result<Encoded, ReadError> {
        let mut bytes = Vec::new();
        dataset.read(index, &mut bytes)?;
        dataset.decode(index, &bytes, &mut self.decoder, &DecodeOptions::default(), &mut self.pixels)?;
        if let Some(short) = short_side.filter(|&n| self.pixels.width.min(self.pixels.height) > n) {
            let small = self.shrink(short);
            let bytes = with_segments(to_jpeg(&small)?, &bytes);
            return Ok(Encoded { bytes, extension: "jpg", resized: true });
        }
        if dataset.is_raw() {
            return Ok(Encoded { bytes: to_png(&self.pixels)?, extension: "png", resized: false });
        }
        let extension = match sniff(&bytes) {
            Some(Format::Png) => "png",
            Some(Format::WebP) => "webp",
            // Other formats cannot be decoded.
            Some(Format::Jpeg) | None => "jpg",
        };
        Ok(Encoded { bytes, extension, resized: false })
    }

    fn shrink(&mut self, short: u32) -> Pixels {
        let (width, height) = shrunk(self.pixels.width, self.pixels.height, short);
        self.resizer.resize(&self.pixels, width, height)
    }
}

/// Width and height with `short` on the short side; the long side is truncated to an integer, as in torchvision's `Resize`.
fn shrunk(width: u32, height: u32, short: u32) -> (u32, u32) {
    let (low, high) = (u64::from(width.min(height).max(1)), u64::from(width.max(height)));
    let long = (high * u64::from(short) / low) as u32;
    if width <= height { (short, long) } else { (long, short) }
}

fn impossible(error: impl std::fmt::Display) -> DecodeError {
    DecodeError::new(BadReason::Unsupported, format!("it could not be re-encoded: {error}"))
}

fn to_jpeg(pixels: &Pixels) -> Result<Vec<u8>, DecodeError> {
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    let image = turbojpeg::Image { pixels: &pixels.rgb[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
    let mut compressor = Compressor::new().map_err(impossible)?;
    compressor.set_quality(QUALITY).map_err(impossible)?;
    compressor.set_subsamp(Subsamp::Sub2x2).map_err(impossible)?;
    compressor.compress_to_vec(image).map_err(impossible)
}

fn to_png(pixels: &Pixels) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, pixels.width, pixels.height);
    encoder.set_depth(png::BitDepth::Eight);
    let gray = pixels.rgb.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]);
    encoder.set_color(if gray { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    let mut writer = encoder.write_header().map_err(impossible)?;
    if gray {
        let plane: Vec<u8> = pixels.rgb.iter().step_by(3).copied().collect();
        writer.write_image_data(&plane).map_err(impossible)?;
    } else {
        writer.write_image_data(&pixels.rgb).map_err(impossible)?;
    }
    writer.finish().map_err(impossible)?;
    Ok(bytes)
}

/// Inserts the segments to keep, orientation and RGB color profile, after the start marker of the new JPEG.
fn with_segments(jpeg: Vec<u8>, source: &[u8]) -> Vec<u8> {
    if sniff(source) != Some(Format::Jpeg) {
        return jpeg;
    }
    let mut kept = Vec::new();
    let orientation = decode::orientation(source);
    if orientation > 1 {
        // APP1: EXIF with this one tag (0x0112, one SHORT), big-endian.
        kept.extend_from_slice(b"\xFF\xE1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0");
        kept.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0]);
    }
    kept.extend(profile(source));
    if kept.is_empty() {
        return jpeg;
    }
    let (start, rest) = jpeg.split_at(2.min(jpeg.len()));
    [start, &kept, rest].concat()
}

/// The ICC segments (APP2) of a JPEG, if the profile is for RGB, as the decoded pixels are.
fn profile(jpeg: &[u8]) -> Vec<u8> {
    let mut found = Vec::new();
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = jpeg.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        let length = usize::from(u16::from_be_bytes([high, low])).max(2);
        let Some(segment) = jpeg.get(at..at + 2 + length) else { break };
        if marker == 0xDA {
            break;
        }
        if marker == 0xE2
            && let Some(chunk) = segment.get(4..).and_then(|body| body.strip_prefix(b"ICC_PROFILE\0"))
        {
            // Number and count, then the profile; its color space is at byte 16.
            if chunk.first() == Some(&1) && chunk.get(18..22) != Some(b"RGB ") {
                return Vec::new();
            }
            found.extend_from_slice(segment);
        }
        at += 2 + length;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_side_follows_the_short_one() {
        assert_eq!(shrunk(500, 333, 256), (384, 256));
        assert_eq!(shrunk(500, 375, 256), (341, 256));
        assert_eq!(shrunk(333, 500, 256), (256, 384));
        assert_eq!(shrunk(257, 257, 256), (256, 256));
        assert_eq!(shrunk(1, 60_000, 1), (1, 60_000));
    }

    /// Pillow and torchvision made these files (`make_views.py`).
    #[test]
    fn shrinking_is_pillows_bilinear_resize() {
        let read = |name: &str| {
            let path =
                std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../mochi-views/tests/fixtures/views").join(name);
            let mut pixels = Pixels::default();
            let bytes = std::fs::read(path).unwrap();
            Decoder::new().decode(&bytes, &DecodeOptions::default(), &mut pixels).unwrap();
            pixels
        };
        for name in ["eval-wide", "eval-tall"] {
            let mut encoder = Encoder { pixels: read(&format!("{name}-source.png")), ..Encoder::default() };
            let small = encoder.shrink(32);
            // Short side to 32, then the middle 28 x 28.
            let want = read(&format!("{name}.png"));
            let middle = |side: u32| ((f64::from(side) - 28.0) / 2.0).round_ties_even() as usize;
            let (left, top) = (middle(small.width), middle(small.height));
            let mut most = 0;
            for (y, row) in want.rgb.chunks_exact(28 * 3).enumerate() {
                let from = ((top + y) * small.width as usize + left) * 3;
                for (a, b) in row.iter().zip(&small.rgb[from..from + 28 * 3]) {
                    most = most.max(a.abs_diff(*b));
                }
            }
            assert_eq!(most, 0, "{name}");
        }
    }

    #[test]
    fn orientation_and_rgb_profiles_survive_other_profiles_do_not() {
        let small = Pixels { width: 8, height: 8, rgb: vec![90; 192] };
        let jpeg = to_jpeg(&small).unwrap();
        let source = |space: &[u8; 4]| {
            let mut body = b"ICC_PROFILE\0\x01\x01".to_vec();
            body.extend([0; 16]);
            body.extend(space);
            let mut bytes =
                b"\xFF\xD8\xFF\xE1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06".to_vec();
            bytes.extend([0; 6]);
            bytes.extend([0xFF, 0xE2, 0, body.len() as u8 + 2]);
            bytes.extend(&body);
            bytes.extend([0xFF, 0xDA, 0, 2]);
            bytes
        };
        let kept = with_segments(jpeg.clone(), &source(b"RGB "));
        assert_eq!(decode::orientation(&kept), 6);
        assert_eq!(profile(&kept).len(), 4 + 34);
        let mut pixels = Pixels::default();
        Decoder::new().decode(&kept, &DecodeOptions::default(), &mut pixels).unwrap();
        let kept = with_segments(jpeg.clone(), &source(b"CMYK"));
        assert!(profile(&kept).is_empty() && decode::orientation(&kept) == 6);
        assert_eq!(with_segments(jpeg.clone(), b"\x89PNG\r\n\x1a\n"), jpeg);
    }
}
