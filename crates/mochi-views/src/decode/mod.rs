//! Decoding of images to RGB pixels, as Pillow's `Image.open(f).convert("RGB")`.
//!
//! The format is recognized by content. Alpha is dropped, grayscale is repeated in three channels, palettes are expanded, 16-bit samples keep their high
//! byte, and CMYK is converted with Pillow's formula. EXIF orientation is ignored by default.
//!
//! Intended differences from Pillow: a 16-bit grayscale PNG keeps the high bytes (Pillow clips values above 255 to white), and JPEG data that libjpeg
//! reports as corrupt is a bad image (Pillow returns it).

mod exif;
mod header;
mod jpeg;
mod memory;
mod png_webp;
mod unknown;

use crate::error::{BadReason, DecodeError};

pub use exif::orientation;
pub use header::{ImageHeader, read_header};
pub use jpeg::simd_in_jpeg;

/// Maximum number of pixels of an image: Pillow warns of a decompression bomb above this (89,478,485; 256 MiB of RGB).
pub const MAX_PIXELS: u64 = 89_478_485;
/// Maximum size of an encoded file (512 MiB).
pub const MAX_FILE_BYTES: u64 = 512 << 20;

/// Buffers above this size (64 MiB) are released when a much smaller image follows.
const KEPT_BYTES: usize = 64 << 20;

/// RGB pixels, 8 bits per channel, interleaved, rows from the top: (height, width, 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pixels {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `height * width * 3` bytes. The allocation is reused for the next image.
    pub rgb: Vec<u8>,
}

impl Pixels {
    /// Sets the size and allocates; contents are unspecified afterwards.
    pub fn shape(&mut self, width: u32, height: u32) {
        self.width = width;
        self.height = height;
        let need = width as usize * height as usize * 3;
        // A huge image must not keep its memory for the rest of the run.
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
    /// PNG; the default image of an animated PNG.
    Png,
    /// WebP; the first frame of an animated WebP.
    WebP,
}

/// Recognizes the format from the first bytes (12 are sufficient).
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

/// Options of decoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Apply the EXIF orientation (JPEG only). Off by default, as in Pillow and torchvision.
    pub exif_orientation: bool,
    /// For JPEG: decode at 1/2, 1/4 or 1/8 of the size (in the DCT domain) as long as the shorter side keeps this many pixels, and use fast chroma
    /// upsampling. Not exact: see `data.fast_decode` in the settings.
    pub shrink_to: Option<u32>,
}

/// Decodes images and reuses its buffers.
#[derive(Default)]
pub struct Decoder {
    scratch: Vec<u8>,
}

impl Decoder {
    /// Makes a decoder with empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes `bytes` into `pixels`. On an error the contents of `pixels` are unspecified.
    pub fn decode(&mut self, bytes: &[u8], options: &DecodeOptions, pixels: &mut Pixels) -> Result<(), DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::new(BadReason::Empty, "the file has no bytes"));
        }
        match sniff(bytes) {
            Some(Format::Jpeg) => {
                jpeg::decode(bytes, options, pixels, &mut self.scratch)?;
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

/// Refuses images without pixels and decompression bombs before anything is allocated.
pub fn check_size(width: u64, height: u64) -> Result<(u32, u32), DecodeError> {
    match (u32::try_from(width), u32::try_from(height)) {
        (Ok(w), Ok(h)) if w > 0 && h > 0 && width.saturating_mul(height) <= MAX_PIXELS => Ok((w, h)),
        _ if width == 0 || height == 0 => Err(DecodeError::new(BadReason::Corrupt, "the image has no pixels")),
        _ => Err(DecodeError::new(
            BadReason::Oversized,
            format!("{width} x {height} pixels; at most {MAX_PIXELS} are decoded"),
        )),
    }
}
