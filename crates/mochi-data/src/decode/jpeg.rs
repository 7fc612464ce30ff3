//! JPEG: ordinary photographs by `mochi-jpeg`, everything else by libjpeg-turbo, to whose bits the former is held.
//!
//! libjpeg-turbo runs as in Pillow: with its IDCT "islow" and smooth chroma upsampling. It alone judges files that are broken.

#[cfg(test)]
mod tests;

use turbojpeg::{Colorspace, Decompressor, Error, Image, PixelFormat, ScalingFactor};

use super::{DecodeOptions, Pixels, check_size};
use crate::error::{BadReason, DecodeError};

/// Most scans in a progressive JPEG: real encoders write about ten; a forged file can ask for minutes of work.
const MAX_SCANS: u32 = 200;
/// Stray bytes between segments that are put up with. More means that the entropy-coded data went wrong.
const MAX_EXTRANEOUS: u32 = 64;

pub(super) struct JpegDecoder {
    fast: mochi_jpeg::Decoder,
}

impl JpegDecoder {
    pub(super) fn new() -> Self {
        Self { fast: mochi_jpeg::Decoder::new() }
    }

    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        options: &DecodeOptions,
        pixels: &mut Pixels,
        scratch: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        if options.shrink_to.is_none() && self.try_fast(bytes, pixels) {
            return Ok(());
        }
        Self::decode_any(bytes, options, pixels, scratch)
    }

    /// Whether `mochi-jpeg` took the file.
    fn try_fast(&mut self, bytes: &[u8], pixels: &mut Pixels) -> bool {
        let Ok(header) = mochi_jpeg::Header::read(bytes) else { return false };
        let Ok((width, height)) = check_size(header.width().into(), header.height().into()) else { return false };
        pixels.shape(width, height);
        self.fast.decode(&header, bytes, &mut pixels.rgb).is_ok()
    }

    /// By libjpeg-turbo.
    fn decode_any(
        bytes: &[u8],
        options: &DecodeOptions,
        pixels: &mut Pixels,
        scratch: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        Self::try_any(bytes, options, pixels, scratch).map_err(|error| {
            // Bits that run out often end in some other complaint; a missing end marker tells.
            let cut = error.reason == BadReason::Corrupt && !bytes.windows(2).rev().any(|w| w == [0xFF, 0xD9]);
            if cut { DecodeError { reason: BadReason::Truncated, ..error } } else { error }
        })
    }

    fn try_any(
        bytes: &[u8],
        options: &DecodeOptions,
        pixels: &mut Pixels,
        scratch: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        // A new one each time: libjpeg lends a file that lacks its tables those of the file before.
        let mut decompressor = Decompressor::new().map_err(broken)?;
        decompressor.set_scan_limit(MAX_SCANS).map_err(broken)?;
        let header = decompressor.read_header(bytes).map_err(broken)?;
        check_size(header.width as u64, header.height as u64)?;
        let shrink = match options.shrink_to {
            Some(keep) if !header.is_lossless => scaling_for(header.width.min(header.height), keep),
            _ => ScalingFactor::ONE,
        };
        decompressor.set_scaling_factor(shrink).map_err(broken)?;
        decompressor.set_fast_upsample(options.shrink_to.is_some()).map_err(broken)?;
        let (width, height) = (shrink.scale(header.width), shrink.scale(header.height));
        pixels.shape(width as u32, height as u32);
        if matches!(header.colorspace, Colorspace::CMYK | Colorspace::YCCK) {
            scratch.resize(width * height * 4, 0);
            let output = Image { pixels: &mut scratch[..], width, pitch: width * 4, height, format: PixelFormat::CMYK };
            decompressor.decompress(bytes, output).or_else(forgive)?;
            cmyk_to_rgb(scratch, &mut pixels.rgb);
        } else {
            let output =
                Image { pixels: &mut pixels.rgb[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
            decompressor.decompress(bytes, output).or_else(forgive)?;
        }
        Ok(())
    }
}

/// The strongest of 1/2, 1/4, 1/8 that leaves `keep` pixels on the shorter side.
fn scaling_for(short: usize, keep: u32) -> ScalingFactor {
    [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF]
        .into_iter()
        .find(|factor| factor.scale(short) >= keep as usize)
        .unwrap_or(ScalingFactor::ONE)
}

/// libjpeg-turbo reports its last warning as an error although the picture is whole: let harmless ones pass.
///
/// The wording is that of libjpeg's `jerror.h`.
fn forgive(error: Error) -> Result<(), DecodeError> {
    let message = error.to_string();
    let harmless =
        ["unknown JFIF revision", "Unknown Adobe color transform", "Invalid SOS parameters for sequential", "ICC"];
    if harmless.iter().any(|words| message.contains(words)) {
        return Ok(());
    }
    if let Some(before) = message.split(" extraneous bytes before marker").next().filter(|b| b.len() < message.len()) {
        let count = before.rsplit(' ').next().and_then(|n| n.parse::<u32>().ok());
        if count.is_some_and(|n| n <= MAX_EXTRANEOUS) {
            return Ok(());
        }
    }
    Err(broken(error))
}

fn broken(error: Error) -> DecodeError {
    let detail = error.to_string();
    let reason = if ["Premature end", "premature end", "Input file is empty", "ended unexpectedly"]
        .iter()
        .any(|w| detail.contains(w))
    {
        BadReason::Truncated
    } else if ["Unsupported", "not supported", "precision"].iter().any(|w| detail.contains(w)) {
        BadReason::Unsupported
    } else {
        BadReason::Corrupt
    };
    DecodeError { reason, detail }
}

/// Pillow's CMYK to RGB, `clip(255 - k - c (255 - k) / 255)`, after its assumption that JPEG stores CMYK inverted (Adobe).
fn cmyk_to_rgb(cmyk: &[u8], rgb: &mut [u8]) {
    for (from, to) in cmyk.chunks_exact(4).zip(rgb.chunks_exact_mut(3)) {
        // Stored inverted: the stored k is already 255 - k.
        let not_k = i32::from(from[3]);
        for (channel, out) in to.iter_mut().enumerate() {
            let ink = 255 - i32::from(from[channel]);
            // MULDIV255: rounding division by 255 without dividing.
            let product = ink * not_k + 128;
            *out = (not_k - (((product >> 8) + product) >> 8)).clamp(0, 255) as u8;
        }
    }
}

/// Whether libjpeg-turbo was built with its SIMD code, as the build script saw it (an assembler was there, or none is needed).
/// Without it decoding takes two to four times as long; the pixels are the same.
pub fn simd_in_jpeg() -> bool {
    env!("MOCHI_JPEG_SIMD") == "1"
}
