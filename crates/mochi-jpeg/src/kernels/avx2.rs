//! Kernels for AVX2. The two blocks of a pair are in the two halves of each register, so that no operation crosses halves.

use std::arch::x86_64::__m256i;

use pulp::x86::V3;
use pulp::{NullaryFnOnce, cast};

use super::{Kernels, Place, STEP};
use crate::Unsupported;
use crate::block::{Pair, ROW};
use crate::idct::{CONST_BITS, EVEN, LARGEST, ODD, PASS1_BITS, Quant};

/// The kernels for x86-64 with AVX2.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(pub(crate) V3);

/// Eight registers: row (or column) r of both blocks, 16 bits per lane.
type Rows = [__m256i; 8];

impl Avx2 {
    #[inline(always)]
    fn splat16(self, v: i16) -> __m256i {
        self.0.avx._mm256_set1_epi16(v)
    }

    #[inline(always)]
    fn splat32(self, v: i32) -> __m256i {
        self.0.avx._mm256_set1_epi32(v)
    }

    #[inline(always)]
    fn add32(self, a: __m256i, b: __m256i) -> __m256i {
        self.0.avx2._mm256_add_epi32(a, b)
    }

    #[inline(always)]
    fn sub32(self, a: __m256i, b: __m256i) -> __m256i {
        self.0.avx2._mm256_sub_epi32(a, b)
    }

    #[inline(always)]
    fn max16(self, a: __m256i, b: __m256i) -> __m256i {
        self.0.avx2._mm256_max_epu16(a, b)
    }

    /// `a x + b y` for pairs (x, y) of 16 bits.
    #[inline(always)]
    fn dot(self, pairs: __m256i, a: i32, b: i32) -> __m256i {
        self.0.avx2._mm256_madd_epi16(pairs, self.splat32((b << 16) | (a & 0xFFFF)))
    }

    /// One dimension over half of the lanes: the even half's four sums, with `round` added, and the odd half's.
    #[inline(always)]
    fn halves(
        self,
        x04: __m256i,
        x26: __m256i,
        x13: __m256i,
        x57: __m256i,
        round: __m256i,
    ) -> ([__m256i; 4], [__m256i; 4]) {
        let one = 1 << CONST_BITS;
        let sum = self.add32(self.dot(x04, one, one), round);
        let difference = self.add32(self.dot(x04, one, -one), round);
        let inner = self.dot(x26, EVEN[0][0], EVEN[0][1]);
        let outer = self.dot(x26, EVEN[1][0], EVEN[1][1]);
        let mut odd = [x13; 4];
        for i in 0..4 {
            odd[i] = self.add32(self.dot(x13, ODD[i][0], ODD[i][1]), self.dot(x57, ODD[i][2], ODD[i][3]));
        }
        let even = [
            self.add32(sum, outer),
            self.add32(difference, inner),
            self.sub32(difference, inner),
            self.sub32(sum, outer),
        ];
        (even, odd)
    }

    /// One dimension over all lanes; outputs are shifted right by `SHIFT` bits with rounding and saturated to 16 bits.
    #[inline(always)]
    fn transform<const SHIFT: i32>(self, x: Rows) -> Rows {
        let s = self.0.avx2;
        let round = self.splat32(1 << (SHIFT - 1));
        let (even, odd) = self.halves(
            s._mm256_unpacklo_epi16(x[0], x[4]),
            s._mm256_unpacklo_epi16(x[2], x[6]),
            s._mm256_unpacklo_epi16(x[1], x[3]),
            s._mm256_unpacklo_epi16(x[5], x[7]),
            round,
        );
        let (even_high, odd_high) = self.halves(
            s._mm256_unpackhi_epi16(x[0], x[4]),
            s._mm256_unpackhi_epi16(x[2], x[6]),
            s._mm256_unpackhi_epi16(x[1], x[3]),
            s._mm256_unpackhi_epi16(x[5], x[7]),
            round,
        );
        let mut out = x;
        for i in 0..4 {
            out[i] = s._mm256_packs_epi32(
                s._mm256_srai_epi32::<SHIFT>(self.add32(even[i], odd[i])),
                s._mm256_srai_epi32::<SHIFT>(self.add32(even_high[i], odd_high[i])),
            );
            out[7 - i] = s._mm256_packs_epi32(
                s._mm256_srai_epi32::<SHIFT>(self.sub32(even[i], odd[i])),
                s._mm256_srai_epi32::<SHIFT>(self.sub32(even_high[i], odd_high[i])),
            );
        }
        out
    }

