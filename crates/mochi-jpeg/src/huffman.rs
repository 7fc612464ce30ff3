//! Lookup tables for Huffman decoding (T.81, annex C): one lookup of the next bits gives the lengths of up to two codes and their values.
//!
//! Decoding is a chain, because a code can be read only after the length of the previous one is known. A lookup therefore gives the total length of two
//! codes if the second code is within the looked-up bits; its value need not be. If a lookup finds no code, the entry has no bits and advances by
//! [`UNSETTLED`], which also ends the loop over the block, so that the common path needs no branch.

use crate::Unsupported;
use crate::header::HuffmanSpec;

/// Number of looked-up bits. Longer codes, one in hundreds, are decoded by a slower function.
pub(crate) const LOOK: u32 = 11;

/// Advance of an end-of-block code: beyond the end of a block.
pub(crate) const END: u32 = 128;
/// Advance if the code is longer than [`LOOK`] or invalid.
pub(crate) const UNSETTLED: u32 = 192;

/// Coefficients of a table: DC or AC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Dc,
    Ac,
}

/// Meaning of one or two codes, in one byte each: total number of bits; bits of the first code; 63 - bits of its value; bits before the second value;
/// 63 - bits of the second value; bits of the first code and value; advance by the first; advance by the second. Without a second code, its value has
/// no bits and its advance is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(u64);

impl Entry {
    const UNSETTLED: Self = Self::first(0, 0, UNSETTLED);

    const fn first(length: u32, size: u32, advance: u32) -> Self {
        let bits = (length + size) as u8;
        Self(u64::from_le_bytes([bits, length as u8, 63 - size as u8, 0, 63, bits, advance as u8, 0]))
    }

    /// Entry for a code of `length` bits; `None` if the symbol is invalid in an 8-bit sequential scan.
    fn new(kind: Kind, length: u32, symbol: u8) -> Option<Self> {
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        let advance = match (kind, run, size) {
            (Kind::Dc, 0, 0..=11) => 0,
            (Kind::Ac, 0, 0) => END,
            (Kind::Ac, _, 1..) | (Kind::Ac, 15, 0) => run + 1,
            _ => return None,
        };
        Some(Self::first(length, size, advance))
    }

    /// Entry for this code followed by `next`.
    fn and(self, next: Self) -> Self {
        let ([bits, length, drop, _, _, first, advance, _], next) = (self.0.to_le_bytes(), next.0.to_le_bytes());
        Self(u64::from_le_bytes([bits + next[0], length, drop, bits + next[1], next[2], first, advance, next[6]]))
    }

    /// Total number of bits, in the lowest six bits; higher bits may be set.
    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// Number of bits of the first code and its value, likewise.
    #[inline(always)]
    pub(crate) fn first_bits(self) -> u64 {
        self.0 >> 40
    }

    #[inline(always)]
    pub(crate) fn first_advance(self) -> u32 {
        (self.0 >> 48) as u32 & 0xFF
    }

    #[inline(always)]
    pub(crate) fn second_advance(self) -> u32 {
        (self.0 >> 56) as u32
    }

    /// The first value in the looked-up bits.
    #[inline(always)]
    pub(crate) fn first_value(self, bits: u64) -> i32 {
        extend(bits, self.0 >> 8, self.0 >> 16)
    }

    /// The second value, or 0.
    #[inline(always)]
    pub(crate) fn second_value(self, bits: u64) -> i32 {
        extend(bits, self.0 >> 24, self.0 >> 32)
    }
}

/// The signed value (T.81, F.12) after `skip % 64` of the bits that has 63 - `drop % 64` bits.
#[inline(always)]
fn extend(bits: u64, skip: u64, drop: u64) -> i32 {
    let tail = bits << (skip & 63);
    // A leading 0 means a negative value, offset by all ones.
    let zero = if (tail as i64) < 0 { 0 } else { (u64::MAX >> 1) >> (drop & 63) };
    ((tail >> 1) >> (drop & 63)).wrapping_sub(zero) as i32
}

/// Decoding table.
#[derive(Debug)]
pub(crate) struct Table {
    kind: Kind,
    made_of: Option<HuffmanSpec>,
    look: Box<[Entry; 1 << LOOK]>,
    /// For each length, its last code + 1, and the index of its first symbol minus its first code.
    ends: [u32; 17],
    offsets: [i32; 17],
}

impl Table {
    pub(crate) fn new(kind: Kind) -> Self {
        let look = Box::new([Entry::UNSETTLED; 1 << LOOK]);
        Self { kind, made_of: None, look, ends: [0; 17], offsets: [0; 17] }
    }

    /// Builds the table of `spec`, unless it is already built: many files have the tables of the standard's annex K.
    pub(crate) fn prepare(&mut self, spec: &HuffmanSpec) -> Result<(), Unsupported> {
        if self.made_of.as_ref() == Some(spec) {
            return Ok(());
        }
        self.made_of = None;
        // libjpeg refuses a table with an invalid symbol, even if the symbol is not used.
        if self.kind == Kind::Dc && spec.symbols().iter().any(|&s| s > 11) {
            return Err(Unsupported::Table);
        }
        self.look.fill(Entry::UNSETTLED);
        let (mut code, mut first) = (0u32, 0usize);
        for (length, &count) in (1u32..).zip(&spec.counts) {
            let count = usize::from(count);
            self.offsets[length as usize] = first as i32 - code as i32;
            let symbols = spec.symbols().get(first..first + count).ok_or(Unsupported::Table)?;
            for &symbol in symbols {
                if length <= LOOK {
                    let start = (code << (LOOK - length)) as usize;
                    let entry = Entry::new(self.kind, length, symbol).unwrap_or(Entry::UNSETTLED);
                    self.look.get_mut(start..start + (1 << (LOOK - length))).ok_or(Unsupported::Table)?.fill(entry);
                }
                code += 1;
            }
            // More codes than possible; a code of all ones is invalid as well.
            if count > 0 && code >= 1 << length {
                return Err(Unsupported::Table);
            }
            self.ends[length as usize] = code;
            first += count;
            code <<= 1;
        }
        if self.kind == Kind::Ac {
            self.pair_up();
        }
        self.made_of = Some(spec.clone());
        Ok(())
    }

