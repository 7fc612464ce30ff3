//! Order of the images in an epoch, a function of seed and epoch.

use mochi_views::random::{Purpose, Stream};

/// The permutation of `images` images in an epoch.
pub(crate) fn shuffled(images: usize, seed: u64, epoch: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(images).unwrap_or(u32::MAX)).collect();
    Stream::new(seed, Purpose::Order, epoch, 0, 0).shuffle(&mut order);
    order
}
