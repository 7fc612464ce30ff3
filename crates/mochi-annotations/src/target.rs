//! Mask targets: what a mask head has to predict for a region.

use crate::mask::Mask;
use crate::rle::Rle;

/// Shortest side of a region that a polygon is scaled by (detectron2).
const SHORTEST: f32 = 0.1;
/// Fraction of a cell from which on it belongs to the object (detectron2).
const THRESHOLD: f32 = 0.5;

impl Mask {
    /// The mask within a box, on a grid of `side` x `side` cells in rows from the top.
    ///
    /// `bounds` is (x0, y0, x1, y1) in pixels of the image, in float32 like proposals are.
    ///
    /// Polygons are shifted and scaled in float64 and rasterized by COCO's rule: `rasterize_polygons_within_box` of `detectron2/structures/masks.py`
    /// (under NumPy 1; under NumPy 2 detectron2 divides in float32). Run lengths are averaged over each cell by an aligned RoIAlign in float32, and cells
    /// of at least one half belong to the object: `BitMasks.crop_and_resize` of the same file. A box that is not finite, or more than
    /// twice as long as the run-length mask, contains nothing; training clips boxes to the image.
    pub fn rasterized(&self, bounds: [f32; 4], side: u16) -> Vec<bool> {
        match self {
            Self::Polygons(polygons) => from_polygons(polygons, bounds, side),
            Self::Rle(rle) => from_runs(rle, bounds, side),
        }
    }
}

fn from_polygons(polygons: &[Vec<f64>], [x0, y0, x1, y1]: [f32; 4], side: u16) -> Vec<bool> {
    let ratio = |length: f32| f64::from(side) / f64::from(length.max(SHORTEST));
    let (fx, fy) = (ratio(x1 - x0), ratio(y1 - y0));
    let (left, top) = (f64::from(x0), f64::from(y0));
    let moved = |polygon: &Vec<f64>| {
        polygon.chunks_exact(2).flat_map(|point| [(point[0] - left) * fx, (point[1] - top) * fy]).collect()
    };
    let side = u32::from(side);
    Mask::Polygons(polygons.iter().map(moved).collect()).to_rle(side, side).to_rows()
}

/// One axis of RoIAlign: start of the region, length of a cell, samples per cell, and the length of the mask.
struct Axis {
    start: f32,
    cell: f32,
    samples: u32,
    length: u32,
}

/// The two pixels that a sample lies between, and the weight of the second.
#[derive(Clone, Copy)]
struct Sample {
    low: u32,
    high: u32,
    weight: f32,
}

impl Axis {
    fn new(low: f32, high: f32, side: u16, length: u32) -> Self {
        // Aligned: the center of a pixel is a whole number.
        let start = low - 0.5;
        let region = (high - 0.5) - start;
        let cell = region / f32::from(side);
        // A negative length has no samples, as in torchvision.
        Self { start, cell, samples: cell.ceil() as u32, length }
    }

    /// The operations are those of `torchvision/csrc/ops/cpu/roi_align_common.h`, in its order.
    fn sample(&self, cell: u16, number: u32) -> Option<Sample> {
        let at = self.start + f32::from(cell) * self.cell + (number as f32 + 0.5) * self.cell / self.samples as f32;
        if at < -1.0 || at > self.length as f32 {
            return None;
        }
        let at = at.max(0.0);
        let last = self.length - 1;
        let low = at as u32;
        Some(if low >= last {
            Sample { low: last, high: last, weight: 0.0 }
        } else {
            Sample { low, high: low + 1, weight: at - low as f32 }
        })
    }
}

