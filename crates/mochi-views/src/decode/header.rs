//! Size and orientation of an encoded image without decoding it.
//!
//! Sources: ITU-T T.81 annex B (JPEG), W3C PNG section 11, RFC 9649 (WebP).

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::{Format, check_size, exif, sniff};
use crate::error::{BadReason, DecodeError};

/// Bytes that are read at once; the frame header of most photos lies in the first ones.
const BUFFER: usize = 4096;

/// What the header of an image says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHeader {
    /// The format.
    pub format: Format,
    /// Width of the stored pixels.
    pub width: u32,
    /// Height of the stored pixels.
    pub height: u32,
    /// EXIF orientation 1..=8; 1 for formats other than JPEG.
    pub orientation: u8,
}

impl ImageHeader {
    /// Width and height of the image as it is displayed, with the EXIF orientation applied.
    pub fn displayed(&self) -> (u32, u32) {
        if self.orientation >= 5 { (self.height, self.width) } else { (self.width, self.height) }
    }
}

/// Reads the header of an image from its first byte on. Pixels are not read, so the image can still be damaged.
///
/// # Errors
/// As of decoding, for files without a valid header and for images with more than [`super::MAX_PIXELS`] pixels.
pub fn read_header(source: &mut (impl Read + Seek)) -> Result<ImageHeader, DecodeError> {
    let mut start = Vec::with_capacity(64);
    source.by_ref().take(64).read_to_end(&mut start).map_err(unreadable)?;
    if start.is_empty() {
        return Err(DecodeError::new(BadReason::Empty, "the file has no bytes"));
    }
    let Some(format) = sniff(&start) else { return Err(super::unknown::describe(&start)) };
    let (width, height, orientation) = match format {
        Format::Jpeg => jpeg(source)?,
        Format::Png => png(&start).map(|(width, height)| (width, height, 1)).ok_or_else(no_header)?,
        Format::WebP => webp(&start).map(|(width, height)| (width, height, 1)).ok_or_else(no_header)?,
    };
    let (width, height) = check_size(width.into(), height.into())?;
    Ok(ImageHeader { format, width, height, orientation })
}

fn no_header() -> DecodeError {
    DecodeError::new(BadReason::Corrupt, "the header has no size")
}

fn unreadable(error: io::Error) -> DecodeError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        DecodeError::new(BadReason::Truncated, "the file ends within its header")
    } else {
        DecodeError::new(BadReason::Unreadable, error.to_string())
    }
}

/// Width, height and orientation: goes from segment to segment up to the frame header (SOF).
fn jpeg(source: &mut (impl Read + Seek)) -> Result<(u32, u32, u8), DecodeError> {
    source.seek(SeekFrom::Start(2)).map_err(unreadable)?;
    let mut source = BufReader::with_capacity(BUFFER, source);
    let mut orientation = None;
    let mut before = array::<1>(&mut source)?[0];
    loop {
        let [marker] = array(&mut source)?;
        if before != 0xFF || matches!(marker, 0x00 | 0x01 | 0xD0..=0xD7 | 0xFF) {
            // Bytes between segments and fill bytes are skipped, as libjpeg does. The search for EXIF ends at them.
            orientation = orientation.or(Some(1));
            before = marker;
            continue;
        }
        let length = usize::from(u16::from_be_bytes(array(&mut source)?)).saturating_sub(2);
        match marker {
            // SOF0..15 without DHT (C4), JPG (C8), DAC (CC): precision, height, width.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                let [_, h0, h1, w0, w1] = array(&mut source)?;
                let side = |bytes| u32::from(u16::from_be_bytes(bytes));
                return Ok((side([w0, w1]), side([h0, h1]), orientation.unwrap_or(1)));
            }
            0xDA | 0xD9 => return Err(no_header()),
            0xE1 if orientation.is_none() => {
                let mut body = vec![0; length];
                source.read_exact(&mut body).map_err(unreadable)?;
                orientation = exif::in_segment(&body);
            }
            _ => source.seek_relative(length as i64).map_err(unreadable)?,
        }
        [before] = array(&mut source)?;
    }
}

fn array<const N: usize>(source: &mut impl Read) -> Result<[u8; N], DecodeError> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn png(start: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(start.get(at..at + 4)?.try_into().ok()?));
    (start.get(12..16)? == b"IHDR").then_some((number(16)?, number(20)?))
}

/// The canvas of VP8X, or the frame size of VP8 or VP8L.
fn webp(start: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize, bytes: usize| {
        Some(start.get(at..at + bytes)?.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    };
    match start.get(12..16)? {
        b"VP8X" => Some((number(24, 3)? + 1, number(27, 3)? + 1)),
        b"VP8 " if start.get(23..26)? == [0x9D, 0x01, 0x2A] => Some((number(26, 2)? & 0x3FFF, number(28, 2)? & 0x3FFF)),
        b"VP8L" if *start.get(20)? == 0x2F => {
            let bits = number(21, 4)?;
            Some(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::path::Path;

    use super::*;
    use crate::decode::{DecodeOptions, Decoder, Pixels};

    #[test]
    fn the_header_has_the_size_of_the_pixels() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
        let (mut files, mut turned, mut pixels) = (0, 0, Pixels::default());
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let header = read_header(&mut Cursor::new(&bytes)).unwrap();
            for (exif_orientation, size) in [(false, (header.width, header.height)), (true, header.displayed())] {
                let options = DecodeOptions { exif_orientation, ..DecodeOptions::default() };
                Decoder::new().decode(&bytes, &options, &mut pixels).unwrap();
                assert_eq!((pixels.width, pixels.height), size, "{}", path.display());
            }
            files += 1;
            turned += u32::from(header.orientation >= 5);
        }
        assert!(files > 30 && turned > 0, "{files} files, {turned} turned");
    }

    #[test]
    fn cut_headers_are_errors() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
        for (name, length) in [("turned.jpg", 160), ("rgb.png", 24), ("lossy.webp", 30), ("lossless.webp", 25)] {
            let bytes = std::fs::read(folder.join(name)).unwrap();
            for cut in 0..length {
                assert!(read_header(&mut Cursor::new(&bytes[..cut])).is_err(), "{name} cut at {cut}");
            }
        }
        let huge = [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &[0x7F; 8]].concat();
        assert_eq!(read_header(&mut Cursor::new(huge)).unwrap_err().reason, BadReason::Oversized);
        assert_eq!(read_header(&mut Cursor::new(b"GIF89a")).unwrap_err().reason, BadReason::Unsupported);
    }

    #[test]
    fn bytes_between_segments_are_skipped() {
        let frame = [0xFF, 0xC0, 0, 11, 8, 0, 5, 0, 6, 1, 1, 0x11, 0];
        let jpeg = [&[0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 7, 7, 0xFF, 0xFF][..], &frame].concat();
        let header = read_header(&mut Cursor::new(jpeg)).unwrap();
        assert_eq!((header.width, header.height, header.orientation), (6, 5, 1));
    }
}
