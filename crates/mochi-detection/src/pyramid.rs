//! The maps that the RPN and the regions read, finest first; one map for a C4 detector.

use mochi_tensor::{Tensor, TensorError, upload};

use crate::boxes::{BoundingBox, area};
use crate::roi_align::{Region, roi_align};

/// A map and the distance of its cells.
#[derive(Debug)]
pub(crate) struct Level {
    /// (B, C, H, W)
    pub map: Tensor,
    /// Pixels from one cell to the next.
    pub stride: i64,
}

/// The maps of a group of images.
#[derive(Debug)]
pub(crate) struct Pyramid {
    /// All of them, which the RPN reads.
    pub levels: Vec<Level>,
    /// How many of them, from the finest, regions are taken from.
    pub pooled: usize,
}

/// A region of this side, in pixels, belongs to the map of stride 2^[`CANONICAL_LEVEL`].
const CANONICAL_SIDE: f32 = 224.0;
/// See [`CANONICAL_SIDE`].
const CANONICAL_LEVEL: f32 = 4.0;

/// log2 of the stride of the map that a region is taken from (Lin et al. 2017, equation 1; detectron2 `modeling/poolers.py`,
/// `assign_boxes_to_levels`), in float32:
///
/// ```text
/// floor(4 + log2(sqrt(area) / 224 + 1e-8)), within [lowest, highest]
/// ```
///
/// torchvision's `LevelMapper` adds 1e-6 after the logarithm instead.
pub fn level(bounds: BoundingBox, lowest: u32, highest: u32) -> u32 {
    let level = (CANONICAL_LEVEL + (area(bounds).sqrt() / CANONICAL_SIDE + 1e-8).log2()).floor();
    // NaN, from a negative area, becomes 0.
    (level as u32).clamp(lowest, highest)
}

impl Pyramid {
    /// The regions, each from the map of its size, (R, C, bins, bins) in the order of the regions.
    pub fn align(&self, regions: &[Region], bins: usize) -> Result<Tensor, TensorError> {
        let levels = &self.levels[..self.pooled];
        let pool = |level: &Level, regions: &[Region]| roi_align(&level.map, regions, 1.0 / level.stride as f64, bins);
        let [first, .., last] = levels else {
            let only = levels.first().ok_or_else(|| TensorError::Mismatch("a detector has no map".to_owned()))?;
            return pool(only, regions);
        };
        let (lowest, highest) = (first.stride.ilog2(), last.stride.ilog2());
        let own: Vec<u32> = regions.iter().map(|region| level(region.bounds, lowest, highest)).collect();
        let mut pooled = Vec::with_capacity(levels.len());
        let mut place = vec![0; regions.len()];
        let mut taken = 0;
        for level in levels {
            let here: Vec<usize> = (0..regions.len()).filter(|&i| own[i] == level.stride.ilog2()).collect();
            pooled.push(pool(level, &here.iter().map(|&i| regions[i]).collect::<Vec<_>>())?);
            for i in here {
                place[i] = taken;
                taken += 1;
            }
        }
        let place = upload(&Tensor::f_from_slice(&place)?, first.map.device())?;
        Ok(Tensor::f_cat(&pooled, 0)?.f_index_select(0, &place)?)
    }
}