fn from_runs(rle: &Rle, bounds: [f32; 4], side: u16) -> Vec<bool> {
    let [x0, y0, x1, y1] = bounds;
    let mut cells = vec![false; usize::from(side) * usize::from(side)];
    let within = |low: f32, high: f32, length: u32| high - low <= 2.0 * length as f32;
    let usable = bounds.iter().all(|side| side.is_finite()) && within(x0, x1, rle.width) && within(y0, y1, rle.height);
    if !usable || rle.width == 0 || rle.height == 0 {
        return cells;
    }
    let crop = Crop::new(rle, x0, x1);
    let (across, down) = (Axis::new(x0, x1, side, rle.width), Axis::new(y0, y1, side, rle.height));
    let count = (across.samples * down.samples).max(1) as f32;
    for row in 0..side {
        for column in 0..side {
            let mut sum = 0.0;
            for y in (0..down.samples).map(|number| down.sample(row, number)) {
                for x in (0..across.samples).map(|number| across.sample(column, number)) {
                    // Outside of the mask: a term of zero.
                    let (Some(y), Some(x)) = (y, x) else { continue };
                    let (ly, lx) = (y.weight, x.weight);
                    let (hy, hx) = (1.0 - ly, 1.0 - lx);
                    sum += hy * hx * crop.at(x.low, y.low)
                        + hy * lx * crop.at(x.high, y.low)
                        + ly * hx * crop.at(x.low, y.high)
                        + ly * lx * crop.at(x.high, y.high);
                }
            }
            cells[usize::from(row) * usize::from(side) + usize::from(column)] = sum / count >= THRESHOLD;
        }
    }
    cells
}

/// The columns of a mask that a region can touch.
struct Crop {
    first: u32,
    height: usize,
    pixels: Vec<bool>,
}

impl Crop {
    fn new(rle: &Rle, x0: f32, x1: f32) -> Self {
        let first = ((x0 - 2.0).max(0.0) as u32).min(rle.width - 1);
        let end = ((x1 + 3.0).max(0.0) as u32).clamp(first + 1, rle.width);
        let height = rle.height as usize;
        let mut pixels = vec![false; (end - first) as usize * height];
        let touched = rle.pieces().filter(|piece| (first as usize..end as usize).contains(&piece.0));
        for (x, top, bottom) in touched {
            let column = (x - first as usize) * height;
            pixels[column + top..column + bottom].fill(true);
        }
        Self { first, height, pixels }
    }

    fn at(&self, x: u32, y: u32) -> f32 {
        let pixel = x.checked_sub(self.first).and_then(|x| self.pixels.get(x as usize * self.height + y as usize));
        f32::from(u8::from(pixel.copied().unwrap_or(false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_around_half_of_a_mask_is_filled_to_the_middle() {
        let left: Vec<bool> = (0..32).map(|i| i % 8 < 4).collect();
        let rle = Mask::Rle(Rle::from_rows(&left, 4, 8).unwrap());
        let polygon = Mask::Polygons(vec![vec![0.0, 0.0, 4.0, 0.0, 4.0, 4.0, 0.0, 4.0]]);
        for mask in [rle, polygon] {
            let cells = mask.rasterized([0.0, 0.0, 8.0, 4.0], 4);
            assert_eq!(cells, [true, true, false, false].repeat(4), "{mask:?}");
        }
    }

    #[test]
    fn strange_boxes_contain_nothing_and_end() {
        let mask = Mask::Rle(Rle::from_rows(&[true; 12], 3, 4).unwrap());
        let polygon = Mask::Polygons(vec![vec![0.0, 0.0, 4.0, 0.0, 4.0, 3.0, 0.0, 3.0]]);
        let strange = [
            [f32::NAN, 0.0, 4.0, 3.0],
            [0.0, f32::NEG_INFINITY, f32::INFINITY, 3.0],
            [0.0, 0.0, 1e30, 3.0],
            [9.0, 9.0, 12.0, 12.0],
            [4.0, 3.0, 0.0, 0.0],
        ];
        for bounds in strange {
            assert_eq!(mask.rasterized(bounds, 7), [false; 49], "{bounds:?}");
            assert_eq!(polygon.rasterized(bounds, 7).len(), 49);
        }
    }
}
