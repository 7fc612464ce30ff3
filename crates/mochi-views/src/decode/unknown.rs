//! Description of files in unsupported formats.

use crate::error::{BadReason, DecodeError};

/// Known image formats that are not supported, by their first bytes.
const IMAGES: [(&[u8], &str); 16] = [
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "BigTIFF"),
    (b"MM\0+", "BigTIFF"),
    (b"\0\0\x01\0", "ICO"),
    (b"8BPS", "PSD"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"II\xbc", "JPEG XR"),
    (b"SIMPLE  =", "FITS"),
    (b"DDS ", "DDS"),
];

/// Other contents of files with the name of an image.
const OTHERS: [(&[u8], &str); 14] = [
    (b"version https://git-lfs", "a Git LFS pointer; run `git lfs pull` to download the file"),
    (b"\x1f\x8b", "gzip data"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF", "a PDF document"),
    (b"{", "JSON text"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ", "xz data"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"Rar!", "a RAR archive"),
];

/// The error for bytes of an unsupported format, with the name of the format if it is known.
pub(super) fn describe(bytes: &[u8]) -> DecodeError {
    if let Some(name) = image(bytes) {
        return DecodeError::new(BadReason::Unsupported, format!("{name} is not supported; JPEG, PNG and WebP are"));
    }
    let what = match OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        Some((_, what)) => what,
        None if bytes.starts_with(b"RIFF") => "a RIFF file that is not WebP (AVI, WAV)",
        None => match markup(bytes) {
            Some(what) => what,
            None if bytes.iter().take(4096).all(|&b| b == 0) => "only zero bytes; the file was not written completely",
            None => "not an image of a known format",
        },
    };
    DecodeError::new(BadReason::Corrupt, format!("the content is {what}"))
}

fn image(bytes: &[u8]) -> Option<&'static str> {
    if let Some((_, name)) = IMAGES.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(name);
    }
    let brand = bytes.get(4..12)?.strip_prefix(b"ftyp")?;
    Some(match brand {
        b"avif" | b"avis" => "AVIF",
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"mif1" | b"msf1" => "HEIC",
        b"crx " => "Canon raw (CR3)",
        b"jxl " => "JPEG XL",
        _ => "ISO media (MP4, MOV, HEIF)",
    })
}

/// Recognizes HTML, SVG and XML by their first tag.
fn markup(bytes: &[u8]) -> Option<&'static str> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    let head = bytes.get(..bytes.len().min(1024))?.to_ascii_lowercase();
    let holds = |tag: &[u8]| head.windows(tag.len()).any(|window| window == tag);
    match head.first()? {
        b'<' if holds(b"<svg") => Some("an SVG drawing"),
        b'<' if holds(b"<html") || holds(b"<!doctype html") || holds(b"<head") => {
            Some("an HTML page; the download returned a page instead of the image")
        }
        b'<' if holds(b"<?xml") || holds(b"<error") => Some("XML text"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field case, row 28.
    #[test]
    fn row_28_the_content_is_named() {
        for (bytes, reason, wanted) in [
            (&b"<!DOCTYPE html><html>"[..], BadReason::Corrupt, "HTML page"),
            (b"\n <html lang=en>", BadReason::Corrupt, "HTML page"),
            (b"version https://git-lfs.github.com/spec/v1", BadReason::Corrupt, "Git LFS pointer"),
            (b"\x1f\x8b\x08\0", BadReason::Corrupt, "gzip"),
            (b"%PDF-1.7", BadReason::Corrupt, "PDF"),
            (b"<?xml version=\"1.0\"?><svg xmlns=\"x\">", BadReason::Corrupt, "SVG"),
            (b"\0\0\0\x0cjP  \r\n\x87\n", BadReason::Unsupported, "JPEG 2000"),
            (b"\xff\x0a\xfa", BadReason::Unsupported, "JPEG XL"),
            (b"\0\0\0\x18ftypheic\0\0", BadReason::Unsupported, "HEIC"),
            (b"\0\0\0\x18ftypavif\0\0", BadReason::Unsupported, "AVIF"),
            (b"\0\0\0\x18ftypisom\0\0", BadReason::Unsupported, "MP4"),
            (b"RIFF\0\0\0\0AVI ", BadReason::Corrupt, "RIFF"),
            (&[0; 64], BadReason::Corrupt, "zero bytes"),
            (b"GIF89a", BadReason::Unsupported, "GIF is not supported"),
            (b"abc", BadReason::Corrupt, "not an image of a known format"),
        ] {
            let error = describe(bytes);
            assert!(error.reason == reason && error.detail.contains(wanted), "{error} ({wanted})");
        }
    }
}
