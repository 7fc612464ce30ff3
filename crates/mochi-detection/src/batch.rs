//! Images with their ground truth, as a detector takes them.

use mochi_tensor::Tensor;

use crate::boxes::{BoundingBox, ImageSize};
use crate::mask_targets::PlacedMask;

/// Images that share padding, batch statistics and the divisors of the losses: those of one worker in detectron2.
#[derive(Debug)]
pub struct ImageGroup {
    /// Normalized images (B, 3, H, W), each at the upper left, zeros elsewhere.
    pub pixels: Tensor,
    /// The size of each image within `pixels`.
    pub sizes: Vec<ImageSize>,
}

/// The objects of one image, in pixels of the image as it is in the batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth {
    /// The boxes.
    pub bounds: Vec<BoundingBox>,
    /// The class of each.
    pub classes: Vec<usize>,
    /// The mask of each, for detectors with masks.
    pub masks: Vec<PlacedMask>,
}
