//! What an encoded image says of itself in its header: format, kind of colour, bits a sample, orientation.
//!
//! Sources: ITU-T T.81 annex B (JPEG), W3C PNG section 11, RFC 9649 (WebP). What a header does not say, or what is cut off, is left
//! open: the decoder alone decides whether an image is good.

use serde::Serialize;

use crate::decode::{self, Format};

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: &'static str,
    pub(super) colour: Colour,
    /// Bits a sample.
    pub(super) bits: u8,
    /// EXIF asks for a turn, which training does not make.
    pub(super) turned: bool,
}

/// Which channels an image is stored with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// Red, green, blue (JPEG: luma and two chromas).
    Rgb,
    /// Red, green, blue, alpha.
    RgbAlpha,
    /// One channel.
    Grey,
    /// One channel and alpha.
    GreyAlpha,
    /// Indices into a table of colours.
    Palette,
    /// Such a table with alpha.
    PaletteAlpha,
    /// Four inks.
    Cmyk,
    /// The header does not tell.
    Unknown,
}

impl Colour {
    /// As people say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rgb => "RGB",
            Self::RgbAlpha => "RGB with alpha",
            Self::Grey => "grey",
            Self::GreyAlpha => "grey with alpha",
            Self::Palette => "palette",
            Self::PaletteAlpha => "palette with alpha",
            Self::Cmyk => "CMYK",
            Self::Unknown => "unknown",
        }
    }

    /// Whether decoding drops an alpha channel.
    pub fn has_alpha(self) -> bool {
        matches!(self, Self::RgbAlpha | Self::GreyAlpha | Self::PaletteAlpha)
    }
}

/// Reads the header of encoded bytes; `None` for bytes of no known format (raw pixels).
pub(super) fn probe(bytes: &[u8]) -> Option<Header> {
    let plain = |format, (colour, bits)| Header { format, colour, bits, turned: false };
    Some(match decode::sniff(bytes)? {
        Format::Jpeg => {
            let turned = decode::exif::orientation(bytes) != 1;
            Header { turned, ..plain("JPEG", jpeg(bytes).unwrap_or((Colour::Unknown, 8))) }
        }
        Format::Png => plain("PNG", png(bytes).unwrap_or((Colour::Unknown, 8))),
        Format::WebP => plain("WebP", (webp(bytes), 8)),
    })
}

/// Precision and components of the frame header (SOF).
fn jpeg(bytes: &[u8]) -> Option<(Colour, u8)> {
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
            let colour = match body[5] {
                1 => Colour::Grey,
                3 => Colour::Rgb,
                4 => Colour::Cmyk,
                _ => Colour::Unknown,
            };
            return Some((colour, body[0]));
        }
        if head[1] == 0xDA {
            return None;
        }
        at += 2 + usize::from(u16::from_be_bytes([head[2], head[3]])).max(2);
    }
}

/// IHDR's depth and colour type, and whether a tRNS chunk stands before the pixels.
fn png(bytes: &[u8]) -> Option<(Colour, u8)> {
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
    let colour = match (kind, transparent) {
        (0, false) => Colour::Grey,
        (0, true) | (4, _) => Colour::GreyAlpha,
        (2, false) => Colour::Rgb,
        (2, true) | (6, _) => Colour::RgbAlpha,
        (3, false) => Colour::Palette,
        (3, true) => Colour::PaletteAlpha,
        _ => Colour::Unknown,
    };
    Some((colour, bits))
}

/// The alpha flag of VP8X, or of VP8L's own header; VP8 alone has none.
fn webp(bytes: &[u8]) -> Colour {
    let alpha = match bytes.get(12..16) {
        Some(b"VP8X") => bytes.get(20).is_some_and(|flags| flags & 0x10 != 0),
        // Signature byte, 14 bits of width - 1, 14 of height - 1, then the flag.
        Some(b"VP8L") => bytes.get(24).is_some_and(|byte| byte & 0x10 != 0),
        _ => false,
    };
    if alpha { Colour::RgbAlpha } else { Colour::Rgb }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_cut_anywhere_are_left_open() {
        let jpeg =
            [&[0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xC4, 0, 3, 9][..], &[0xFF, 0xC2, 0, 17, 12, 0, 5, 0, 6, 1]]
                .concat();
        assert_eq!(super::jpeg(&jpeg), Some((Colour::Grey, 12)));
        for cut in 0..jpeg.len() {
            assert_eq!(super::jpeg(&jpeg[..cut]), None, "{cut}");
        }
        assert_eq!(probe(b"GIF89a"), None);
        assert_eq!(probe(&[]), None);
    }
}
