//! Perceptual hash: 256 bits that change little if an image is re-encoded, resized or slightly recolored.
//!
//! The hash part of PDQ (Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019, section 4): luma at
//! 64 x 64, the 16 x 16 lowest frequencies of its cosine transform without the constant one, `B = D A Dᵀ` with
//! `D[i, j] = sqrt(2/64) cos(pi (i+1) (2j+1) / 128)`, and for each the bit `B > median(B)`. PDQ makes the 64 x 64 with box filters over
//! the whole image; this implementation averages over areas in one pass, so hashes differ from PDQ's in a few bits.
//!
//! Hashes of two unrelated images differ in about half of the bits. PDQ's authors treat up to 31 differing bits as the same image, and exclude
//! images whose quality (the sum of their gradients) is below 50, because the bits of an image with little detail are noise.

use crate::average::Averager;
use crate::decode::Pixels;

/// Largest number of differing bits between near duplicates.
pub const NEAR: u32 = 31;
/// Lowest quality, in 0..=100, at which a perceptual hash is meaningful.
pub const MIN_QUALITY: u8 = 50;

const SIDE: usize = 64;
const LOW: usize = 16;

/// 256 bits; bit `16 i + j` belongs to the frequency (i + 1, j + 1), rows first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerceptualHash(pub [u64; 4]);

impl PerceptualHash {
    /// Number of differing bits.
    pub fn distance(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (a ^ b).count_ones()).sum()
    }
}

/// Computes perceptual hashes and reuses its buffers.
pub struct PerceptualHasher {
    averager: Averager,
    /// D: (16, 64).
    cosines: Vec<f32>,
    luma: Vec<f32>,
    /// D A: (16, 64).
    half: Vec<f32>,
}

impl Default for PerceptualHasher {
    fn default() -> Self {
        let cosine = |i: usize, j: usize| {
            let angle = std::f64::consts::PI / (2 * SIDE) as f64 * ((i + 1) * (2 * j + 1)) as f64;
            ((2.0 / SIDE as f64).sqrt() * angle.cos()) as f32
        };
        let cosines = (0..LOW).flat_map(|i| (0..SIDE).map(move |j| cosine(i, j))).collect();
        Self { averager: Averager::default(), cosines, luma: Vec::new(), half: Vec::new() }
    }
}

impl PerceptualHasher {
    /// Perceptual hash and quality (0..=100) of an image.
    pub fn hash(&mut self, pixels: &Pixels) -> (PerceptualHash, u8) {
        let small = self.averager.run(pixels, SIDE as u32, SIDE as u32);
        self.luma.clear();
        self.luma.extend(small.chunks_exact(3).map(|p| 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]));
        self.luma.resize(SIDE * SIDE, 0.0);
        let frequencies = self.frequencies();
        let mut sorted = frequencies;
        let (_, &mut median, _) = sorted.select_nth_unstable_by(LOW * LOW / 2 - 1, f32::total_cmp);
        let mut bits = [0u64; 4];
        for (word, values) in bits.iter_mut().zip(frequencies.chunks_exact(64)) {
            for (bit, &value) in values.iter().enumerate() {
                *word |= u64::from(value > median) << bit;
            }
        }
        (PerceptualHash(bits), quality(&self.luma))
    }

    /// B = D A Dᵀ, (16, 16).
    fn frequencies(&mut self) -> [f32; LOW * LOW] {
        self.half.clear();
        self.half.resize(LOW * SIDE, 0.0);
        for (out, cosines) in self.half.chunks_exact_mut(SIDE).zip(self.cosines.chunks_exact(SIDE)) {
            for (row, &weight) in self.luma.chunks_exact(SIDE).zip(cosines) {
                for (sum, &value) in out.iter_mut().zip(row) {
                    *sum += weight * value;
                }
            }
        }
        let mut all = [0.0; LOW * LOW];
        for (out, row) in all.chunks_exact_mut(LOW).zip(self.half.chunks_exact(SIDE)) {
            for (value, cosines) in out.iter_mut().zip(self.cosines.chunks_exact(SIDE)) {
                *value = row.iter().zip(cosines).map(|(a, b)| a * b).sum();
            }
        }
        all
    }
}

/// PDQ's quality: sum of the gradients between neighboring pixels, in whole percent of the range, divided by 90; at most 100.
fn quality(luma: &[f32]) -> u8 {
    let step = |a: f32, b: f32| ((a - b) * 100.0 / 255.0).abs() as u32;
    let across = luma.chunks_exact(SIDE).flat_map(|row| row.windows(2)).map(|pair| step(pair[0], pair[1]));
    let down = luma.iter().zip(luma.iter().skip(SIDE)).map(|(&a, &b)| step(a, b));
    (across.chain(down).sum::<u32>() / 90).min(100) as u8
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::statistics::{Moments, Sums};

    fn expected() -> Value {
        serde_json::from_str(include_str!("../tests/fixtures/measures.json")).unwrap()
    }

    /// The images of `make_measures.py`.
    fn drawn(width: u32, height: u32) -> Pixels {
        let value =
            |x: u32, y: u32, c: u32| (x * (3 + c) + y * (5 - c) + x * y / (7 + c) + (x / 9) * (y / 11) * 13) as u8;
        let rgb = (0..width * height).flat_map(|i| [0, 1, 2].map(|c| value(i % width, i / width, c))).collect();
        Pixels { width, height, rgb }
    }

    fn images(expected: &Value) -> Vec<Pixels> {
        let side = |case: &Value, name: &str| case[name].as_u64().unwrap() as u32;
        let cases = expected["images"].as_array().unwrap().iter();
        cases.map(|case| drawn(side(case, "width"), side(case, "height"))).collect()
    }

    #[test]
    fn hashes_equal_those_of_float64() {
        let expected = expected();
        let mut hasher = PerceptualHasher::default();
        for (case, pixels) in expected["images"].as_array().unwrap().iter().zip(images(&expected)) {
            let (hash, quality) = hasher.hash(&pixels);
            let words = |name: &str| {
                let words = case[name].as_array().unwrap().iter();
                words.map(|word| u64::from_str_radix(word.as_str().unwrap(), 16).unwrap()).collect::<Vec<_>>()
            };
            for ((got, want), sure) in hash.0.iter().zip(words("perceptual_hash")).zip(words("sure")) {
                assert!(sure.count_ones() > 58, "too few bits of the fixture are certain");
                assert_eq!((got ^ want) & sure, 0, "{} x {}", pixels.width, pixels.height);
            }
            assert_eq!(u64::from(quality), case["quality"].as_u64().unwrap());
        }
    }

    #[test]
    fn statistics_equal_those_of_float64() {
        let expected = expected();
        let mut sums = Sums::default();
        images(&expected).iter().for_each(|pixels| sums.add(&Moments::of(pixels)));
        let got = sums.finish().unwrap();
        for (name, values) in [("mean", got.mean), ("std", got.std)] {
            for (value, want) in values.iter().zip(expected[name].as_array().unwrap()) {
                assert!((value - want.as_f64().unwrap()).abs() < 1e-9, "{name}: {value} is not {want}");
            }
        }
    }
}
