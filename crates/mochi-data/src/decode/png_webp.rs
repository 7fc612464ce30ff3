//! PNG by the `png` crate and WebP by `image-webp`: both pure Rust, both checked for size before anything is allocated.

use std::io::Cursor;

use png::{ColorType, DecodingError, Limits, Transformations};

use super::{MAX_PIXELS, Pixels, check_size};
use crate::error::{BadReason, DecodeError};

pub(super) fn decode_png(bytes: &[u8], pixels: &mut Pixels, scratch: &mut Vec<u8>) -> Result<(), DecodeError> {
    // Limits on what the decoder itself may allocate (ancillary chunks, rows).
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: 64 << 20 });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(png_error)?;
    let (w, h) = check_size(u64::from(reader.info().width), u64::from(reader.info().height))?;
    pixels.shape(w, h);
    let need = reader
        .output_buffer_size()
        .ok_or_else(|| DecodeError::new(BadReason::Oversized, "the image does not fit into memory"))?;
    let (colour, _) = reader.output_color_type();
    if colour == ColorType::Rgb && need == pixels.rgb.len() {
        reader.next_frame(&mut pixels.rgb).map_err(png_error)?;
        return Ok(());
    }
    // At most four bytes a pixel after stripping to 8 bits.
    if need as u64 > MAX_PIXELS * 4 {
        return Err(DecodeError::new(BadReason::Oversized, format!("{need} bytes of pixels")));
    }
    scratch.resize(need, 0);
    reader.next_frame(scratch).map_err(png_error)?;
    to_rgb(scratch, colour.samples(), &mut pixels.rgb);
    Ok(())
}

pub(super) fn decode_webp(bytes: &[u8], pixels: &mut Pixels, scratch: &mut Vec<u8>) -> Result<(), DecodeError> {
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(bytes)).map_err(webp_error)?;
    let (width, height) = decoder.dimensions();
    let (w, h) = check_size(u64::from(width), u64::from(height))?;
    decoder.set_memory_limit(MAX_PIXELS as usize * 4);
    pixels.shape(w, h);
    if decoder.has_alpha() {
        scratch.resize(w as usize * h as usize * 4, 0);
        decoder.read_image(scratch).map_err(webp_error)?;
        to_rgb(scratch, 4, &mut pixels.rgb);
    } else {
        decoder.read_image(&mut pixels.rgb).map_err(webp_error)?;
    }
    Ok(())
}

/// Samples of 1 (grey), 2 (grey, alpha), 3 or 4 (RGB, alpha) channels to RGB; alpha is dropped, as `convert("RGB")` does.
fn to_rgb(from: &[u8], samples: usize, rgb: &mut [u8]) {
    for (from, to) in from.chunks_exact(samples).zip(rgb.chunks_exact_mut(3)) {
        match from {
            [grey] | [grey, _] => to.fill(*grey),
            [r, g, b, ..] => to.copy_from_slice(&[*r, *g, *b]),
            [] => {}
        }
    }
}

fn png_error(error: DecodingError) -> DecodeError {
    let reason = match &error {
        DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => BadReason::Truncated,
        DecodingError::LimitsExceeded => BadReason::Oversized,
        _ => BadReason::Corrupt,
    };
    DecodeError::new(reason, error.to_string())
}

fn webp_error(error: image_webp::DecodingError) -> DecodeError {
    use image_webp::DecodingError as E;
    let reason = match &error {
        E::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => BadReason::Truncated,
        E::MemoryLimitExceeded | E::ImageTooLarge => BadReason::Oversized,
        E::UnsupportedFeature(_) => BadReason::Unsupported,
        _ => BadReason::Corrupt,
    };
    DecodeError::new(reason, error.to_string())
}
