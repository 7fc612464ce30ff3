//! Random numbers from counters: Philox4x32-10.
//!
//! A stream is identified by (seed, purpose, epoch, image, view), which determine all of its numbers. Threads can therefore draw for images in any
//! order with the same result. The 128-bit counter contains the identifier without hashing:
//!
//! ```text
//! key     = [seed low, seed high]
//! counter = [block within the stream, view | purpose << 16, image, epoch]
//! block   = philox4x32-10(counter, key)           4 words of 32 bits
//! ```
//!
//! Different streams therefore never share a block. Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as
//! easy as 1, 2, 3", SC 2011, in [`mochi_random`].

use mochi_random::philox4x32_10;

/// Purpose of a stream. Streams of the same image and epoch for different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Purpose {
    /// The order of images in an epoch.
    Order = 1,
    /// The parameters of one view of one image.
    View = 2,
    /// The order of blocks of remote shards in an epoch, and of images within.
    Blocks = 3,
    /// The order of images in packed shards.
    Pack = 4,
    /// Size and mirroring of an image that a detector learns from.
    Object = 5,
    /// Which anchors and regions a detector learns from.
    Sample = 6,
}

/// Stream of random numbers; see the module documentation.
#[derive(Clone, Debug)]
pub struct Stream {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Stream {
    /// The stream of (seed, purpose, epoch, image, view). Only the low 32 bits of the epoch are used.
    pub fn new(seed: u64, purpose: Purpose, epoch: u64, image: u32, view: u16) -> Self {
        let name = u32::from(view) | (purpose as u32) << 16;
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            counter: [0, name, image, epoch as u32],
            block: [0; 4],
            used: 4,
        }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.used >= 4 {
            self.block = philox4x32_10(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        let word = self.block[self.used & 3];
        self.used += 1;
        word
    }

    /// Uniform in [0, 1), with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        let bits = u64::from(self.next_u32()) << 32 | u64::from(self.next_u32());
        (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in [low, high); `low` where the two are equal.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`. Always draws a number, so that `p` does not shift the numbers after it.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in 0..n without bias (Lemire 2019); 0 where n is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        let mut product = u64::from(self.next_u32()) * u64::from(n);
        if (product as u32) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u32) < threshold {
                product = u64::from(self.next_u32()) * u64::from(n);
            }
        }
        (product >> 32) as u32
    }

    /// Shuffles in place.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        mochi_random::shuffle(items, |n| self.below(n));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_every_part_of_their_name() {
        let first = |s: u64, p, e, i, v| Stream::new(s, p, e, i, v).next_u32();
        let base = first(1, Purpose::View, 0, 0, 0);
        for other in [
            first(2, Purpose::View, 0, 0, 0),
            first(1 << 32 | 1, Purpose::View, 0, 0, 0),
            first(1, Purpose::Order, 0, 0, 0),
            first(1, Purpose::View, 1, 0, 0),
            first(1, Purpose::View, 0, 1, 0),
            first(1, Purpose::View, 0, 0, 1),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn below_is_uniform_and_in_range() {
        let mut stream = Stream::new(3, Purpose::View, 0, 0, 0);
        let mut seen = [0u32; 7];
        for _ in 0..70_000 {
            seen[stream.below(7) as usize] += 1;
        }
        // Expected 10,000 each with a standard deviation of 93.
        assert!(seen.iter().all(|&n| n.abs_diff(10_000) < 500), "{seen:?}");
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.below(1), 0);
    }

    #[test]
    fn shuffle_is_a_permutation_and_unit_stays_below_one() {
        let mut stream = Stream::new(9, Purpose::Order, 4, 0, 0);
        let mut items: Vec<u32> = (0..1000).collect();
        stream.shuffle(&mut items);
        assert_ne!(items, (0..1000).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..1000).collect::<Vec<_>>());
        assert!((0..10_000).map(|_| stream.unit()).all(|u| (0.0..1.0).contains(&u)));
    }
}
