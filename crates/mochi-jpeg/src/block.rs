//! The coefficients of a block (T.81, F.2.2), written into a pair of blocks that lie side by side, as the inverse DCT takes them.

use crate::Declined;
use crate::bits::Bits;
use crate::header::ZIGZAG;
use crate::huffman::{END, Table, UNSETTLED};

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

/// The difference of a block's DC coefficient from the one before.
#[inline(always)]
pub(crate) fn decode_dc(bits: &mut Bits<'_>, table: &Table) -> Result<i32, Declined> {
    bits.refill()?;
    let mut entry = table.look(bits.bits);
    if entry.first_advance() == UNSETTLED {
        entry = table.search(bits.bits)?;
    }
    let difference = entry.first_value(bits.bits);
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
            // A look takes at most 26 bits, so one refill is enough for two.
            for _ in 0..2 {
                let entry = table.look(bits.bits);
                let values = (entry.first_value(bits.bits), entry.second_value(bits.bits));
                let first = k + entry.first_advance();
                let second = first + entry.second_advance();
                // In this order: without a second code its value is 0 and its place that of the first.
                window[usize::from(PLACES[(second & 255) as usize])] = values.1 as i16;
                window[usize::from(PLACES[(first & 255) as usize])] = values.0 as i16;
                if first > 63 {
                    // What looked like a second code is not of this block.
                    bits.skip(entry.first_bits());
                    k = first;
                    break;
                }
                bits.skip(entry.bits());
                k = second;
                if k > 63 {
                    break;
                }
            }
        }
        if k >= UNSETTLED {
            k -= UNSETTLED;
            bits.refill()?;
            let entry = table.search(bits.bits)?;
            k += entry.first_advance();
            window[usize::from(PLACES[(k & 255) as usize])] = entry.first_value(bits.bits) as i16;
            bits.skip(entry.bits());
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