    /// Transposes each half.
    #[inline(always)]
    fn transpose(self, x: Rows) -> Rows {
        let s = self.0.avx2;
        let (mut pairs, mut fours, mut out) = (x, x, x);
        for i in 0..4 {
            pairs[2 * i] = s._mm256_unpacklo_epi16(x[2 * i], x[2 * i + 1]);
            pairs[2 * i + 1] = s._mm256_unpackhi_epi16(x[2 * i], x[2 * i + 1]);
        }
        for i in 0..4 {
            let from = i / 2 * 4 + i % 2;
            fours[2 * i] = s._mm256_unpacklo_epi32(pairs[from], pairs[from + 2]);
            fours[2 * i + 1] = s._mm256_unpackhi_epi32(pairs[from], pairs[from + 2]);
        }
        for i in 0..4 {
            out[2 * i] = s._mm256_unpacklo_epi64(fours[i], fours[i + 4]);
            out[2 * i + 1] = s._mm256_unpackhi_epi64(fours[i], fours[i + 4]);
        }
        out
    }

    /// The largest magnitude in each lane (unsigned).
    #[inline(always)]
    fn magnitudes(self, x: Rows) -> __m256i {
        let s = self.0.avx2;
        let mut largest = s._mm256_abs_epi16(x[0]);
        for row in &x[1..] {
            largest = self.max16(largest, s._mm256_abs_epi16(*row));
        }
        largest
    }

    /// Whether every lane of `x` is at most that of `most` (unsigned).
    #[inline(always)]
    fn at_most(self, x: __m256i, most: __m256i) -> bool {
        let s = self.0.avx2;
        s._mm256_movemask_epi8(s._mm256_cmpeq_epi16(self.max16(x, most), most)) == -1
    }

    /// Converts eight columns of integers around zero to eight rows of samples: rows 2i and 2i + 1 of the left block, then of the right.
    #[inline(always)]
    fn samples(self, x: Rows) -> [[u64; 4]; 4] {
        let s = self.0.avx2;
        let mut packed = x;
        for i in 0..4 {
            packed[i] = s._mm256_packs_epi16(x[i], x[i + 4]);
        }
        let left = s._mm256_unpacklo_epi8(packed[0], packed[1]);
        let right = s._mm256_unpackhi_epi8(packed[0], packed[1]);
        let left_next = s._mm256_unpacklo_epi8(packed[2], packed[3]);
        let right_next = s._mm256_unpackhi_epi8(packed[2], packed[3]);
        let upper = s._mm256_unpacklo_epi16(left, left_next);
        let upper_right = s._mm256_unpacklo_epi16(right, right_next);
        let lower = s._mm256_unpackhi_epi16(left, left_next);
        let lower_right = s._mm256_unpackhi_epi16(right, right_next);
        let middle = self.0.avx._mm256_set1_epi8(-128);
        [
            cast(s._mm256_xor_si256(s._mm256_unpacklo_epi32(upper, upper_right), middle)),
            cast(s._mm256_xor_si256(s._mm256_unpackhi_epi32(upper, upper_right), middle)),
            cast(s._mm256_xor_si256(s._mm256_unpacklo_epi32(lower, lower_right), middle)),
            cast(s._mm256_xor_si256(s._mm256_unpackhi_epi32(lower, lower_right), middle)),
        ]
    }
}

impl Kernels for Avx2 {
    fn run<Op: NullaryFnOnce>(self, op: Op) -> Op::Output {
        self.0.vectorize(op)
    }

