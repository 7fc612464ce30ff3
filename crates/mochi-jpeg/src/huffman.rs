//! Huffman tables made for decoding (T.81, annex C): one look at the next bits tells what a code and its value take.
//!
//! An entry holds three bytes: how many bits code and value take together; how many of these are the value's; by how much the
//! place in the block advances. Where the look does not settle it the entry takes no bits and advances by [`UNSETTLED`], which
//! also ends the loop over the block: the common path needs no branch for it.

use crate::Declined;
use crate::header::HuffmanSpec;

/// Bits that are looked at: longer codes, one in hundreds, take the slow way.
pub(crate) const LOOK: u32 = 10;

/// Advance of an end-of-block code: beyond any place in a block.
pub(crate) const END: u32 = 128;
/// Advance where the code is longer than [`LOOK`], or none.
pub(crate) const UNSETTLED: u32 = 192;

/// Which coefficients a table codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Dc,
    Ac,
}

/// What a code means, in one word: `bits | size << 8 | advance << 16`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry(u32);

impl Entry {
    const UNSETTLED: Self = Self(UNSETTLED << 16);

    /// For a code of `length` bits. `None` where the symbol means nothing in an 8-bit sequential scan.
    fn new(kind: Kind, length: u32, symbol: u8) -> Option<Self> {
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        let advance = match (kind, run, size) {
            (Kind::Dc, 0, 0..=11) => 0,
            (Kind::Ac, 0, 0) => END,
            (Kind::Ac, _, 1..) | (Kind::Ac, 15, 0) => run + 1,
            _ => return None,
        };
        Some(Self((length + size) | size << 8 | advance << 16))
    }

    /// Bits of code and value together, at most 31, in the lowest six bits; others may be set above.
    #[inline(always)]
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    /// Bits of the value.
    #[inline(always)]
    pub(crate) fn size(self) -> u32 {
        self.0 >> 8 & 0xFF
    }

    #[inline(always)]
    pub(crate) fn advance(self) -> u32 {
        self.0 >> 16
    }
}

/// A table ready for decoding.
#[derive(Debug)]
pub(crate) struct Table {
    kind: Kind,
    made_of: Option<HuffmanSpec>,
    look: Box<[Entry; 1 << LOOK]>,
    /// One more than the last code of each length, and where its symbols begin less its first code.
    ends: [u32; 17],
    offsets: [i32; 17],
}

impl Table {
    pub(crate) fn new(kind: Kind) -> Self {
        let look = Box::new([Entry::UNSETTLED; 1 << LOOK]);
        Self { kind, made_of: None, look, ends: [0; 17], offsets: [0; 17] }
    }

    /// Makes the table of `spec`, unless it is that already: many files share the tables of the standard's annex K.
    pub(crate) fn prepare(&mut self, spec: &HuffmanSpec) -> Result<(), Declined> {
        if self.made_of.as_ref() == Some(spec) {
            return Ok(());
        }
        self.made_of = None;
        // libjpeg refuses the table for it, used or not.
        if self.kind == Kind::Dc && spec.symbols().iter().any(|&s| s > 11) {
            return Err(Declined::Table);
        }
        self.look.fill(Entry::UNSETTLED);
        let (mut code, mut first) = (0u32, 0usize);
        for (length, &count) in (1u32..).zip(&spec.counts) {
            let count = usize::from(count);
            self.offsets[length as usize] = first as i32 - code as i32;
            let symbols = spec.symbols().get(first..first + count).ok_or(Declined::Table)?;
            for &symbol in symbols {
                if length <= LOOK {
                    let start = (code << (LOOK - length)) as usize;
                    let entry = Entry::new(self.kind, length, symbol).unwrap_or(Entry::UNSETTLED);
                    self.look.get_mut(start..start + (1 << (LOOK - length))).ok_or(Declined::Table)?.fill(entry);
                }
                code += 1;
            }
            // More codes than there are; the one of all ones is forbidden as well.
            if count > 0 && code >= 1 << length {
                return Err(Declined::Table);
            }
            self.ends[length as usize] = code;
            first += count;
            code <<= 1;
        }
        self.made_of = Some(spec.clone());
        Ok(())
    }

    /// What the uppermost bits of `bits` begin with, if a look settles it.
    #[inline(always)]
    pub(crate) fn look(&self, bits: u64) -> Entry {
        self.look[(bits >> (64 - LOOK)) as usize]
    }

    /// The same for codes of any length.
    #[cold]
    pub(crate) fn search(&self, bits: u64) -> Result<Entry, Declined> {
        let spec = self.made_of.as_ref().ok_or(Declined::Table)?;
        for length in 1..=16 {
            let code = (bits >> (64 - length)) as u32;
            if code < self.ends[length as usize] && spec.counts[length as usize - 1] > 0 {
                let at = i64::from(code) + i64::from(self.offsets[length as usize]);
                let symbol = usize::try_from(at).ok().and_then(|at| spec.symbols().get(at));
                return symbol.and_then(|&s| Entry::new(self.kind, length, s)).ok_or(Declined::Code);
            }
        }
        Err(Declined::Code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_and_searching_agree_and_contradictions_are_refused() {
        // T.81, table K.3 (luminance DC).
        let symbols: Vec<u8> = (0..12).collect();
        let dc = HuffmanSpec::new([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &symbols).unwrap();
        let mut table = Table::new(Kind::Dc);
        table.prepare(&dc).unwrap();
        for bits in (0..1u64 << 16).map(|b| b << 48) {
            match table.search(bits) {
                Ok(found) => assert_eq!(found.0, table.look(bits).0),
                Err(why) => assert_eq!((why, table.look(bits).advance()), (Declined::Code, UNSETTLED)),
            }
        }
        // 00 is category 0: no bits more. 010 is category 1: one more.
        assert_eq!((table.look(0).bits() & 63, table.look(0).size()), (2, 0));
        assert_eq!((table.look(2 << 61).bits() & 63, table.look(2 << 61).size()), (4, 1));

        let refused = |counts: [u8; 16], symbols: &[u8]| {
            Table::new(Kind::Ac).prepare(&HuffmanSpec::new(counts, symbols).unwrap()).unwrap_err()
        };
        let (mut three, mut ones) = ([0; 16], [0; 16]);
        three[0] = 3;
        ones[0] = 2;
        assert_eq!(refused(three, &[1, 2, 3]), Declined::Table);
        assert_eq!(refused(ones, &[1, 2]), Declined::Table);
    }
}
