//! PNG decoding with the `png` crate and WebP decoding with `image-webp`. Sizes are checked before anything is allocated.

use std::io::Cursor;

use png::{ColorType, DecodingError, Limits, Transformations};

use super::{MAX_PIXELS, Pixels, check_size, memory};
use crate::error::{BadReason, DecodeError};

pub(super) fn decode_png(bytes: &[u8], pixels: &mut Pixels, scratch: &mut Vec<u8>) -> Result<(), DecodeError> {
    check_palette(bytes)?;
    // Limits on what the decoder itself may allocate (ancillary chunks, rows).
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: 64 << 20 });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(png_error)?;
    let (w, h) = check_size(u64::from(reader.info().width), u64::from(reader.info().height))?;
    let need = reader
        .output_buffer_size()
        .ok_or_else(|| DecodeError::new(BadReason::Oversized, "the image does not fit into memory"))?;
    let _permit = memory::reserve(need as u64);
    pixels.shape(w, h);
    let (color, _) = reader.output_color_type();
    if color == ColorType::Rgb && need == pixels.rgb.len() {
        return read_rows(&mut reader, h as usize, &mut pixels.rgb);
    }
    // At most four bytes per pixel after stripping to 8 bits.
    if need as u64 > MAX_PIXELS * 4 {
        return Err(DecodeError::new(BadReason::Oversized, format!("the pixels need {need} bytes")));
    }
    scratch.resize(need, 0);
    read_rows(&mut reader, h as usize, scratch)?;
    to_rgb(scratch, color.samples(), &mut pixels.rgb);
    Ok(())
}

/// Reads all rows of the first image. A file that ends after its last row is accepted, because it has all pixels.
fn read_rows(reader: &mut png::Reader<Cursor<&[u8]>>, height: usize, out: &mut [u8]) -> Result<(), DecodeError> {
    let (width, interlaced) = (reader.info().width, reader.info().interlaced);
    let line = out.len() / height.max(1);
    if interlaced {
        let bits_per_pixel = reader.output_color_type().0.samples() as u8 * 8;
        let mut left = interlaced_rows(width, height as u32);
        while left > 0 {
            let Some(row) = reader.next_interlaced_row().map_err(png_error)? else { break };
            if let png::InterlaceInfo::Adam7(pass) = row.interlace() {
                png::expand_interlaced_row(out, line, row.data(), pass, bits_per_pixel);
            }
            left -= 1;
        }
    } else {
        for row in out.chunks_exact_mut(line).take(height) {
            reader.read_row(row).map_err(png_error)?;
        }
    }
    // Reads the rest of the image data to verify its checksum.
    match reader.next_row().map_err(png_error) {
        Err(error) if error.reason != BadReason::Truncated => Err(error),
        _ => Ok(()),
    }
}

/// Number of rows in all seven passes of Adam7.
fn interlaced_rows(width: u32, height: u32) -> u32 {
    // First column and step, first row and step.
    let passes = [(0, 0, 8), (4, 0, 8), (0, 4, 8), (2, 0, 4), (0, 2, 4), (1, 0, 2), (0, 1, 2)];
    passes.iter().filter(|pass| pass.0 < width).map(|&(_, y, step)| height.saturating_sub(y).div_ceil(step)).sum()
}

/// Refuses a palette whose length is not a multiple of 3, at which the `png` crate panics (image-png issue 694).
fn check_palette(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut at = 8;
    while let Some((head, rest)) = bytes.get(at..).and_then(|rest| rest.split_at_checked(8)) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        match &head[4..] {
            b"PLTE" if !length.is_multiple_of(3) => {
                let detail = format!("the length of the palette in bytes, {length}, is not a multiple of 3");
                return Err(DecodeError::new(BadReason::Corrupt, detail));
            }
            b"IDAT" => break,
            _ if rest.len() < length as usize => break,
            _ => at = at.saturating_add(length as usize).saturating_add(12),
        }
    }
    Ok(())
}

pub(super) fn decode_webp(bytes: &[u8], pixels: &mut Pixels, scratch: &mut Vec<u8>) -> Result<(), DecodeError> {
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(bytes)).map_err(webp_error)?;
    let (width, height) = decoder.dimensions();
    let (w, h) = check_size(u64::from(width), u64::from(height))?;
    decoder.set_memory_limit(MAX_PIXELS as usize * 4);
    let _permit = memory::reserve(u64::from(w) * u64::from(h) * 8);
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

/// Converts samples of 1 (grayscale), 2 (grayscale and alpha), 3 or 4 (RGB and alpha) channels to RGB. Alpha is dropped, as in `convert("RGB")`.
fn to_rgb(from: &[u8], samples: usize, rgb: &mut [u8]) {
    for (from, to) in from.chunks_exact(samples).zip(rgb.chunks_exact_mut(3)) {
        match from {
            [gray] | [gray, _] => to.fill(*gray),
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

#[cfg(test)]
#[path = "png_tests.rs"]
mod png_tests;
