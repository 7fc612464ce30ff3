//! Decoded images kept in memory, so that later epochs neither read nor decode them.
//!
//! Each image is reduced to what the smallest crop of a view needs (by averages over areas), whether it is kept or not: the pixels of a view do not
//! depend on the memory, the threads or the epoch. Images that are smaller than that keep their pixels. The images that come first are kept, until
//! the memory is used up; all others are read and decoded each time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use mochi_views::average::Averager;
use mochi_views::decode::Pixels;

/// Memory and size of kept images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// Bytes of pixels that may be kept.
    pub bytes: u64,
    /// Shorter side to which larger images are reduced, in pixels.
    pub short_side: u32,
}

/// Kept images.
pub(super) struct Cache {
    images: Vec<OnceLock<Pixels>>,
    /// Bytes that may still be used.
    room: AtomicU64,
    short_side: u32,
}

impl Cache {
    /// An empty cache of a dataset of so many images.
    pub(super) fn new(images: usize, options: CacheOptions) -> Self {
        let images = (0..images).map(|_| OnceLock::new()).collect();
        Self { images, room: AtomicU64::new(options.bytes), short_side: options.short_side }
    }

    /// A kept image.
    pub(super) fn get(&self, index: usize) -> Option<&Pixels> {
        self.images.get(index)?.get()
    }

    /// Reduces an image that was decoded.
    pub(super) fn reduce(&self, averager: &mut Averager, pixels: &mut Pixels) {
        reduce(averager, pixels, self.short_side);
    }

    /// Keeps a reduced image if there is room.
    pub(super) fn keep(&self, index: usize, pixels: &Pixels) {
        let Some(slot) = self.images.get(index) else { return };
        let bytes = pixels.rgb.len() as u64;
        let take = |room: u64| room.checked_sub(bytes);
        if self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            return;
        }
        let copy = Pixels { width: pixels.width, height: pixels.height, rgb: pixels.rgb.as_slice().to_vec() };
        if slot.set(copy).is_err() {
            // Another thread was quicker, because the image also replaces a bad one.
            self.room.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

/// Reduces an image to this shorter side by averages over areas; a smaller image stays as it is.
pub(crate) fn reduce(averager: &mut Averager, pixels: &mut Pixels, short_side: u32) {
    let short = pixels.width.min(pixels.height);
    if short <= short_side || short_side == 0 {
        return;
    }
    let scaled = |side: u32| {
        let exact = u64::from(side) * u64::from(short_side);
        u32::try_from((exact + u64::from(short) / 2) / u64::from(short)).unwrap_or(side).max(1)
    };
    let (width, height) = (scaled(pixels.width), scaled(pixels.height));
    let means = averager.run(pixels, width, height);
    pixels.width = width;
    pixels.height = height;
    pixels.rgb.clear();
    pixels.rgb.extend(means.iter().map(|&mean| (mean + 0.5) as u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: u32, height: u32) -> Pixels {
        let rgb = (0..width * height).flat_map(|i| [(i % width) as u8, (i / width) as u8, 7]).collect();
        Pixels { width, height, rgb }
    }

    #[test]
    fn large_images_are_reduced_and_small_ones_are_not() {
        let cache = Cache::new(2, CacheOptions { bytes: 1000, short_side: 10 });
        let mut averager = Averager::default();
        let mut large = gradient(40, 20);
        cache.reduce(&mut averager, &mut large);
        assert_eq!((large.width, large.height, large.rgb.len()), (20, 10, 600));
        // The mean of columns 0 and 1 is 0.5, which is rounded up; that of rows 0 and 1 likewise.
        assert_eq!(&large.rgb[..6], [1, 1, 7, 3, 1, 7]);
        let mut small = gradient(10, 30);
        cache.reduce(&mut averager, &mut small);
        assert_eq!(small, gradient(10, 30));
    }

    #[test]
    fn images_are_kept_while_there_is_room() {
        let cache = Cache::new(3, CacheOptions { bytes: 700, short_side: 10 });
        let image = gradient(10, 10);
        cache.keep(0, &image);
        cache.keep(0, &image);
        cache.keep(2, &image);
        cache.keep(1, &image);
        assert_eq!(cache.get(0), Some(&image));
        assert_eq!(cache.get(2), Some(&image), "a second copy of the first took no room");
        assert_eq!(cache.get(1), None);
        assert_eq!(cache.get(3), None);
    }
}
