//! Header of an encoded image: format, color type, bits per sample, orientation.
//!
//! Sources: ITU-T T.81 annex B (JPEG), W3C PNG section 11, RFC 9649 (WebP). Missing or truncated fields are `Unknown`; only the decoder decides
//! whether an image is bad.

use serde::Serialize;

use mochi_views::decode::{self, Format};

/// Header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: &'static str,
    pub(super) color_type: ColorType,
    /// Bits per sample.
    pub(super) bits: u8,
    /// Whether the EXIF orientation is other than upright. Training does not apply it.
    pub(super) exif_rotated: bool,
}

/// Color type of a stored image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColorType {
    /// Red, green and blue (JPEG: YCbCr).
    Rgb,
    /// Red, green, blue and alpha.
    RgbAlpha,
    /// One channel.
    Grayscale,
    /// One channel and alpha.
    GrayscaleAlpha,
    /// Indices into a palette.
    Palette,
    /// Indices into a palette with alpha.
    PaletteAlpha,
    /// Cyan, magenta, yellow and black.
    Cmyk,
    /// Not given by the header.
    Unknown,
}

impl ColorType {
    /// Name for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rgb => "RGB",
            Self::RgbAlpha => "RGB with alpha",
            Self::Grayscale => "grayscale",
            Self::GrayscaleAlpha => "grayscale with alpha",
            Self::Palette => "palette",
            Self::PaletteAlpha => "palette with alpha",
            Self::Cmyk => "CMYK",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the image has an alpha channel, which decoding drops.
    pub fn has_alpha(self) -> bool {
        matches!(self, Self::RgbAlpha | Self::GrayscaleAlpha | Self::PaletteAlpha)
    }
}

/// Reads the header of encoded bytes; `None` for bytes of no known format (raw pixels).
pub(super) fn probe(bytes: &[u8]) -> Option<Header> {
    let plain = |format, (color_type, bits)| Header { format, color_type, bits, exif_rotated: false };
    Some(match decode::sniff(bytes)? {
        Format::Jpeg => {
            let exif_rotated = decode::orientation(bytes) != 1;
            Header { exif_rotated, ..plain("JPEG", jpeg(bytes).unwrap_or((ColorType::Unknown, 8))) }
        }
        Format::Png => plain("PNG", png(bytes).unwrap_or((ColorType::Unknown, 8))),
        Format::WebP => plain("WebP", (webp(bytes), 8)),
    })
}

/// Precision and components of the frame header (SOF).
fn jpeg(bytes: &[u8]) -> Option<(ColorType, u8)> {
    let mut at = 2;
    loop {
        let head = bytes.get(at..at + 4)?;
        if head[0] != 0xFF {
            return None;
        }
        // Fill bytes before a marker, and markers without a length.
        if head[1] == 0xFF {
            at += 1;
            continue;
        }
        if matches!(head[1], 0x01 | 0xD0..=0xD7) {
            at += 2;
            continue;
        }
        // SOF0..15 without DHT (C4), JPG (C8), DAC (CC).
        if matches!(head[1], 0xC0..=0xCF) && !matches!(head[1], 0xC4 | 0xC8 | 0xCC) {
            let body = bytes.get(at + 4..at + 10)?;
            let color_type = match body[5] {
                1 => ColorType::Grayscale,
                3 => ColorType::Rgb,
                4 => ColorType::Cmyk,
                _ => ColorType::Unknown,
            };
            return Some((color_type, body[0]));
        }
        if head[1] == 0xDA {
            return None;
        }
        at += 2 + usize::from(u16::from_be_bytes([head[2], head[3]])).max(2);
    }
}

/// Bit depth and color type from IHDR; a tRNS chunk before the pixels adds alpha.
fn png(bytes: &[u8]) -> Option<(ColorType, u8)> {
    let (bits, kind) = (*bytes.get(24)?, *bytes.get(25)?);
    let mut transparent = false;
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 8) {
        match &head[4..] {
            b"tRNS" => transparent = true,
            b"IDAT" => break,
            _ => {}
        }
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        at = at.saturating_add(length).saturating_add(12);
    }
    let color_type = match (kind, transparent) {
        (0, false) => ColorType::Grayscale,
        (0, true) | (4, _) => ColorType::GrayscaleAlpha,
        (2, false) => ColorType::Rgb,
        (2, true) | (6, _) => ColorType::RgbAlpha,
        (3, false) => ColorType::Palette,
        (3, true) => ColorType::PaletteAlpha,
        _ => ColorType::Unknown,
    };
    Some((color_type, bits))
}

/// The alpha flag of VP8X, or of VP8L's own header; VP8 alone has none.
fn webp(bytes: &[u8]) -> ColorType {
    let alpha = match bytes.get(12..16) {
        Some(b"VP8X") => bytes.get(20).is_some_and(|flags| flags & 0x10 != 0),
        // Signature byte, 14 bits of width - 1, 14 of height - 1, then the flag.
        Some(b"VP8L") => bytes.get(24).is_some_and(|byte| byte & 0x10 != 0),
        _ => false,
    };
    if alpha { ColorType::RgbAlpha } else { ColorType::Rgb }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_headers_are_unknown() {
        let jpeg =
            [&[0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xC4, 0, 3, 9][..], &[0xFF, 0xC2, 0, 17, 12, 0, 5, 0, 6, 1]]
                .concat();
        assert_eq!(super::jpeg(&jpeg), Some((ColorType::Grayscale, 12)));
        for cut in 0..jpeg.len() {
            assert_eq!(super::jpeg(&jpeg[..cut]), None, "{cut}");
        }
        assert_eq!(probe(b"GIF89a"), None);
        assert_eq!(probe(&[]), None);
    }
}
