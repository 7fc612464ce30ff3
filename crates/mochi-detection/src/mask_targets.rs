//! What a mask head is to learn for a region.
//!
//! Polygons (detectron2 `structures/masks.py`, `rasterize_polygons_within_box`) are moved and scaled in float64 so that the region fills the cells, and
//! rasterized by COCO's rule. Run lengths (`BitMasks.crop_and_resize`) are resampled by RoIAlign from the pixels of the original image, so that
//! resizing an image does not resample its masks twice; a cell belongs to the object from one half on.

use mochi_annotations::{Mask, Placement, Rle};

use crate::boxes::BoundingBox;
use crate::roi_align::bins;

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
    pub fn rasterize(&self, bounds: BoundingBox, side: usize) -> Vec<bool> {
        match &self.mask {
            Mask::Polygons(polygons) => self.polygons(polygons, bounds, side),
            Mask::Rle(rle) => self.runs(rle, bounds, side),
        }
    }

    fn polygons(&self, polygons: &[Vec<f64>], [x0, y0, x1, y1]: BoundingBox, side: usize) -> Vec<bool> {
        let (left, top, width, height) = (f64::from(x0), f64::from(y0), f64::from(x1 - x0), f64::from(y1 - y0));
        let (across, down) = (side as f64 / width.max(0.1), side as f64 / height.max(0.1));
        let moved = |polygon: &Vec<f64>| {
            let points = polygon.as_chunks::<2>().0.iter().map(|&point| self.placement.point(point));
            points.flat_map(|[x, y]| [(x - left) * across, (y - top) * down]).collect()
        };
        let moved: Vec<Vec<f64>> = polygons.iter().map(moved).collect();
        let cells = u32::try_from(side).unwrap_or(u32::MAX);
        let Ok(rle) = hotcoco::mask::fr_polys(&moved, cells, cells) else { return vec![false; side * side] };
        let columns = hotcoco::mask::decode(&rle);
        (0..side * side).map(|at| columns[(at % side) * side + at / side] != 0).collect()
    }

    fn runs(&self, rle: &Rle, bounds: BoundingBox, side: usize) -> Vec<bool> {
        let [x0, y0, x1, y1] = self.placement.original(bounds.map(f64::from));
        let vertical = bins(y0 - 0.5, y1 - 0.5, side, rle.height as usize);
        let horizontal = bins(x0 - 0.5, x1 - 0.5, side, rle.width as usize);
        let first = horizontal.iter().map(|bin| bin.first).min().unwrap_or(0);
        let last = horizontal.iter().map(|bin| bin.first + bin.weights.len()).max().unwrap_or(0);
        let columns = Columns::of(rle, first, last);
        let mut cells = vec![false; side * side];
        for (j, across) in horizontal.iter().enumerate() {
            for (i, down) in vertical.iter().enumerate() {
                let column = |at: usize| {
                    let rows = down.weights.iter().enumerate();
                    rows.filter(|(row, _)| columns.get(at, down.first + row)).map(|(_, weight)| weight).sum::<f64>()
                };
                let weights = across.weights.iter().enumerate();
                let covered: f64 = weights.map(|(at, weight)| weight * column(across.first + at)).sum();
                let j = if self.placement.mirrored.is_some() { side - 1 - j } else { j };
                // float32 sums of detectron2: half covered counts, whatever the order of the sum.
                cells[i * side + j] = covered as f32 >= 0.5;
            }
        }
        cells
    }
}

/// Some columns of a mask.
struct Columns {
    first: usize,
    height: usize,
    pixels: Vec<bool>,
}

impl Columns {
    fn of(rle: &Rle, first: usize, last: usize) -> Self {
        let height = rle.height as usize;
        let (begin, end) = (first * height, last.max(first) * height);
        let mut pixels = vec![false; end - begin];
        let mut at = 0;
        for (index, &run) in rle.counts.iter().enumerate() {
            let next = at + run as usize;
            if index % 2 == 1 {
                let (from, to) = (at.clamp(begin, end), next.clamp(begin, end));
                pixels[from - begin..to - begin].fill(true);
            }
            at = next;
            if at >= end {
                break;
            }
        }
        Self { first, height, pixels }
    }

    fn get(&self, column: usize, row: usize) -> bool {
        self.pixels.get((column - self.first) * self.height + row).copied().unwrap_or(false)
    }
}
