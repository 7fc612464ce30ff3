//! All measurements of one image, made in one pass while its bytes and pixels are in memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use mochi_views::decode::{DecodeOptions, Decoder, Pixels};
use mochi_views::perceptual_hash::{MIN_QUALITY, PerceptualHash, PerceptualHasher};
use mochi_views::statistics::Moments;
use mochi_views::{BadReason, DecodeError};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::probe::{ColorType, probe};
use crate::dataset::Dataset;
use crate::read_error::ReadError;

/// Data that is kept in memory for each readable image.
pub(super) struct ImageSummary {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Number of encoded bytes; 0 for raw pixels.
    pub(super) encoded: u64,
    pub(super) byte_hash: u64,
    /// Hash of width, height and RGB.
    pub(super) pixel_hash: u128,
    pub(super) perceptual_hash: PerceptualHash,
    /// Too little detail for a meaningful perceptual hash.
    pub(super) low_detail: bool,
}

/// All measurements of one image.
pub(super) struct Inspection {
    pub(super) summary: ImageSummary,
    pub(super) format: &'static str,
    pub(super) color_type: ColorType,
    pub(super) bits: u8,
    pub(super) exif_rotated: bool,
    pub(super) wrong_extension: bool,
    pub(super) moments: Moments,
    pub(super) reading: Duration,
    pub(super) decoding: Duration,
}

/// Decoder and buffers of one thread.
#[derive(Default)]
pub(super) struct Inspector {
    bytes: Vec<u8>,
    decoder: Decoder,
    pixels: Pixels,
    hasher: PerceptualHasher,
}

impl Inspector {
    /// Measures image `index`. If the decoder panics, the image is bad.
    pub(super) fn inspect(&mut self, dataset: &Dataset, index: usize) -> Result<Inspection, ReadError> {
        catch_unwind(AssertUnwindSafe(|| self.try_inspect(dataset, index))).unwrap_or_else(|_| {
            // A panic may leave the buffers in an inconsistent state.
            *self = Self::default();
            Err(DecodeError::new(BadReason::Panicked, "the decoder panicked").into())
        })
    }

    fn try_inspect(&mut self, dataset: &Dataset, index: usize) -> Result<Inspection, ReadError> {
        let begun = Instant::now();
        dataset.read(index, &mut self.bytes)?;
        let read = Instant::now();
        dataset.decode(index, &self.bytes, &mut self.decoder, &DecodeOptions::default(), &mut self.pixels)?;
        let decoded = Instant::now();

        let (bytes, pixels) = (&self.bytes[..], &self.pixels);
        let moments = Moments::of(pixels);
        let header = probe(bytes);
        let (perceptual_hash, quality) = self.hasher.hash(pixels);
        let raw = if moments.grayscale { ColorType::Grayscale } else { ColorType::Rgb };
        let format = header.map_or(dataset.kind(), |header| header.format);
        let mut hash = Xxh3::new();
        hash.update(&pixels.width.to_le_bytes());
        hash.update(&pixels.height.to_le_bytes());
        hash.update(&pixels.rgb);
        Ok(Inspection {
            summary: ImageSummary {
                width: pixels.width,
                height: pixels.height,
                encoded: bytes.len() as u64,
                byte_hash: xxh3_64(bytes),
                pixel_hash: hash.digest128(),
                perceptual_hash,
                low_detail: quality < MIN_QUALITY,
            },
            format,
            color_type: header.map_or(raw, |header| header.color_type),
            bits: header.map_or(8, |header| header.bits),
            exif_rotated: header.is_some_and(|header| header.exif_rotated),
            wrong_extension: header.is_some() && wrong_extension(dataset, index, format),
            moments,
            reading: read - begun,
            decoding: decoded - read,
        })
    }
}

/// Whether the file name has the extension of another format.
fn wrong_extension(dataset: &Dataset, index: usize, format: &str) -> bool {
    let path = dataset.path_of(index).unwrap_or_default();
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let named = match extension.as_str() {
        "jpg" | "jpeg" | "jpe" | "jfif" => "JPEG",
        "png" => "PNG",
        "webp" => "WebP",
        _ => return false,
    };
    named != format
}
