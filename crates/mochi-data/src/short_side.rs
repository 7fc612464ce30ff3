//! The usual size of a dataset's images, from a sample.

use mochi_views::decode::{DecodeOptions, Decoder, Pixels};

use crate::cancel::Cancel;
use crate::dataset::Dataset;

/// Images that are decoded, spread evenly over the dataset.
const SAMPLE: usize = 24;

/// The median of the shorter sides of a sample of images, in pixels; `None` if none of them can be decoded, or `cancel` was requested.
pub fn short_side(dataset: &Dataset, cancel: &Cancel) -> Option<u32> {
    if let Some((width, height)) = dataset.uniform_size() {
        return Some(width.min(height));
    }
    let (mut decoder, mut pixels, mut bytes) = (Decoder::new(), Pixels::default(), Vec::new());
    let count = dataset.len().min(SAMPLE);
    let mut sides: Vec<u32> = (0..count)
        .take_while(|_| !cancel.requested())
        .filter_map(|n| {
            let index = n * dataset.len() / count;
            dataset.read(index, &mut bytes).ok()?;
            dataset.decode(index, &bytes, &mut decoder, &DecodeOptions::default(), &mut pixels).ok()?;
            Some(pixels.width.min(pixels.height))
        })
        .collect();
    sides.sort_unstable();
    sides.get(sides.len() / 2).copied()
}
