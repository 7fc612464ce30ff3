//! From encoded bytes to RGB pixels, as Pillow's `Image.open(f).convert("RGB")` gives them.
//!
//! The format is told by content, never by name. Alpha is dropped, gray is repeated, palettes are looked up, 16-bit samples
//! keep their high byte, CMYK is converted with Pillow's formula; orientation in EXIF is ignored unless asked for.
//!
//! Where we differ from Pillow on purpose: 16-bit gray PNG (Pillow clips values above 255 to white, which loses the picture;
//! here the high byte is kept), and JPEG data that libjpeg warns about as corrupt (Pillow passes the garbage on; here it is a
//! bad image).

pub(crate) mod exif;
mod jpeg;
mod memory;
mod png_webp;
mod unknown;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use crate::error::{BadReason, DecodeError};
use crate::read_error::ReadError;

pub(crate) use exif::orientation;
pub use jpeg::simd_in_jpeg;

/// Most pixels that an image may have: Pillow warns of a decompression bomb above this (89,478,485; 256 MiB of RGB).
pub const MAX_PIXELS: u64 = 89_478_485;
/// Most bytes that an encoded file may have (512 MiB).
pub const MAX_FILE_BYTES: u64 = 512 << 20;

/// Buffers above this size (64 MiB) are given back when a much smaller image follows.
const KEPT_BYTES: usize = 64 << 20;

/// RGB pixels, 8 bits a channel, interleaved, rows from the top: (height, width, 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pixels {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `height * width * 3` bytes. The allocation is kept when the next image is decoded into it.
    pub rgb: Vec<u8>,
}

impl Pixels {
    /// Sets the size and makes room; contents are unspecified afterwards.
    pub(crate) fn shape(&mut self, width: u32, height: u32) {
        self.width = width;
        self.height = height;
        let need = width as usize * height as usize * 3;
        // One huge image must not hold its memory for the rest of the run.
        if self.rgb.capacity() > KEPT_BYTES && self.rgb.capacity() / 4 > need {
            self.rgb = Vec::new();
        }
        self.rgb.resize(need, 0);
    }
}

/// Encoded formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG; of an animated one the default image.
    Png,
    /// WebP; of an animated one the first frame.
    WebP,
}

/// Tells the format by the first bytes (12 are enough).
pub fn sniff(bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        Some(Format::Jpeg)
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(Format::Png)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(Format::WebP)
    } else {
        None
    }
}

/// How to decode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Turn the image as its EXIF data says (JPEG only). Off, as in Pillow and torchvision.
    pub exif_orientation: bool,
    /// For JPEG: let the decoder shrink by 2, 4 or 8 (in the DCT domain) as long as the shorter side keeps this many pixels,
    /// and use the quicker chroma upsampling. Not exact: see [`crate::LoaderOptions::fast_decode`].
    pub shrink_to: Option<u32>,
}

/// Decodes one image after the other, keeping its buffers.
pub struct Decoder {
    jpeg: jpeg::JpegDecoder,
    scratch: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder with empty buffers.
    pub fn new() -> Self {
        Self { jpeg: jpeg::JpegDecoder::new(), scratch: Vec::new() }
    }

    /// Decodes `bytes` into `pixels`. On an error the contents of `pixels` are unspecified.
    pub fn decode(&mut self, bytes: &[u8], options: &DecodeOptions, pixels: &mut Pixels) -> Result<(), DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::new(BadReason::Empty, "the file has no bytes"));
        }
        match sniff(bytes) {
            Some(Format::Jpeg) => {
                self.jpeg.decode(bytes, options, pixels, &mut self.scratch)?;
                if options.exif_orientation {
                    exif::turn(exif::orientation(bytes), pixels, &mut self.scratch);
                }
                Ok(())
            }
            Some(Format::Png) => png_webp::decode_png(bytes, pixels, &mut self.scratch),
            Some(Format::WebP) => png_webp::decode_webp(bytes, pixels, &mut self.scratch),
            None => Err(unknown::describe(bytes)),
        }
    }
}

