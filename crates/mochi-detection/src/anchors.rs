//! Anchors of one feature map (detectron2 `modeling/anchor_generator.py`): around each cell, for each size s and each ratio r, a box of area s^2 whose
//! height over width is r.
//!
//! ```text
//! w = sqrt(s^2 / r), h = r w; centers at multiples of the stride, the first at (0, 0); not rounded
//! ```
//!
//! Sizes vary slower than ratios. The order over the map is row, column, anchor.

use crate::boxes::BoundingBox;

/// Sizes and ratios of the anchors of each cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Anchors {
    /// Square roots of the areas, in pixels.
    pub sizes: Vec<f64>,
    /// Heights over widths.
    pub ratios: Vec<f64>,
}

impl Anchors {
    /// detectron2's defaults for a C4 model: 32 to 512 pixels, ratios 0.5, 1 and 2.
    pub fn c4() -> Self {
        Self { sizes: vec![32.0, 64.0, 128.0, 256.0, 512.0], ratios: vec![0.5, 1.0, 2.0] }
    }

    /// Anchors per cell.
    pub fn per_cell(&self) -> usize {
        self.sizes.len() * self.ratios.len()
    }

    /// The anchors of a cell centered at (0, 0).
    pub fn of_cell(&self) -> Vec<BoundingBox> {
        let sizes = self.sizes.iter().flat_map(|size| self.ratios.iter().map(move |ratio| (size, ratio)));
        sizes
            .map(|(size, ratio)| {
                let width = (size * size / ratio).sqrt();
                let height = ratio * width;
                [-width / 2.0, -height / 2.0, width / 2.0, height / 2.0].map(|side| side as f32)
            })
            .collect()
    }

    /// The anchors of a map of `rows` x `columns` cells that are `stride` pixels apart.
    pub fn of_map(&self, rows: usize, columns: usize, stride: f32) -> Vec<BoundingBox> {
        let cell = self.of_cell();
        let mut all = Vec::with_capacity(rows * columns * cell.len());
        for row in 0..rows {
            for column in 0..columns {
                let (x, y) = (column as f32 * stride, row as f32 * stride);
                all.extend(cell.iter().map(|[x0, y0, x1, y1]| [x + x0, y + y0, x + x1, y + y1]));
            }
        }
        all
    }
}
