//! JPEG decoding with libjpeg-turbo and the options of Pillow: "islow" IDCT and smooth chroma upsampling.
//!
//! Warnings of libjpeg-turbo can be harmless or mean damage; [`repair`] distinguishes the two.

mod repair;
#[cfg(test)]
mod repair_tests;
#[cfg(test)]
mod tests;

use turbojpeg::{Colorspace, Decompressor, Error, Image, PixelFormat, ScalingFactor};

use super::{DecodeOptions, Pixels, check_size, memory};
use crate::error::{BadReason, DecodeError};

/// Maximum number of scans in a progressive JPEG. Encoders write about ten; a malicious file can take minutes.
const MAX_SCANS: u32 = 200;
/// Number of stray bytes before a marker inside of the image that are tolerated. More bytes mean that the entropy-coded data is damaged. Before the end
/// marker any number is tolerated, because all pixels were decoded without a warning.
const MAX_EXTRANEOUS: u32 = 64;
/// Working memory of a progressive image: coefficients of three components (6 bytes per pixel) and RGB.
const BYTES_PER_PIXEL: u64 = 9;

/// Decodes a JPEG into `pixels`, whose contents are unspecified after an error. `scratch` is working memory.
pub(super) fn decode(
    bytes: &[u8],
    options: &DecodeOptions,
    pixels: &mut Pixels,
    scratch: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    try_repaired(bytes, options, pixels, scratch).map_err(|error| {
        // Truncated data often causes another error message; a missing end marker shows the truncation.
        let cut = error.reason == BadReason::Corrupt && !bytes.windows(2).rev().any(|w| w == [0xFF, 0xD9]);
        if cut { DecodeError { reason: BadReason::Truncated, ..error } } else { error }
    })
}

/// Decodes the file. If libjpeg-turbo warns, decodes a copy without the harmless parts.
fn try_repaired(
    bytes: &[u8],
    options: &DecodeOptions,
    pixels: &mut Pixels,
    scratch: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let first = match try_any(bytes, options, pixels, scratch) {
        Err(error) if is_repairable(&error.detail) => error,
        done => return done,
    };
    let mut last = first;
    for strip_padding in [false, true] {
        let Some(repaired) = repair::repair(bytes, strip_padding) else { return Err(last) };
        match try_any(&repaired, options, pixels, scratch) {
            Ok(()) => return Ok(()),
            Err(error) => {
                if extraneous(&error.detail).is_some_and(|(count, marker)| marker == 0xD9 || count <= MAX_EXTRANEOUS) {
                    return Ok(());
                }
                // The first warning is the relevant one: stripping may have removed image data.
                if !strip_padding {
                    last = error;
                }
                if extraneous(&last.detail).is_none() {
                    return Err(last);
                }
            }
        }
    }
    Err(last)
}

fn try_any(
    bytes: &[u8],
    options: &DecodeOptions,
    pixels: &mut Pixels,
    scratch: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    // A new decompressor each time: libjpeg would use the tables of the previous file for a file without tables.
    let mut decompressor = Decompressor::new().map_err(broken)?;
    decompressor.set_scan_limit(MAX_SCANS).map_err(broken)?;
    let header = decompressor.read_header(bytes).map_err(broken)?;
    let (w, h) = check_size(header.width as u64, header.height as u64)?;
    let area = u64::from(w) * u64::from(h);
    // An MCU covers at most 32 x 32 pixels and takes at least one bit. Arithmetic coding may need less.
    if !header.is_arithmetic && bytes.len() as u64 * 8 < area / 1024 {
        let detail = format!("{} bytes cannot hold {w} x {h} pixels", bytes.len());
        return Err(DecodeError::new(BadReason::Truncated, detail));
    }
    let _permit = memory::reserve(area * BYTES_PER_PIXEL);
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
        let done = decompressor.decompress(bytes, output).map_err(broken);
        // After a warning too: the image may be complete.
        cmyk_to_rgb(scratch, &mut pixels.rgb);
        done?;
    } else {
        let output = Image { pixels: &mut pixels.rgb[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
        decompressor.decompress(bytes, output).map_err(broken)?;
    }
    Ok(())
}

/// The smallest scale of 1/2, 1/4 and 1/8 that leaves `keep` pixels on the shorter side.
fn scaling_for(short: usize, keep: u32) -> ScalingFactor {
    [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF]
        .into_iter()
        .find(|factor| factor.scale(short) >= keep as usize)
        .unwrap_or(ScalingFactor::ONE)
}

/// Whether libjpeg-turbo's message (wording of its `jerror.h`) is about a part that [`repair`] removes.
fn is_repairable(message: &str) -> bool {
    let wordings = [
        "unknown JFIF revision",
        "Unknown Adobe color transform",
        "Invalid SOS parameters for sequential",
        "ICC",
        "extraneous bytes before marker",
        // The end marker is missing, or bytes after a complete image were read.
        "Premature end of JPEG file",
        "Unsupported marker type",
        "two SOI markers",
    ];
    wordings.iter().any(|wording| message.contains(wording))
}

/// "239 extraneous bytes before marker 0xd9" as (239, 0xD9).
fn extraneous(message: &str) -> Option<(u32, u8)> {
    let (before, after) = message.split_once(" extraneous bytes before marker 0x")?;
    let count = before.rsplit(' ').next()?.parse().ok()?;
    Some((count, u8::from_str_radix(after.get(..2)?, 16).ok()?))
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

/// Whether libjpeg-turbo was built with SIMD code, according to the build script. Without it, decoding takes two to four times as long and gives the same
/// pixels.
pub fn simd_in_jpeg() -> bool {
    env!("MOCHI_JPEG_SIMD") == "1"
}
