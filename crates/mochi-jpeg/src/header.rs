//! Segments before the entropy-coded data (ITU-T T.81, annex B). Files that cause an error or a warning of libjpeg are unsupported.
//!
//! The color space follows libjpeg's rules: a JFIF marker means YCbCr; otherwise an Adobe marker determines it; otherwise the component ids, where "RGB"
//! in ASCII means RGB. Only grayscale and YCbCr are supported.

use crate::Unsupported;

/// Position in the block (row by row) of each coefficient in zigzag order (T.81, figure A.6).
pub(crate) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Huffman table as stored in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HuffmanSpec {
    /// Number of codes of each length 1..=16.
    pub(crate) counts: [u8; 16],
    /// Symbols in the order of their codes, then zeros.
    symbols: [u8; 256],
    total: usize,
}

impl HuffmanSpec {
    /// `None` if there are no codes or too many.
    pub(crate) fn new(counts: [u8; 16], from: &[u8]) -> Option<Self> {
        let total = counts.iter().map(|&n| usize::from(n)).sum();
        let mut symbols = [0; 256];
        // libjpeg stops reading tables at an empty one.
        let target = symbols.get_mut(..total).filter(|target| !target.is_empty())?;
        target.copy_from_slice(from.get(..total)?);
        Some(Self { counts, symbols, total })
    }

    /// Symbols in the order of their codes.
    pub(crate) fn symbols(&self) -> &[u8] {
        &self.symbols[..self.total]
    }
}

/// A color component.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Component {
    id: u8,
    /// Blocks per MCU, horizontally and vertically.
    pub(crate) across: usize,
    pub(crate) down: usize,
    /// Tables of the component.
    pub(crate) quant: usize,
    pub(crate) dc: usize,
    pub(crate) ac: usize,
}

/// Checked content of the segments before the image data.
#[derive(Clone, Debug)]
pub struct Header {
    width: u32,
    height: u32,
    components: [Component; 3],
    count: usize,
    /// Quantization steps, row by row.
    pub(crate) quants: [Option<[u16; 64]>; 4],
    pub(crate) dc: [Option<HuffmanSpec>; 4],
    pub(crate) ac: [Option<HuffmanSpec>; 4],
    /// MCUs between restart markers; 0 for none.
    pub(crate) restart: usize,
    /// Start of the entropy-coded data.
    pub(crate) data: usize,
}

impl Header {
    /// Reads the segments up to and including the start of the scan.
    pub fn read(bytes: &[u8]) -> Result<Self, Unsupported> {
        let mut read = Reading { header: Self::empty(), jfif: false, adobe: None, icc: Icc::default() };
        if bytes.first_chunk() != Some(&[0xFF, 0xD8]) {
            return Err(Unsupported::Header);
        }
        let mut at = 2;
        loop {
            // 0xFF may be repeated before a marker.
            let Some([0xFF, mut marker]) = bytes.get(at..).and_then(|b| b.first_chunk()).copied() else {
                return Err(Unsupported::Header);
            };
            at += 2;
            while marker == 0xFF {
                marker = *bytes.get(at).ok_or(Unsupported::Header)?;
                at += 1;
            }
            let length = bytes.get(at..).and_then(|b| b.first_chunk()).ok_or(Unsupported::Header)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let body = bytes.get(at + 2..at + length).ok_or(Unsupported::Header)?;
            at += length;
            match marker {
                0xC0 | 0xC1 => read.frame(body)?,
                0xC4 => read.huffman(body)?,
                0xC2 | 0xC3 | 0xC5..=0xCF => return Err(Unsupported::Process),
                0xDA => {
                    read.scan(body)?;
                    read.icc.check()?;
                    read.header.data = at;
                    return Ok(read.header);
                }
                0xDB => read.quantisation(body)?,
                0xDD => match *body {
                    [high, low] => read.header.restart = usize::from(u16::from_be_bytes([high, low])),
                    _ => return Err(Unsupported::Header),
                },
                0xE0 if body.len() >= 14 && body.starts_with(b"JFIF\0") => {
                    // Another major version makes libjpeg warn.
                    if body[5] != 1 {
                        return Err(Unsupported::Header);
                    }
                    read.jfif = true;
                }
                0xE2 if body.len() >= 14 && body.starts_with(b"ICC_PROFILE\0") => {
                    read.icc.add(body[12], body[13], body.len() > 14)?;
                }
                0xEE if body.len() >= 12 && body.starts_with(b"Adobe") => read.adobe = Some(body[11]),
                0xE0..=0xEF | 0xFE => {}
                _ => return Err(Unsupported::Header),
            }
        }
    }

    fn empty() -> Self {
        Self {
            width: 0,
            height: 0,
            components: [Component::default(); 3],
            count: 0,
            quants: [None; 4],
            dc: [const { None }; 4],
            ac: [const { None }; 4],
            restart: 0,
            data: 0,
        }
    }

    /// Width in pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// One (grayscale) or three (Y, Cb, Cr).
    pub(crate) fn components(&self) -> &[Component] {
        &self.components[..self.count]
    }

    /// Blocks of luma per MCU, horizontally and vertically: the subsampling factors of chroma.
    pub(crate) fn sampling(&self) -> (usize, usize) {
        (self.components[0].across, self.components[0].down)
    }
}

struct Reading {
    header: Header,
    jfif: bool,
    /// The color transform of an Adobe marker.
    adobe: Option<u8>,
    icc: Icc,
}

