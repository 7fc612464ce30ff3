//! Coefficients of a block (T.81, F.2.2), written into a pair of adjacent blocks, the input of the inverse DCT.

use crate::Unsupported;
use crate::bits::Bits;
use crate::header::ZIGZAG;
use crate::huffman::{END, Table, UNSETTLED};

/// Coefficients per row of a pair: eight of each block.
pub(crate) const ROW: usize = 16;
/// Position for values without a coefficient, such as that of an end-of-block code: the DC coefficient, which is written last.
const NOWHERE: u8 = 0;

/// Two blocks of quantized coefficients; each row of the left block is followed by the same row of the right block.
pub(crate) type Pair = [i16; 8 * ROW];
/// The coefficients from the block's first one, as [`decode_ac`] uses them: every byte value is a valid index.
pub(crate) type Window = [i16; 256];

/// Position in the left block of a pair of the coefficient whose *successor* in zigzag order has the given number.
const PLACES: [u8; 256] = {
    let mut places = [NOWHERE; 256];
    let mut k = 0;
    while k < 64 {
        places[k + 1] = ZIGZAG[k] / 8 * ROW as u8 + ZIGZAG[k] % 8;
        k += 1;
    }
    places
};

/// Decodes the difference of a block's DC coefficient from the previous one.
#[inline(always)]
pub(crate) fn decode_dc(bits: &mut Bits<'_>, table: &Table) -> Result<i32, Unsupported> {
    bits.refill()?;
    let mut entry = table.look(bits.bits);
    if entry.first_advance() == UNSETTLED {
        entry = table.search(bits.bits)?;
    }
    let difference = entry.first_value(bits.bits);
    bits.skip(entry.bits());
    Ok(difference)
}

/// Decodes the 63 other coefficients into the block at the start of `window`, the left or right one of a [`Pair`]. Returns whether there was a nonzero
/// one; if not, only the position of the DC coefficient was written.
#[inline(always)]
pub(crate) fn decode_ac(bits: &mut Bits<'_>, table: &Table, window: &mut Window) -> Result<bool, Unsupported> {
    // The number of the next coefficient.
    let mut k = 1u32;
    loop {
        while k < 64 {
            bits.refill()?;
            // A lookup uses at most 26 bits, so one refill is sufficient for two.
            for _ in 0..2 {
                let entry = table.look(bits.bits);
                let values = (entry.first_value(bits.bits), entry.second_value(bits.bits));
                let first = k + entry.first_advance();
                let second = first + entry.second_advance();
                // In this order, because without a second code its value is 0 and its position is that of the first.
                window[usize::from(PLACES[(second & 255) as usize])] = values.1 as i16;
                window[usize::from(PLACES[(first & 255) as usize])] = values.0 as i16;
                if first > 63 {
                    // The second code is not part of this block.
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
            _ => Err(Unsupported::Code),
        };
    }
}
