//! Anchors of feature maps (detectron2 `modeling/anchor_generator.py`): around each cell, for each size s and each ratio r, a box of area s^2 whose
//! height over width is r.
//!
//! ```text
//! w = sqrt(s^2 / r), h = r w; centers at multiples of the stride, the first at (0, 0); not rounded
//! ```
//!
//! Sizes vary slower than ratios. The order over a map is row, column, anchor. In a pyramid each map has one of the sizes, the finest the first.

use std::ops::Range;

use crate::boxes::BoundingBox;

/// Sizes and ratios of the anchors of each cell, or of a pyramid.
#[derive(Clone, Debug, PartialEq)]
pub struct Anchors {
    /// Square roots of the areas, in pixels.
    pub sizes: Vec<f64>,
    /// Heights over widths.
    pub ratios: Vec<f64>,
}

impl Anchors {
    /// detectron2's defaults: 32 to 512 pixels, ratios 0.5, 1 and 2.
    pub fn standard() -> Self {
        Self { sizes: vec![32.0, 64.0, 128.0, 256.0, 512.0], ratios: vec![0.5, 1.0, 2.0] }
    }

    /// Those of each of `maps` maps: all sizes in a single one, one size in each of several. `None` if there are not as many sizes as maps.
    pub fn of_maps(&self, maps: usize) -> Option<Vec<Self>> {
        let of = |sizes: &[f64]| Self { sizes: sizes.to_vec(), ratios: self.ratios.clone() };
        match maps {
            1 => Some(vec![self.clone()]),
            _ if maps == self.sizes.len() => Some(self.sizes.chunks(1).map(of).collect()),
            _ => None,
        }
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

/// The anchors of an image on all maps, finest map first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnchorGrid {
    boxes: Vec<BoundingBox>,
    /// Where the anchors of each map end.
    ends: Vec<usize>,
}

impl AnchorGrid {
    /// Adds the anchors of a map.
    pub fn push(&mut self, map: Vec<BoundingBox>) {
        self.boxes.extend(map);
        self.ends.push(self.boxes.len());
    }

    /// All anchors.
    pub fn boxes(&self) -> &[BoundingBox] {
        &self.boxes
    }

    /// The positions of each map's anchors.
    pub fn levels(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| start..end)
    }
}