    #[inline(always)]
    fn idct(self, pair: &Pair, quants: [&Quant; 2], samples: &mut [u8], places: [Place; 2]) -> Result<(), Unsupported> {
        let s = self.0.avx2;
        let (rows, _) = pair.as_chunks::<ROW>();
        let (left, _) = quants[0].steps.as_chunks::<8>();
        let (right, _) = quants[1].steps.as_chunks::<8>();
        let mut coefficients: Rows = [self.splat16(0); 8];
        for (register, row) in coefficients.iter_mut().zip(rows) {
            *register = cast(*row);
        }
        let safe = cast([quants[0].safe, quants[1].safe]);
        let fits = self.at_most(self.magnitudes(coefficients), safe)
            || (quants[0].admits(pair, 0) && quants[1].admits(pair, 8));
        if !fits {
            return Err(Unsupported::Range);
        }
        let mut values = coefficients;
        for r in 0..8 {
            values[r] = s._mm256_mullo_epi16(coefficients[r], cast([left[r], right[r]]));
        }
        let between = self.transform::<{ CONST_BITS - PASS1_BITS }>(values);
        let between_fits = self.at_most(self.magnitudes(between), self.splat16(LARGEST as i16));
        let columns = self.transform::<{ CONST_BITS + PASS1_BITS + 3 }>(self.transpose(between));
        let mut largest = self.splat16(0);
        for column in columns {
            largest = self.max16(largest, s._mm256_add_epi16(column, self.splat16(512)));
        }
        if !between_fits || !self.at_most(largest, self.splat16(1023)) {
            return Err(Unsupported::Range);
        }
        for (i, rows) in self.samples(columns).iter().enumerate() {
            for (place, two) in places.iter().zip(rows.as_chunks::<2>().0) {
                for (row, eight) in (2 * i..).zip(two) {
                    samples[place.start + row * place.stride..][..8].copy_from_slice(&eight.to_ne_bytes());
                }
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn convert(self, y: &[u8; STEP], cb: &[u8; STEP], cr: &[u8; STEP]) -> [u8; 3 * STEP] {
        let s = self.0.avx2;
        let zero = self.splat16(0);
        let (y, cb, cr): (__m256i, __m256i, __m256i) = (cast(*y), cast(*cb), cast(*cr));
        let (red_low, green_low, blue_low) = self.sixteen(
            s._mm256_unpacklo_epi8(y, zero),
            s._mm256_unpacklo_epi8(cb, zero),
            s._mm256_unpacklo_epi8(cr, zero),
        );
        let (red_high, green_high, blue_high) = self.sixteen(
            s._mm256_unpackhi_epi8(y, zero),
            s._mm256_unpackhi_epi8(cb, zero),
            s._mm256_unpackhi_epi8(cr, zero),
        );
        let red = s._mm256_packus_epi16(red_low, red_high);
        let green = s._mm256_packus_epi16(green_low, green_high);
        let blue = s._mm256_packus_epi16(blue_low, blue_high);
        // The first, second and third sixteen of each half's 48 bytes.
        let (mut thirds, colors) = ([zero; 3], [red, green, blue]);
        for (third, pick) in thirds.iter_mut().zip(PICK) {
            for (color, pick) in colors.into_iter().zip(pick) {
                *third = s._mm256_or_si256(*third, s._mm256_shuffle_epi8(color, cast([pick; 2])));
            }
        }
        cast([
            s._mm256_permute2x128_si256::<0x20>(thirds[0], thirds[1]),
            s._mm256_permute2x128_si256::<0x30>(thirds[2], thirds[0]),
            s._mm256_permute2x128_si256::<0x31>(thirds[1], thirds[2]),
        ])
    }
}

/// Shuffles for each third of 48 bytes of RGB and each color: index of one of its sixteen values, or -1.
const PICK: [[[i8; 16]; 3]; 3] = {
    let mut pick = [[[-1; 16]; 3]; 3];
    let mut byte = 0;
    while byte < 48 {
        pick[byte / 16][byte % 3][byte % 16] = (byte / 3) as i8;
        byte += 1;
    }
    pick
};

impl Avx2 {
    /// Red, green and blue, not yet clamped, of sixteen pixels.
    ///
    /// `(c x + 1/2) >> 16` is `(((2 x c) >> 16) + 1) >> 1`, because flooring twice equals flooring once. Integer multiples of x are added separately,
    /// so that the rest of each constant fits 16 bits.
    #[inline(always)]
    fn sixteen(self, y: __m256i, cb: __m256i, cr: __m256i) -> (__m256i, __m256i, __m256i) {
        /// 1.402 - 1, 1.772 - 2, 0.34414 and 1 - 0.71414 with 16 fractional bits.
        const RED: i16 = 26_345;
        const BLUE: i16 = -14_942;
        const GREEN: (i32, i32) = (-22_554, 18_734);
        let s = self.0.avx2;
        let (cb, cr) = (s._mm256_sub_epi16(cb, self.splat16(128)), s._mm256_sub_epi16(cr, self.splat16(128)));
        let red = s._mm256_add_epi16(y, s._mm256_add_epi16(cr, self.scaled(cr, RED)));
        let twice = s._mm256_add_epi16(cb, cb);
        let blue = s._mm256_add_epi16(y, s._mm256_add_epi16(twice, self.scaled(cb, BLUE)));
        let half = self.splat32(1 << 15);
        let low = self.add32(self.dot(s._mm256_unpacklo_epi16(cb, cr), GREEN.0, GREEN.1), half);
        let high = self.add32(self.dot(s._mm256_unpackhi_epi16(cb, cr), GREEN.0, GREEN.1), half);
        let mixed = s._mm256_packs_epi32(s._mm256_srai_epi32::<16>(low), s._mm256_srai_epi32::<16>(high));
        (red, s._mm256_sub_epi16(s._mm256_add_epi16(y, mixed), cr), blue)
    }

    /// `(c x + 1/2) >> 16`.
    #[inline(always)]
    fn scaled(self, x: __m256i, c: i16) -> __m256i {
        let s = self.0.avx2;
        let twice = s._mm256_mulhi_epi16(s._mm256_add_epi16(x, x), self.splat16(c));
        s._mm256_srai_epi16::<1>(s._mm256_add_epi16(twice, self.splat16(1)))
    }
}
