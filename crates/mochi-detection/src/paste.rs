//! A mask of fixed size in the place of its box (detectron2 `layers/mask_ops.py`): for the center of each pixel, the box is mapped to the mask linearly and the
//! mask's values are interpolated bilinearly, with zeros outside (`grid_sample`, align_corners false). A pixel belongs to the object from 0.5 on.

use mochi_annotations::Rle;

use crate::boxes::{BoundingBox, ImageSize};

/// From this interpolated value on, a pixel belongs to the object.
const THRESHOLD: f32 = 0.5;
/// More than the rounding of a sum of four products of float32 values up to 1.
const ROUNDING: f32 = 1e-5;

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

/// Rows with the same two cells around them.
struct Band {
    rows: std::ops::Range<usize>,
    cells: [Option<usize>; 2],
}

/// The pixels of an object in an image: `mask` (side, side) holds probabilities. Column by column, as COCO's RLE has them; an empty box gives
/// an empty mask.
///
/// Pixels between the same four cells are decided together where the four are on one side of the threshold, since interpolated values lie between them.
pub fn paste(mask: &[f32], side: usize, bounds: BoundingBox, image: ImageSize) -> Rle {
    let [x0, y0, x1, y1] = bounds;
    let (rows, columns) = (span(y0, y1, side, image.height), span(x0, x1, side, image.width));
    let (vertical, horizontal) = (axis(rows.clone(), y0, y1, side), axis(columns.clone(), x0, x1, side));
    let mut bands: Vec<Band> = Vec::new();
    for (y, (cells, _)) in rows.clone().zip(&vertical) {
        match bands.last_mut() {
            Some(band) if band.cells == *cells => band.rows.end = y + 1,
            _ => bands.push(Band { rows: y..y + 1, cells: *cells }),
        }
    }
    let value = |row: Option<usize>, column: Option<usize>| match (row, column) {
        (Some(row), Some(column)) => mask[row * side + column],
        _ => 0.0,
    };
    let mut runs = Runs::default();
    for (x, ([left, right], across)) in columns.zip(&horizontal) {
        let first = x * image.height as usize;
        for Band { rows: band, cells: [top, bottom] } in &bands {
            let corners = [value(*top, *left), value(*top, *right), value(*bottom, *left), value(*bottom, *right)];
            if corners.iter().all(|&corner| corner > THRESHOLD + ROUNDING) {
                runs.set(first + band.start..first + band.end);
            } else if corners.iter().any(|&corner| corner.is_nan() || corner >= THRESHOLD - ROUNDING) {
                for y in band.clone() {
                    let down = vertical[y - rows.start].1;
                    // grid_sample's order: the four corners with their weights.
                    let sum = corners[0] * ((1.0 - down) * (1.0 - across))
                        + corners[1] * ((1.0 - down) * across)
                        + corners[2] * (down * (1.0 - across))
                        + corners[3] * (down * across);
                    if sum >= THRESHOLD {
                        runs.set(first + y..first + y + 1);
                    }
                }
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
    fn set(&mut self, pixels: std::ops::Range<usize>) {
        // Positions are within an image, whose sides are 32-bit numbers of at most 2^16 pixels.
        let length = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let count = length(pixels.len());
        match self.counts.last_mut() {
            Some(run) if pixels.start == self.end => *run += count,
            _ => self.counts.extend([length(pixels.start - self.end), count]),
        }
        self.end = pixels.end;
    }

    fn finish(mut self, image: ImageSize) -> Rle {
        let rest = image.height as usize * image.width as usize - self.end;
        if rest > 0 {
            self.counts.push(u32::try_from(rest).unwrap_or(u32::MAX));
        }
        Rle { height: image.height, width: image.width, counts: self.counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pixel by itself, by grid_sample's formula.
    fn plain(mask: &[f32], side: usize, bounds: BoundingBox, image: ImageSize) -> Vec<bool> {
        let [x0, y0, x1, y1] = bounds;
        let (rows, columns) = (0..image.height as usize, 0..image.width as usize);
        let (vertical, horizontal) = (axis(rows, y0, y1, side), axis(columns, x0, x1, side));
        let value = |row: Option<usize>, column: Option<usize>| match (row, column) {
            (Some(row), Some(column)) => mask[row * side + column],
            _ => 0.0,
        };
        let mut pixels = Vec::new();
        for ([top, bottom], down) in &vertical {
            for ([left, right], across) in &horizontal {
                let sum = value(*top, *left) * ((1.0 - down) * (1.0 - across))
                    + value(*top, *right) * ((1.0 - down) * across)
                    + value(*bottom, *left) * (down * (1.0 - across))
                    + value(*bottom, *right) * (down * across);
                pixels.push(sum >= THRESHOLD);
            }
        }
        pixels
    }

    #[test]
    fn pixels_decided_together_are_those_decided_alone() {
        let mut state = 1u32;
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        let image = ImageSize { height: 61, width: 83 };
        let mut inside = 0;
        for round in 0..60 {
            // Values at and around the threshold, and saturated ones.
            let values: Vec<f32> = (0..196)
                .map(|_| match round % 3 {
                    0 => draw(),
                    1 => 0.5 + (draw() - 0.5) * 1e-6,
                    _ => f32::from(u8::from(draw() > 0.4)),
                })
                .collect();
            let (x, y) = (draw() * 60.0, draw() * 40.0);
            let bounds = [x, y, x + 1.0 + draw() * (82.0 - x), y + 1.0 + draw() * (60.0 - y)];
            let pixels = plain(&values, 14, bounds, image);
            inside += pixels.iter().filter(|inside| **inside).count();
            assert_eq!(paste(&values, 14, bounds, image).to_rows(), pixels, "{bounds:?}");
        }
        assert!(inside > 5000, "{inside}");
    }
}
