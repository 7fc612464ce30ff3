//! Entropy-coded data (T.81, B.1.1.5). Stuffing and restart markers are removed beforehand, so that the bit reader need not check for them.

use crate::Unsupported;

/// Number of padding bytes after the data, which may be read.
const PAD: usize = 16;

/// Entropy-coded data without stuffing, split at restart markers. Reuses its memory.
#[derive(Debug, Default)]
pub(crate) struct Unstuffed {
    bytes: Vec<u8>,
    /// End of each piece, which is the start of the next.
    ends: Vec<usize>,
}

impl Unstuffed {
    /// Reads everything up to the end marker, which must directly follow the data, with restart markers in order.
    pub(crate) fn fill(&mut self, from: &[u8], restarts: bool) -> Result<(), Unsupported> {
        self.ends.clear();
        if self.bytes.len() < from.len() + PAD {
            self.bytes.resize(from.len() + PAD, 0);
        }
        let (mut read, mut wrote) = (0, 0);
        while let Some(word) = from.get(read..).and_then(|b| b.first_chunk::<8>()) {
            self.bytes[wrote..wrote + 8].copy_from_slice(word);
            let plain = before_ff(u64::from_le_bytes(*word));
            read += plain;
            wrote += plain;
            if plain < 8 && self.meet(from, &mut read, &mut wrote, restarts)? {
                return Ok(());
            }
        }
        while let Some(&byte) = from.get(read) {
            if byte == 0xFF {
                if self.meet(from, &mut read, &mut wrote, restarts)? {
                    return Ok(());
                }
            } else {
                self.bytes[wrote] = byte;
                (read, wrote) = (read + 1, wrote + 1);
            }
        }
        Err(Unsupported::Length)
    }

    /// Processes the 0xFF at `read`. Returns whether the image ends there.
    #[inline(always)]
    fn meet(&mut self, from: &[u8], read: &mut usize, wrote: &mut usize, restarts: bool) -> Result<bool, Unsupported> {
        match from.get(*read + 1) {
            Some(0) => {
                self.bytes[*wrote] = 0xFF;
                *wrote += 1;
            }
            Some(&marker @ 0xD0..=0xD7) if restarts && usize::from(marker & 7) == self.ends.len() % 8 => {
                self.ends.push(*wrote);
            }
            Some(0xD9) => {
                self.ends.push(*wrote);
                self.bytes[*wrote..*wrote + PAD].fill(0);
                return Ok(true);
            }
            _ => return Err(Unsupported::Length),
        }
        *read += 2;
        Ok(false)
    }

    /// Number of pieces.
    pub(crate) fn pieces(&self) -> usize {
        self.ends.len()
    }

    /// A reader at the start of piece `number`.
    pub(crate) fn piece(&self, number: usize) -> Bits<'_> {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        Bits { bytes: &self.bytes, at: start, end: self.ends[number], bits: 0, count: 0 }
    }
}

/// Number of bytes before the first 0xFF in a group of eight.
#[inline(always)]
fn before_ff(word: u64) -> usize {
    // The lowest byte of the complement that is zero; a borrow can only disturb bytes above it.
    let zero = !word;
    let marks = zero.wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080;
    (marks.trailing_zeros() / 8) as usize
}

/// Bit reader, most significant bit first.
#[derive(Clone, Copy)]
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
    /// The next bits, left-aligned. `count % 64` of them are counted; the bits below are valid but will be read again.
    pub(crate) bits: u64,
    count: u32,
}

impl Bits<'_> {
    /// Makes at least 56 bits available. Fails only far beyond the end of the data; [`Self::finish`] checks the exact end.
    #[inline(always)]
    pub(crate) fn refill(&mut self) -> Result<(), Unsupported> {
        let word = self.bytes.get(self.at..).and_then(|b| b.first_chunk()).ok_or(Unsupported::Length)?;
        let count = self.count & 63;
        self.bits |= u64::from_be_bytes(*word) >> count;
        self.at += ((63 - count) >> 3) as usize;
        self.count = count | 56;
        Ok(())
    }

    /// Drops the uppermost `n % 64` bits. At most 56 bits may be dropped between two refills.
    #[inline(always)]
    pub(crate) fn skip(&mut self, n: u64) {
        self.bits <<= n & 63;
        // Only the lowest six bits are used. Masking here would lengthen the critical path.
        self.count = self.count.wrapping_sub(n as u32);
    }

    /// Whether the piece was read exactly, except for less than one byte of padding.
    pub(crate) fn finish(&self) -> Result<(), Unsupported> {
        let bits = (self.at * 8) as u64 - u64::from(self.count & 63);
        if bits.div_ceil(8) == self.end as u64 { Ok(()) } else { Err(Unsupported::Length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffing_and_markers_are_taken_out_wherever_they_lie() {
        for lead in 0..20 {
            let mut coded = vec![0xFE; lead];
            coded.extend([0xFF, 0, 0xFF, 0, 1, 0xFF, 0xD0, 2, 0x80, 0x7F, 0xFF, 0xD1, 0xFF, 0xD9]);
            let mut plain = vec![0xFE; lead];
            plain.extend([0xFF, 0xFF, 1, 2, 0x80, 0x7F]);
            let mut unstuffed = Unstuffed::default();
            unstuffed.fill(&coded, true).unwrap();
            assert_eq!(unstuffed.bytes[..plain.len()], plain);
            assert_eq!(unstuffed.ends, [lead + 3, lead + 6, lead + 6]);
            assert_eq!(unstuffed.fill(&coded, false), Err(Unsupported::Length));
            assert_eq!(unstuffed.fill(&coded[..coded.len() - 1], true), Err(Unsupported::Length));
            assert_eq!(unstuffed.fill(&coded[..lead], true), Err(Unsupported::Length));
            coded[lead + 6] = 0xD1;
            assert_eq!(unstuffed.fill(&coded, true), Err(Unsupported::Length));
        }
    }

    #[test]
    fn bits_come_in_order_and_are_counted() {
        let data: Vec<u8> = (0..40u8).map(|i| i.wrapping_mul(151) & 0xFE).chain([0xFF, 0xD9]).collect();
        let mut unstuffed = Unstuffed::default();
        unstuffed.fill(&data, false).unwrap();
        let mut bits = unstuffed.piece(0);
        for i in 0..40 * 8 {
            bits.refill().unwrap();
            assert_eq!(bits.finish().is_ok(), i > 39 * 8);
            assert_eq!(bits.bits >> 63, u64::from(data[i / 8] >> (7 - i % 8) & 1));
            bits.skip(1);
        }
        bits.refill().unwrap();
        assert!(bits.finish().is_ok());
        bits.skip(1);
        assert!(bits.finish().is_err());
    }
}
