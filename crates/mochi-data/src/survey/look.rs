//! One image, looked at from all sides in one go, while its bytes and pixels are at hand.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::fingerprint::{Fingerprint, Fingerprinter, LEAST_QUALITY};
use super::probe::{Colour, probe};
use super::statistics::Moments;
use crate::dataset::Dataset;
use crate::decode::{DecodeOptions, Decoder, Pixels};
use crate::error::{BadReason, DecodeError};
use crate::read_error::ReadError;

/// What stays in memory of a readable image.
pub(super) struct Seen {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Encoded bytes; 0 where pixels are stored as they are.
    pub(super) encoded: u64,
    pub(super) byte_hash: u64,
    /// Of width, height and RGB.
    pub(super) pixel_hash: u128,
    pub(super) fingerprint: Fingerprint,
    /// Too little in it for the fingerprint to say something.
    pub(super) flat: bool,
}

/// What is counted and forgotten.
pub(super) struct Look {
    pub(super) seen: Seen,
    pub(super) format: &'static str,
    pub(super) colour: Colour,
    pub(super) bits: u8,
    pub(super) turned: bool,
    pub(super) misnamed: bool,
    pub(super) moments: Moments,
    pub(super) reading: Duration,
    pub(super) decoding: Duration,
}

/// The buffers of one thread.
#[derive(Default)]
pub(super) struct Looker {
    bytes: Vec<u8>,
    decoder: Decoder,
    pixels: Pixels,
    fingerprinter: Fingerprinter,
}

impl Looker {
    /// Looks at image `index`. A panic on the way counts as a bad image.
    pub(super) fn look(&mut self, dataset: &Dataset, index: usize) -> Result<Look, ReadError> {
        catch_unwind(AssertUnwindSafe(|| self.try_look(dataset, index))).unwrap_or_else(|_| {
            // What a panic leaves in the buffers is not to be trusted.
            *self = Self::default();
            Err(DecodeError::new(BadReason::Panicked, "the decoder panicked").into())
        })
    }

    fn try_look(&mut self, dataset: &Dataset, index: usize) -> Result<Look, ReadError> {
        let begun = Instant::now();
        dataset.read(index, &mut self.bytes)?;
        let read = Instant::now();
        dataset.decode(index, &self.bytes, &mut self.decoder, &DecodeOptions::default(), &mut self.pixels)?;
        let decoded = Instant::now();

        let (bytes, pixels) = (&self.bytes[..], &self.pixels);
        let moments = Moments::of(pixels);
        let header = probe(bytes);
        let (fingerprint, quality) = self.fingerprinter.make(pixels);
        let raw = if moments.grey { Colour::Grey } else { Colour::Rgb };
        let format = header.map_or(dataset.kind(), |header| header.format);
        let mut hash = Xxh3::new();
        hash.update(&pixels.width.to_le_bytes());
        hash.update(&pixels.height.to_le_bytes());
        hash.update(&pixels.rgb);
        Ok(Look {
            seen: Seen {
                width: pixels.width,
                height: pixels.height,
                encoded: bytes.len() as u64,
                byte_hash: xxh3_64(bytes),
                pixel_hash: hash.digest128(),
                fingerprint,
                flat: quality < LEAST_QUALITY,
            },
            format,
            colour: header.map_or(raw, |header| header.colour),
            bits: header.map_or(8, |header| header.bits),
            turned: header.is_some_and(|header| header.turned),
            misnamed: header.is_some() && misnamed(dataset, index, format),
            moments,
            reading: read - begun,
            decoding: decoded - read,
        })
    }
}

/// The name ends in another format's extension.
fn misnamed(dataset: &Dataset, index: usize, format: &str) -> bool {
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