impl Reading {
    fn frame(&mut self, body: &[u8]) -> Result<(), Unsupported> {
        let Some(([precision, h1, h0, w1, w0, count], rest)) = body.split_first_chunk() else {
            return Err(Unsupported::Header);
        };
        if self.header.count > 0 || rest.len() != usize::from(*count) * 3 {
            return Err(Unsupported::Header);
        }
        if *precision != 8 {
            return Err(Unsupported::Process);
        }
        if ![1, 3].contains(count) {
            return Err(Unsupported::Color);
        }
        self.header.height = u16::from_be_bytes([*h1, *h0]).into();
        self.header.width = u16::from_be_bytes([*w1, *w0]).into();
        // libjpeg's largest side is 65,500.
        if [self.header.width, self.header.height].iter().any(|side| !(1..=65_500).contains(side)) {
            return Err(Unsupported::Header);
        }
        self.header.count = usize::from(*count);
        let (components, _) = self.header.components.split_at_mut(self.header.count);
        for (i, component) in rest.chunks_exact(3).enumerate() {
            let (id, across, down, quant) =
                (component[0], component[1] >> 4, component[1] & 15, usize::from(component[2]));
            if components[..i].iter().any(|c| c.id == id) || quant > 3 {
                return Err(Unsupported::Header);
            }
            components[i] = Component { id, across: across.into(), down: down.into(), quant, dc: 0, ac: 0 };
        }
        match components {
            // A single component is not interleaved, so its factors are ignored.
            [component] if (1..=4).contains(&component.across) && (1..=4).contains(&component.down) => {
                (component.across, component.down) = (1, 1);
                Ok(())
            }
            [luma, chroma @ ..]
                if (1..=2).contains(&luma.across)
                    && (1..=2).contains(&luma.down)
                    && chroma.iter().all(|c| (c.across, c.down) == (1, 1)) =>
            {
                Ok(())
            }
            _ => Err(Unsupported::Sampling),
        }
    }

    fn quantisation(&mut self, mut body: &[u8]) -> Result<(), Unsupported> {
        while let Some((&kind, rest)) = body.split_first() {
            let bytes_each = match kind >> 4 {
                0 => 1,
                1 => 2,
                _ => return Err(Unsupported::Header),
            };
            let (values, rest) = rest.split_at_checked(64 * bytes_each).ok_or(Unsupported::Header)?;
            let mut table = [0; 64];
            for (value, &position) in values.chunks_exact(bytes_each).zip(&ZIGZAG) {
                table[usize::from(position)] = value.iter().fold(0, |v, &byte| v << 8 | u16::from(byte));
            }
            *self.header.quants.get_mut(usize::from(kind & 15)).ok_or(Unsupported::Header)? = Some(table);
            body = rest;
        }
        Ok(())
    }

    fn huffman(&mut self, mut body: &[u8]) -> Result<(), Unsupported> {
        while let Some((&kind, rest)) = body.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(Unsupported::Header)?;
            let spec = HuffmanSpec::new(*counts, rest).ok_or(Unsupported::Header)?;
            let tables = match kind >> 4 {
                0 => &mut self.header.dc,
                1 => &mut self.header.ac,
                _ => return Err(Unsupported::Header),
            };
            let slot = tables.get_mut(usize::from(kind & 15)).ok_or(Unsupported::Header)?;
            body = &rest[spec.total..];
            *slot = Some(spec);
        }
        Ok(())
    }

    fn scan(&mut self, body: &[u8]) -> Result<(), Unsupported> {
        let header = &mut self.header;
        let count = header.count;
        if count == 0 || body.len() != 4 + 2 * count || usize::from(body[0]) != count {
            return Err(Unsupported::Scan);
        }
        for (component, chosen) in header.components.iter_mut().zip(body[1..1 + 2 * count].chunks_exact(2)) {
            if component.id != chosen[0] || chosen[1] >> 4 > 3 || chosen[1] & 15 > 3 {
                return Err(Unsupported::Scan);
            }
            (component.dc, component.ac) = (usize::from(chosen[1] >> 4), usize::from(chosen[1] & 15));
            let missing = header.quants[component.quant].is_none()
                || header.dc[component.dc].is_none()
                || header.ac[component.ac].is_none();
            if missing {
                return Err(Unsupported::Table);
            }
        }
        // All 64 coefficients at full precision.
        if body[1 + 2 * count..] != [0, 63, 0] {
            return Err(Unsupported::Scan);
        }
        let ids = header.components.map(|c| c.id);
        let ycc = match self.adobe {
            _ if count == 1 || self.jfif => true,
            Some(transform) => transform == 1,
            None => ids != *b"RGB",
        };
        if ycc { Ok(()) } else { Err(Unsupported::Color) }
    }
}

/// Numbering of the segments of an ICC profile. libjpeg-turbo warns if it is wrong.
#[derive(Default)]
struct Icc {
    /// Expected number of segments.
    count: u8,
    /// Segments found, by number.
    seen: [u64; 4],
    any_data: bool,
}

impl Icc {
    fn add(&mut self, number: u8, count: u8, has_data: bool) -> Result<(), Unsupported> {
        let consistent = self.count == 0 || self.count == count;
        let (word, bit) = (&mut self.seen[usize::from(number / 64)], 1 << (number % 64));
        if !consistent || number == 0 || number > count || *word & bit != 0 {
            return Err(Unsupported::Header);
        }
        self.count = count;
        *word |= bit;
        self.any_data |= has_data;
        Ok(())
    }

    fn check(&self) -> Result<(), Unsupported> {
        let seen: u32 = self.seen.iter().map(|word| word.count_ones()).sum();
        let whole = seen == u32::from(self.count) && (seen == 0 || self.any_data);
        if whole { Ok(()) } else { Err(Unsupported::Header) }
    }
}
