//! The coefficients of a block (T.81, F.2.2), written into a pair of blocks that lie side by side, as the inverse DCT takes them.

use crate::Declined;
use crate::bits::Bits;
use crate::header::ZIGZAG;
use crate::huffman::{END, Entry, Table, UNSETTLED};

/// Coefficients of a row of a pair: eight of the one block, eight of the other.
pub(crate) const ROW: usize = 16;
/// Where values go that belong nowhere, such as that of an end-of-block code: to the DC coefficient, which is written last.
const NOWHERE: u8 = 0;

/// Two blocks of quantised coefficients, row by row, the rows side by side.
pub(crate) type Pair = [i16; 8 * ROW];
/// What [`decode_ac`] sees of the coefficients from its block's first on: any byte is a place in it.
pub(crate) type Window = [i16; 256];

/// Where in the left block of a pair a coefficient lies whose *successor* in zigzag order has the given number.
const PLACES: [u8; 256] = {
    let mut places = [NOWHERE; 256];
    let mut k = 0;
    while k < 64 {
        places[k + 1] = ZIGZAG[k] / 8 * ROW as u8 + ZIGZAG[k] % 8;
        k += 1;
    }
    places
};

/// The value of a code's last bits (T.81, F.12 "EXTEND"), which are the uppermost ones of `bits` after `entry`'s code.
#[inline(always)]
fn value(bits: u64, entry: Entry) -> i32 {
    let (total, size) = (entry.bits() & 63, entry.size());
    let tail = bits << (total - size);
    // A leading 0 means negative: the bits are those of the magnitude, inverted.
    let negative = !((tail as i64) >> 63);
    let magnitude = (((tail ^ negative as u64) >> 1) >> (63 - size)) as i64;
    ((magnitude ^ negative) - negative) as i32
}

/// The difference of a block's DC coefficient from the one before.
#[inline(always)]
pub(crate) fn decode_dc(bits: &mut Bits<'_>, table: &Table) -> Result<i32, Declined> {
    bits.refill()?;
    let mut entry = table.look(bits.bits);
    if entry.advance() == UNSETTLED {
        entry = table.search(bits.bits)?;
    }
    let difference = value(bits.bits, entry);
    bits.skip(entry.bits());
    Ok(difference)
}

/// The 63 other coefficients, to their places in the block that `window` begins with, the left or right one of a [`Pair`]. Returns
/// whether there was one; if not, only the place of the DC coefficient was written.
#[inline(always)]
pub(crate) fn decode_ac(bits: &mut Bits<'_>, table: &Table, window: &mut Window) -> Result<bool, Declined> {
    // The number of the next coefficient.
    let mut k = 1u32;
    loop {
        while k < 64 {
            bits.refill()?;
            // A look takes at most 25 bits, so one refill is enough for two.
            for _ in 0..2 {
                let entry = table.look(bits.bits);
                let value = value(bits.bits, entry);
                bits.skip(entry.bits());
                k += entry.advance();
                window[usize::from(PLACES[(k & 255) as usize])] = value as i16;
                if k > 63 {
                    break;
                }
            }
        }
        if k >= UNSETTLED {
            k -= UNSETTLED;
            bits.refill()?;
            let entry = table.search(bits.bits)?;
            let value = value(bits.bits, entry);
            bits.skip(entry.bits());
            k += entry.advance();
            window[usize::from(PLACES[(k & 255) as usize])] = value as i16;
            if k < 64 {
                continue;
            }
        }
        return match k {
            64 => Ok(true),
            END.. => Ok(k > END + 1),
            _ => Err(Declined::Code),
        };
    }
}
