//! Images with uncompressed pixels in memory (IDX, CIFAR).

use mochi_views::decode::Pixels;
use mochi_views::{BadReason, DecodeError};

use super::fingerprint::Hasher;

/// Uncompressed images of one size.
#[derive(Debug)]
pub(super) struct Raw {
    /// Name of each source file and the index of its first image.
    pub(super) files: Vec<(String, usize)>,
    pub(super) bytes: Vec<u8>,
    pub(super) count: usize,
    pub(super) width: u32,
    pub(super) height: u32,
    /// 1 (grayscale) or 3 (planes R, G and B, as in CIFAR).
    pub(super) channels: usize,
}

impl Raw {
    /// The pixels of image `index`.
    pub(super) fn copy(&self, index: usize, pixels: &mut Pixels) -> Result<(), DecodeError> {
        pixels.shape(self.width, self.height);
        let area = self.width as usize * self.height as usize;
        let size = area * self.channels;
        let Some(from) = self.bytes.get(index * size..(index + 1) * size) else {
            return Err(DecodeError::new(BadReason::Truncated, format!("image {index} does not exist")));
        };
        // The one plane three times, or the three planes.
        let plane = |c: usize| if self.channels == 1 { from } else { &from[c * area..(c + 1) * area] };
        let planes = plane(0).iter().zip(plane(1)).zip(plane(2));
        for (to, ((r, g), b)) in pixels.rgb.chunks_exact_mut(3).zip(planes) {
            to.copy_from_slice(&[*r, *g, *b]);
        }
        Ok(())
    }

    /// `file#17`; empty if the index is out of range.
    pub(super) fn name_of(&self, index: usize) -> String {
        if index >= self.count {
            return String::new();
        }
        let after = self.files.partition_point(|&(_, first)| first <= index);
        let file = self.files.get(after.wrapping_sub(1));
        file.map_or_else(String::new, |(name, first)| format!("{name}#{}", index - first))
    }

    /// Adds the images to a fingerprint.
    pub(super) fn hash(&self, hash: &mut Hasher) {
        for (name, first) in &self.files {
            hash.part(name.as_bytes());
            hash.part(&(*first as u64).to_le_bytes());
        }
        hash.part(&[self.channels as u8]);
        hash.part(&self.width.to_le_bytes());
        hash.part(&self.height.to_le_bytes());
        hash.part(&self.bytes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::dataset::{Dataset, Opened};
    use crate::{DataError, Loader, LoaderOptions, Order};

    #[test]
    fn what_panics_on_the_way_to_pixels_costs_the_image_and_not_the_thread() {
        // Two channels: a defect that no file can bring about, and the third plane is out of bounds.
        let raw =
            Raw { files: vec![("x".into(), 0)], bytes: vec![0; 8 * 32], count: 8, width: 4, height: 4, channels: 2 };
        let opened = Opened::raw("IDX", raw, None, Vec::new());
        let dataset = Dataset::new("x".as_ref(), opened).unwrap();
        let with = |order| LoaderOptions {
            order,
            batch: 4,
            size: 8,
            threads: 2,
            max_bad_fraction: 1.0,
            ..LoaderOptions::default()
        };
        let mut loader = Loader::new(&dataset, with(Order::Sequential)).unwrap();
        assert!(loader.next().is_none(), "every image is left out, and the epoch ends");
        let bad = loader.bad_images();
        assert!(bad.len() == 8 && bad.iter().all(|b| b.reason == BadReason::Panicked), "{bad:?}");
        assert!(bad[0].detail.contains("out of range"), "{bad:?}");
        let first = Loader::new(&dataset, with(Order::Shuffled { seed: 0 })).unwrap().next();
        assert!(matches!(first, Some(Err(DataError::TooManyBad { bad: 8, .. }))), "{first:?}");
    }
}
