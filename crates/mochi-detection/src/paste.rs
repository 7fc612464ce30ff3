//! A mask of fixed size in the place of its box (detectron2 `layers/mask_ops.py`): for the center of each pixel, the box is mapped to the mask linearly and the
//! mask's values are interpolated bilinearly, with zeros outside (`grid_sample`, align_corners false). A pixel belongs to the object from 0.5 on.

use mochi_annotations::Rle;

use crate::boxes::{BoundingBox, ImageSize};

/// From this interpolated value on, a pixel belongs to the object.
const THRESHOLD: f32 = 0.5;

/// Position of pixel center `at` within a mask of `side` cells over [low, high), in cells: `((at + 0.5 - low) / (high - low) * 2 - 1)` as
/// `grid_sample` reads it.
fn position(at: usize, low: f32, high: f32, side: usize) -> f32 {
    let normalized = (at as f32 + 0.5 - low) / (high - low) * 2.0 - 1.0;
    ((normalized + 1.0) * side as f32 - 1.0) / 2.0
}

/// The first and the last pixel (exclusive) whose centers can have values above 0.
fn span(low: f32, high: f32, side: usize, size: u32) -> std::ops::Range<usize> {
    // Half a cell on each side of the box, and a pixel for rounding.
    let margin = 0.5 * (high - low) / side as f32 + 1.0;
    let limit = size as f32;
    let (first, last) = ((low - margin).floor().clamp(0.0, limit), (high + margin).ceil().clamp(0.0, limit));
    first as usize..last as usize
}

/// For each pixel of `range`, the two cells around it and the weight of the second; a cell outside is `None`.
fn axis(range: std::ops::Range<usize>, low: f32, high: f32, side: usize) -> Vec<([Option<usize>; 2], f32)> {
    range
        .map(|at| {
            let position = position(at, low, high, side);
            let floor = position.floor();
            let cell = |offset: f32| {
                let cell = floor + offset;
                (cell >= 0.0 && cell < side as f32).then_some(cell as usize)
            };
            ([cell(0.0), cell(1.0)], position - floor)
        })
        .collect()
}

/// The pixels of an object in an image: `mask` (side, side) holds probabilities. Column by column, as COCO's RLE has them; an empty box gives
/// an empty mask.
pub fn paste(mask: &[f32], side: usize, bounds: BoundingBox, image: ImageSize) -> Rle {
    let [x0, y0, x1, y1] = bounds;
    let (rows, columns) = (span(y0, y1, side, image.height), span(x0, x1, side, image.width));
    let (vertical, horizontal) = (axis(rows.clone(), y0, y1, side), axis(columns.clone(), x0, x1, side));
    let value = |row: Option<usize>, column: Option<usize>| match (row, column) {
        (Some(row), Some(column)) => mask[row * side + column],
        _ => 0.0,
    };
    let mut runs = Runs::default();
    for (x, ([left, right], across)) in columns.zip(&horizontal) {
        for (y, ([top, bottom], down)) in rows.clone().zip(&vertical) {
            // grid_sample's order: the four corners with their weights.
            let sum = value(*top, *left) * ((1.0 - down) * (1.0 - across))
                + value(*top, *right) * ((1.0 - down) * across)
                + value(*bottom, *left) * (down * (1.0 - across))
                + value(*bottom, *right) * (down * across);
            if sum >= THRESHOLD {
                runs.set(x * image.height as usize + y);
            }
        }
    }
    runs.finish(image)
}

/// Run lengths from increasing positions.
#[derive(Default)]
struct Runs {
    counts: Vec<u32>,
    /// The position after the last run.
    end: usize,
}

impl Runs {
    fn set(&mut self, at: usize) {
        match self.counts.last_mut() {
            Some(run) if at == self.end => *run += 1,
            // Positions are within an image, whose sides are 32-bit numbers of at most 2^16 pixels.
            _ => self.counts.extend([u32::try_from(at - self.end).unwrap_or(u32::MAX), 1]),
        }
        self.end = at + 1;
    }

    fn finish(mut self, image: ImageSize) -> Rle {
        let rest = image.height as usize * image.width as usize - self.end;
        if rest > 0 {
            self.counts.push(u32::try_from(rest).unwrap_or(u32::MAX));
        }
        Rle { height: image.height, width: image.width, counts: self.counts }
    }
}
