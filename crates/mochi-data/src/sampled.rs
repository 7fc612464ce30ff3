//! What the automatic settings need to know of a dataset's images, from a sample.

use mochi_views::decode::{DecodeOptions, Decoder, Pixels};

use crate::cancel::Cancel;
use crate::dataset::Dataset;

/// Images that are decoded, spread evenly over the dataset.
const SAMPLE: usize = 24;

/// Properties of a sample of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    /// The median of the shorter sides in pixels; `None` if no image can be decoded.
    pub short_side: Option<u32>,
    /// Whether the three channels are equal in every pixel of every image.
    pub grayscale: bool,
}

/// Decodes a sample of a dataset, or what is read of it until `cancel` is requested. Images that cannot be decoded are left out.
pub fn sampled(dataset: &Dataset, cancel: &Cancel) -> Sampled {
    let (mut decoder, mut pixels, mut bytes) = (Decoder::new(), Pixels::default(), Vec::new());
    let count = dataset.len().min(SAMPLE);
    let mut images: Vec<(u32, bool)> = (0..count)
        .take_while(|_| !cancel.requested())
        .filter_map(|n| {
            let index = n * dataset.len() / count;
            dataset.read(index, &mut bytes).ok()?;
            dataset.decode(index, &bytes, &mut decoder, &DecodeOptions::default(), &mut pixels).ok()?;
            let grayscale = pixels.rgb.chunks_exact(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]);
            Some((pixels.width.min(pixels.height), grayscale))
        })
        .collect();
    images.sort_unstable();
    Sampled {
        short_side: images.get(images.len() / 2).map(|&(side, _)| side),
        grayscale: !images.is_empty() && images.iter().all(|&(_, grayscale)| grayscale),
    }
}