/// Seconds that each of the two JPEG decoders takes for the same files, those that `mochi-jpeg` accepts: the best of `rounds` rounds, in turn.
pub(crate) fn time_jpeg_decoders<'a>(files: impl Iterator<Item = &'a [u8]>, rounds: usize) -> Option<JpegTimes> {
    let (mut decoder, mut pixels, mut scratch) = (jpeg::JpegDecoder::new(), Pixels::default(), Vec::new());
    let accepted = |bytes: &&[u8]| sniff(bytes) == Some(Format::Jpeg) && decoder.try_fast(bytes, &mut pixels);
    let files: Vec<&[u8]> = files.filter(accepted).collect();
    if files.is_empty() {
        return None;
    }
    let (mut pixels, options) = (Pixels::default(), DecodeOptions::default());
    let mut best = [f64::INFINITY; 2];
    for _ in 0..rounds.max(1) {
        let started = Instant::now();
        for bytes in &files {
            decoder.try_fast(bytes, &mut pixels);
        }
        best[0] = best[0].min(started.elapsed().as_secs_f64());
        let started = Instant::now();
        for bytes in &files {
            // Files that only one of the two accepts do not occur here; an error would end the file early.
            let _ = jpeg::JpegDecoder::decode_any(bytes, &options, &mut pixels, &mut scratch);
        }
        best[1] = best[1].min(started.elapsed().as_secs_f64());
    }
    let [mochi_jpeg_s, libjpeg_turbo_s] = best;
    Some(JpegTimes { images: files.len(), mochi_jpeg_s, libjpeg_turbo_s, ratio: libjpeg_turbo_s / mochi_jpeg_s })
}

/// What [`time_jpeg_decoders`] measured, on one thread.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct JpegTimes {
    /// Files.
    pub images: usize,
    /// Seconds of `mochi-jpeg`.
    pub mochi_jpeg_s: f64,
    /// Seconds of libjpeg-turbo.
    pub libjpeg_turbo_s: f64,
    /// How many times as long libjpeg-turbo takes.
    pub ratio: f64,
}

/// Refuses sizes of zero and decompression bombs before anything is allocated.
pub(crate) fn check_size(width: u64, height: u64) -> Result<(u32, u32), DecodeError> {
    match (u32::try_from(width), u32::try_from(height)) {
        (Ok(w), Ok(h)) if w > 0 && h > 0 && width.saturating_mul(height) <= MAX_PIXELS => Ok((w, h)),
        _ if width == 0 || height == 0 => Err(DecodeError::new(BadReason::Corrupt, "the image has no pixels")),
        _ => Err(DecodeError::new(
            BadReason::Oversized,
            format!("{width} x {height} pixels; at most {MAX_PIXELS} are decoded"),
        )),
    }
}

/// Reads a whole file into `bytes`, keeping the allocation. Pipes and devices, which could block for ever, are refused.
pub(crate) fn read_file(path: &Path, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
    let failed = |e: std::io::Error| ReadError::of(path, e);
    bytes.clear();
    // Before opening: opening a named pipe would already block.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(DecodeError::new(BadReason::Unreadable, "not a regular file").into());
    }
    if metadata.len() > MAX_FILE_BYTES {
        let detail = format!("{} bytes; at most {MAX_FILE_BYTES} are read", metadata.len());
        return Err(DecodeError::new(BadReason::Oversized, detail).into());
    }
    let file = File::open(path).map_err(failed)?;
    bytes.reserve(metadata.len() as usize + 1);
    // One byte above the limit tells a file that grew meanwhile.
    file.take(MAX_FILE_BYTES + 1).read_to_end(bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(DecodeError::new(BadReason::Oversized, "the file grew beyond the limit while it was read").into());
    }
    Ok(())
}
