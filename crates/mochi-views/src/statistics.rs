//! Mean and standard deviation of each channel, for values from 0 to 1.
//!
//! Every image has equal weight, whatever its size, as in training, where all views have one size. If `m_i` is the mean of an image's values
//! and `q_i` the mean of their squares, then `mean = avg(m_i)` and `std = sqrt(avg(q_i) - mean^2)`. Sums are integers, so the result does not
//! depend on the order in which threads finish.

use serde::Serialize;

use crate::decode::Pixels;

/// Fractional bits of a mean, in fixed point.
const BITS: u32 = 32;

/// Sums of an image's values and of their squares, per channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    sums: [u64; 3],
    squares: [u64; 3],
    area: u64,
    /// Whether red, green and blue are equal in every pixel.
    pub grayscale: bool,
}

impl Moments {
    /// Those of an image.
    pub fn of(pixels: &Pixels) -> Self {
        let area = u64::from(pixels.width) * u64::from(pixels.height);
        let mut all = Self { area, grayscale: true, ..Self::default() };
        // The sums of squares of a piece fit into 32 bits, so that the loop vectorizes.
        for piece in pixels.rgb.chunks(3 * 65_536) {
            let (mut sums, mut squares, mut differ) = ([0u32; 3], [0u32; 3], 0u8);
            for pixel in piece.chunks_exact(3) {
                for c in 0..3 {
                    let value = u32::from(pixel[c]);
                    sums[c] += value;
                    squares[c] += value * value;
                }
                differ |= (pixel[0] ^ pixel[1]) | (pixel[1] ^ pixel[2]);
            }
            for c in 0..3 {
                all.sums[c] += u64::from(sums[c]);
                all.squares[c] += u64::from(squares[c]);
            }
            all.grayscale &= differ == 0;
        }
        all
    }
}

/// Sums over all images.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    means: [u128; 3],
    squares: [u128; 3],
    images: u128,
}

impl Sums {
    /// Adds an image.
    pub fn add(&mut self, one: &Moments) {
        let area = u128::from(one.area.max(1));
        for c in 0..3 {
            self.means[c] += (u128::from(one.sums[c]) << BITS) / area;
            self.squares[c] += (u128::from(one.squares[c]) << BITS) / area;
        }
        self.images += 1;
    }

    /// The statistics of the images so far; `None` without any.
    pub fn finish(&self) -> Option<Statistics> {
        if self.images == 0 {
            return None;
        }
        let average = |sum: u128| sum as f64 / self.images as f64 / (1u64 << BITS) as f64;
        let mean = self.means.map(|sum| average(sum) / 255.0);
        let square = self.squares.map(|sum| average(sum) / (255.0 * 255.0));
        let std = [0, 1, 2].map(|c: usize| (square[c] - mean[c] * mean[c]).max(0.0).sqrt());
        Some(Statistics { mean, std })
    }
}

/// Channel statistics (R, G, B) of values from 0 to 1; every image has equal weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// Means.
    pub mean: [f64; 3],
    /// Standard deviations over all pixels of all images.
    pub std: [f64; 3],
}