    /// Adds the second code to each entry if its bits are known.
    fn pair_up(&mut self) {
        let singles = *self.look;
        for (seen, entry) in self.look.iter_mut().enumerate() {
            let first = entry.0.to_le_bytes();
            let taken = u32::from(first[0]);
            if taken >= LOOK || u32::from(first[6]) >= END {
                continue;
            }
            // The bits after the first value, followed by zeros.
            let next = singles[seen << taken & ((1 << LOOK) - 1)];
            let length = u32::from(next.0.to_le_bytes()[1]);
            if next != Entry::UNSETTLED && taken + length <= LOOK {
                *entry = entry.and(next);
            }
        }
    }

    /// Looks up the uppermost bits of `bits`.
    #[inline(always)]
    pub(crate) fn look(&self, bits: u64) -> Entry {
        self.look[(bits >> (64 - LOOK)) as usize]
    }

    /// The same for codes of any length.
    #[cold]
    pub(crate) fn search(&self, bits: u64) -> Result<Entry, Unsupported> {
        let spec = self.made_of.as_ref().ok_or(Unsupported::Table)?;
        for length in 1..=16 {
            let code = (bits >> (64 - length)) as u32;
            if code < self.ends[length as usize] && spec.counts[length as usize - 1] > 0 {
                let at = i64::from(code) + i64::from(self.offsets[length as usize]);
                let symbol = usize::try_from(at).ok().and_then(|at| spec.symbols().get(at));
                return symbol.and_then(|&s| Entry::new(self.kind, length, s)).ok_or(Unsupported::Code);
            }
        }
        Err(Unsupported::Code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_codes_in_one_look_are_what_two_looks_give() {
        // End of block 00, (0, 1) 01, (0, 3) 100, (1, 2) 101, (15, 0) 110, (0, 10) 1110, and a long one.
        let mut counts = [0; 16];
        (counts[1], counts[2], counts[3], counts[11]) = (2, 3, 1, 1);
        let symbols = [0x00, 0x01, 0x03, 0x12, 0xF0, 0x0A, 0x02];
        let mut table = Table::new(Kind::Ac);
        table.prepare(&HuffmanSpec::new(counts, &symbols).unwrap()).unwrap();
        let mut pairs = 0;
        for sixteen in 0..1u64 << 16 {
            let bits = (sixteen << 48) | ((sixteen * 0x5bd1) & 0xFFFF_FFFF);
            let Ok(first) = table.search(bits) else { continue };
            let entry = table.look(bits);
            if entry == Entry::UNSETTLED {
                assert_eq!(first.0.to_le_bytes()[1], 12);
                continue;
            }
            let taken = first.bits() & 63;
            assert_eq!((entry.first_bits() & 63, entry.first_advance()), (taken, first.first_advance()));
            assert_eq!(entry.first_value(bits), first.first_value(bits));
            if entry.second_advance() == 0 {
                assert_eq!((entry.bits() & 63, entry.second_value(bits)), (taken, 0));
                continue;
            }
            pairs += 1;
            let second = table.search(bits << taken).unwrap();
            assert_eq!(entry.bits() & 63, taken + (second.bits() & 63));
            assert_eq!(entry.second_advance(), second.first_advance());
            assert_eq!(entry.second_value(bits), second.first_value(bits << taken));
        }
        assert!(pairs > 30_000, "{pairs}");
    }

    #[test]
    fn looking_and_searching_agree_and_contradictions_are_refused() {
        // T.81, table K.3 (luminance DC).
        let symbols: Vec<u8> = (0..12).collect();
        let dc = HuffmanSpec::new([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &symbols).unwrap();
        let mut table = Table::new(Kind::Dc);
        table.prepare(&dc).unwrap();
        for bits in (0..1u64 << 16).map(|b| b << 48) {
            match table.search(bits) {
                Ok(found) => assert_eq!(found, table.look(bits)),
                Err(why) => assert_eq!((why, table.look(bits).first_advance()), (Unsupported::Code, UNSETTLED)),
            }
        }
        // 00 is category 0, without further bits. 010 is category 1, with one more bit.
        assert_eq!((table.look(0).bits() & 63, table.look(0).first_value(0)), (2, 0));
        for (bits, value) in [(0b0100, -1), (0b0101, 1)] {
            let entry = table.look(bits << 60);
            assert_eq!((entry.bits() & 63, entry.first_value(bits << 60)), (4, value));
        }

        let refused = |counts: [u8; 16], symbols: &[u8]| {
            Table::new(Kind::Ac).prepare(&HuffmanSpec::new(counts, symbols).unwrap()).unwrap_err()
        };
        let (mut three, mut ones) = ([0; 16], [0; 16]);
        three[0] = 3;
        ones[0] = 2;
        assert_eq!(refused(three, &[1, 2, 3]), Unsupported::Table);
        assert_eq!(refused(ones, &[1, 2]), Unsupported::Table);
    }
}
