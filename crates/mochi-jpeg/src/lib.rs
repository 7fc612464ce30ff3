//! Decoder for common JPEG files, bitwise identical to libjpeg-turbo's default decoding and faster. All other files are unsupported.
//!
//! Supported are valid 8-bit sequential Huffman files with one scan, grayscale or YCbCr, with 4:4:4, 4:2:2, 4:2:0 or 4:4:0 sampling, with or without
//! restart markers. Progressive, arithmetic, 12-bit, lossless, RGB and CMYK files, and files with any irregularity (an invalid code, a premature end, a
//! stray byte, a missing marker) return [`Unsupported`]. The caller then uses libjpeg-turbo, so that only libjpeg-turbo decides about damaged files.
//!
//! ```text
//! bytes -> header (tables, sizes) -> bits (unstuffed) -> block (coefficients) -> idct (samples) -> rows (RGB)
//! ```
//!
//! The computation is that of ITU-T T.81, with the arithmetic of libjpeg-turbo: the "islow" inverse DCT
//! (13-bit constants, after Loeffler, Ligtenberg and Moschytz), "fancy" triangle upsampling of chroma, and 16-bit fixed-point
//! conversion from YCbCr. Each row of MCUs is decoded and converted to RGB while it is in the cache.
//!
//! ```no_run
//! let bytes = std::fs::read("photo.jpg").unwrap();
//! let mut decoder = mochi_jpeg::Decoder::new();
//! let mut rgb = Vec::new();
//! match mochi_jpeg::Header::read(&bytes) {
//!     Ok(header) => {
//!         rgb.resize(header.width() as usize * header.height() as usize * 3, 0);
//!         decoder.decode(&header, &bytes, &mut rgb).unwrap();
//!     }
//!     Err(why) => println!("use another decoder: {why}"),
//! }
//! ```
#![forbid(unsafe_code)]

mod bits;
mod block;
mod header;
mod huffman;
mod idct;
mod kernels;
mod layout;
mod rows;
mod scan;
mod upsampling;

pub use header::Header;
pub use scan::Decoder;

/// Reason why a file is not supported. It may be a valid file of another kind, or a damaged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsupported {
    /// Not a JPEG, or a segment with an invalid length, value or order.
    Header,
    /// A table that the scan uses is missing or invalid.
    Table,
    /// Progressive, arithmetic, lossless, hierarchical, or more than 8 bits.
    Process,
    /// Neither grayscale nor YCbCr by libjpeg's rules.
    Color,
    /// A sampling other than 4:4:4, 4:2:2, 4:2:0 and 4:4:0.
    Sampling,
    /// Several scans, or a scan without some of the components or coefficients.
    Scan,
    /// The entropy-coded data ends early, late, at an unexpected marker, or inside of a byte.
    Length,
    /// An invalid code, or a run beyond the end of the block.
    Code,
    /// Coefficients that are so large that decoders give different results.
    Range,
    /// The output does not have `width * height * 3` bytes.
    Output,
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "the JPEG header is irregular",
            Self::Table => "a table that the scan needs is missing or irregular",
            Self::Process => "not an 8-bit sequential Huffman-coded JPEG",
            Self::Color => "the colors are neither grayscale nor YCbCr",
            Self::Sampling => "the chroma sampling is not 4:4:4, 4:2:2, 4:2:0 or 4:4:0",
            Self::Scan => "the image is not in one sequential scan",
            Self::Length => "the entropy-coded data does not end where it should",
            Self::Code => "the entropy-coded data holds an invalid code",
            Self::Range => "coefficients exceed what all decoders treat alike",
            Self::Output => "the output is not of the image's size",
        })
    }
}

impl std::error::Error for Unsupported {}
