//! What a mask head is to learn for a region: [`Mask::rasterized`], on masks of an image that was resized and mirrored.
//!
//! Polygons follow the image in float64. Run lengths are resampled from the pixels of the original image, so that resizing an image does not resample its
//! masks twice.

use mochi_annotations::{Mask, Placement};

use crate::boxes::BoundingBox;

/// A mask of the original image, and where the image lies in the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedMask {
    /// The mask.
    pub mask: Mask,
    /// Where its coordinates are.
    pub placement: Placement,
}

impl PlacedMask {
    /// Which of the cells (`side`, `side`) of a box of the batch belong to the object, row by row.
    pub fn rasterize(&self, bounds: BoundingBox, side: u16) -> Vec<bool> {
        match &self.mask {
            Mask::Polygons(polygons) => {
                let moved = |polygon: &Vec<f64>| {
                    polygon.as_chunks::<2>().0.iter().flat_map(|&point| self.placement.point(point)).collect()
                };
                Mask::Polygons(polygons.iter().map(moved).collect()).rasterized(bounds, side)
            }
            Mask::Rle(_) => {
                let original = self.placement.original(bounds.map(f64::from)).map(|side| side as f32);
                let mut cells = self.mask.rasterized(original, side);
                if self.placement.mirrored.is_some() {
                    cells.chunks_mut(usize::from(side).max(1)).for_each(<[bool]>::reverse);
                }
                cells
            }
        }
    }
}
