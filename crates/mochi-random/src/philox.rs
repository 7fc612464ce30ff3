//! Philox4x32-10: Salmon, Moraes, Dror, Shaw: *Parallel Random Numbers: As Easy as 1, 2, 3*, SC 2011. The known answers in the tests are
//! those of its reference implementation, Random123.

/// A family of draws: one cipher key, 2^128 counters, four words each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Philox {
    key: [u32; 2],
}

/// How many counters [`Philox::block`] takes at once: one AVX-512 register of words, two AVX2 ones.
pub const LANES: usize = 16;

impl Philox {
    /// The family of `seed` and `stream`. The same counter under two streams gives unrelated words.
    pub fn new(seed: u64, stream: u64) -> Self {
        // SplitMix64's finalizer spreads both numbers over all 64 bits of the key (Steele, Lea, Flood 2014).
        let mut z = seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        Self { key: [low(z), low(z >> 32)] }
    }

    /// The cipher key, for implementations on other devices.
    pub fn key(&self) -> [u32; 2] {
        self.key
    }

    /// The four random words of a counter.
    #[inline]
    pub fn words(&self, counter: [u32; 4]) -> [u32; 4] {
        philox4x32_10(counter, self.key)
    }

    /// The words of [`LANES`] counters that differ in their last part, `last`, `last + 1`, ...: `block(..)[w][i]` is word `w` of
    /// counter `last + i`. Equal to [`Self::words`], in loops that compilers turn into vector instructions.
    #[inline(always)]
    pub fn block(&self, counter: [u32; 3], last: u32) -> [[u32; LANES]; 4] {
        let mut a = [counter[0]; LANES];
        let mut b = [counter[1]; LANES];
        let mut c = [counter[2]; LANES];
        let mut d = [0u32; LANES];
        for (i, d) in (0u32..).zip(&mut d) {
            *d = last.wrapping_add(i);
        }
        let [mut k0, mut k1] = self.key;
        for _ in 0..10 {
            for i in 0..LANES {
                let first = u64::from(a[i]) * 0xd251_1f53;
                let second = u64::from(c[i]) * 0xcd9e_8d57;
                (a[i], c[i]) = (low(second >> 32) ^ b[i] ^ k0, low(first >> 32) ^ d[i] ^ k1);
                (b[i], d[i]) = (low(second), low(first));
            }
            k0 = k0.wrapping_add(0x9e37_79b9);
            k1 = k1.wrapping_add(0xbb67_ae85);
        }
        [a, b, c, d]
    }
}

/// One application of Philox4x32 with ten rounds: 128 bits of counter and 64 bits of key to 128 random bits.
#[inline]
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut a, mut b, mut c, mut d] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let first = u64::from(a) * 0xd251_1f53;
        let second = u64::from(c) * 0xcd9e_8d57;
        (a, b, c, d) = (low(second >> 32) ^ b ^ k0, low(second), low(first >> 32) ^ d ^ k1, low(first));
        // Weyl steps of the key: the golden ratio and sqrt(3) - 1.
        k0 = k0.wrapping_add(0x9e37_79b9);
        k1 = k1.wrapping_add(0xbb67_ae85);
    }
    [a, b, c, d]
}

/// The low 32 bits.
#[inline(always)]
pub(crate) const fn low(z: u64) -> u32 {
    (z & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_random123() {
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, answer) in cases {
            assert_eq!(philox4x32_10(counter, key), answer);
        }
    }

    #[test]
    fn a_block_equals_its_counters_one_by_one() {
        let family = Philox::new(7, 3);
        for last in [0, 5, u32::MAX - 4] {
            let block = family.block([1, 2, 3], last);
            for (i, counter) in (0..LANES).zip(0u32..) {
                let words = family.words([1, 2, 3, last.wrapping_add(counter)]);
                assert_eq!(words, block.map(|word| word[i]));
            }
        }
    }

    #[test]
    fn seeds_and_streams_are_unrelated() {
        let word = |seed, stream| Philox::new(seed, stream).words([0; 4])[0];
        assert_ne!(word(1, 0), word(0, 1));
        assert_ne!(word(0, 0), word(0, 1));
        assert_eq!(word(5, 9), word(5, 9));
    }
}
