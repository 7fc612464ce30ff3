//! Ordinary JPEG photographs to RGB: equal to libjpeg-turbo's default decoding to the bit, and faster; anything else is declined.
//!
//! Taken are 8-bit sequential Huffman files with one scan, grey or YCbCr, with 4:4:4, 4:2:2, 4:2:0 or 4:4:0 sampling, with or
//! without restart markers, in which every bit is as it should be. Progressive, arithmetic, 12-bit, lossless, RGB and CMYK
//! files, and files with any irregularity (a bad code, a premature end, a stray byte, a missing marker), give a [`Declined`]: the
//! caller then asks libjpeg-turbo, whose judgement of broken files thus stays the only one. Never is a pixel guessed.
//!
//! ```text
//! bytes -> header (tables, sizes) -> bits (unstuffed) -> block (coefficients) -> idct (samples) -> rows (RGB)
//! ```
//!
//! What is computed is the method of ITU-T T.81 with the arithmetic by which libjpeg-turbo makes it exact: the "islow" inverse DCT
//! (13-bit constants, after Loeffler, Ligtenberg and Moschytz), "fancy" triangle upsampling of chroma, and 16-bit fixed-point
//! conversion from YCbCr. A row of MCUs is decoded at a time and leaves as RGB while it is in the cache.
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
//!     Err(why) => println!("for another decoder: {why}"),
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

/// Why a file is left to another decoder. It may be a good file of another kind, or a broken one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Declined {
    /// Not a JPEG, or a segment that does not say what it must: lengths, numbers, order.
    Header,
    /// A table that the scan uses is missing or contradicts itself.
    Table,
    /// Progressive, arithmetic, lossless, hierarchical, or more than 8 bits.
    Process,
    /// Neither grey nor YCbCr, as far as libjpeg's rules can tell.
    Colour,
    /// A sampling other than 4:4:4, 4:2:2, 4:2:0 and 4:4:0.
    Sampling,
    /// Several scans, or a scan that is not of all components and coefficients.
    Scan,
    /// The entropy-coded data ends early, late, in a marker that does not belong there, or not on a byte.
    Length,
    /// A bit sequence that is no code, or a run beyond the end of the block.
    Code,
    /// Coefficients so large that decoders differ in what they make of them.
    Range,
    /// The output does not have `width * height * 3` bytes.
    Output,
}

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "the JPEG header is irregular",
            Self::Table => "a table that the scan needs is missing or irregular",
            Self::Process => "not an 8-bit sequential Huffman-coded JPEG",
            Self::Colour => "the colours are neither grey nor YCbCr",
            Self::Sampling => "the chroma sampling is not 4:4:4, 4:2:2, 4:2:0 or 4:4:0",
            Self::Scan => "the image is not in one sequential scan",
            Self::Length => "the entropy-coded data does not end where it should",
            Self::Code => "the entropy-coded data holds an invalid code",
            Self::Range => "coefficients exceed what all decoders treat alike",
            Self::Output => "the output is not of the image's size",
        })
    }
}

impl std::error::Error for Declined {}
