//! RoIAlign (He et al. 2017; detectron2 `layers/roi_align.py` with `aligned=True` and `sampling_ratio=0`, `torchvision.ops.roi_align`): regions of a feature map,
//! resampled to a fixed number of bins.
//!
//! A region's coordinates are scaled to cells and moved by half a cell. Along each axis a bin has n = ceil(length of the region / bins) samples at
//! equal distances, interpolated bilinearly. A sample further than one cell outside of the map counts as 0, others outside are moved to the border. A
//! bin's value is the mean over its n_y n_x samples.
//!
//! Bilinear interpolation is separable, so the weight of cell (y, x) in bin (i, j) is A_y[i, y] A_x[j, x] with small matrices per region and axis.
//! A bin therefore is a weighted sum of (n_y + 1)(n_x + 1) rows of the map seen as (B H W, C): one `embedding_bag` computes all bins of all regions,
//! and its gradient is deterministic on a CPU.

use mochi_tensor::{Kind, Tensor, TensorError, upload};

use crate::boxes::BoundingBox;

/// Bins along each side of a region of a C4 detector, and of one whose mask is predicted.
pub const BINS: usize = 14;

/// A region of one image of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// The image's position in the batch.
    pub image: usize,
    /// The box in pixels.
    pub bounds: BoundingBox,
}

/// The cells of one bin along one axis and their weights.
struct Bin {
    first: usize,
    weights: Vec<f64>,
}

/// `count` bins of the interval [low, high), in cells, over an axis of `cells` cells.
fn bins(low: f64, high: f64, count: usize, cells: usize) -> Vec<Bin> {
    let bin = (high - low) / count as f64;
    let samples = bin.ceil().max(0.0);
    let last = cells.saturating_sub(1);
    (0..count)
        .map(|index| {
            let mut entries: Vec<(usize, f64)> = Vec::new();
            let mut sample = 0.0;
            while sample < samples {
                let at = low + (index as f64 + (sample + 0.5) / samples) * bin;
                sample += 1.0;
                if !(at >= -1.0 && at <= cells as f64) {
                    continue;
                }
                let at = at.max(0.0);
                let cell = at as usize;
                let (cell, beyond) = if cell >= last { (last, 0.0) } else { (cell, at - cell as f64) };
                for (cell, weight) in [(cell, 1.0 - beyond), (cell + 1, beyond)] {
                    if weight > 0.0 {
                        entries.push((cell, weight / samples));
                    }
                }
            }
            let first = entries.first().map_or(0, |(cell, _)| *cell);
            let mut weights = Vec::new();
            for (cell, weight) in entries {
                // Samples go from low to high, so a cell is never before the first.
                let at = cell - first;
                if weights.len() <= at {
                    weights.resize(at + 1, 0.0);
                }
                weights[at] += weight;
            }
            Bin { first, weights }
        })
        .collect()
}

/// The rows of each bin of each region in the map seen as (B H W, C), with their weights.
struct Bags {
    rows: Vec<i64>,
    weights: Vec<f64>,
    starts: Vec<i64>,
}

impl Bags {
    fn of(regions: &[Region], scale: f64, [height, width]: [usize; 2], count: usize) -> Self {
        let mut bags =
            Self { rows: Vec::new(), weights: Vec::new(), starts: Vec::with_capacity(regions.len() * count * count) };
        for region in regions {
            let [x0, y0, x1, y1] = region.bounds.map(|side| f64::from(side) * scale - 0.5);
            let (vertical, horizontal) = (bins(y0, y1, count, height), bins(x0, x1, count, width));
            for down in &vertical {
                for across in &horizontal {
                    bags.starts.push(bags.rows.len() as i64);
                    for (row, weight) in down.weights.iter().enumerate() {
                        let row = (region.image * height + down.first + row) * width + across.first;
                        bags.rows.extend((0..across.weights.len()).map(|column| (row + column) as i64));
                        bags.weights.extend(across.weights.iter().map(|other| weight * other));
                    }
                }
            }
        }
        bags
    }
}

/// The regions of `map` (B, C, H, W), whose cells are 1 / `scale` pixels apart: (R, C, `bins`, `bins`) in the map's type, channels innermost. The sums are
/// at least float32.
///
/// # Errors
/// libtorch's error, e.g. when memory is short; a region of an image that the batch does not have.
pub fn roi_align(map: &Tensor, regions: &[Region], scale: f64, bins: usize) -> Result<Tensor, TensorError> {
    let (batch, channels, height, width) = map.size4()?;
    if let Some(region) = regions.iter().find(|region| region.image as i64 >= batch) {
        return Err(TensorError::Mismatch(format!("there is no image {} in a batch of {batch}", region.image)));
    }
    let kind = if map.kind() == Kind::BFloat16 { Kind::Float } else { map.kind() };
    let bags = Bags::of(regions, scale, [height, width].map(mochi_tensor::extent), bins);
    let rows = map.f_permute([0, 2, 3, 1])?.f_reshape([batch * height * width, channels])?.f_to_kind(kind)?;
    let here = |values: Tensor| upload(&values, map.device());
    let weights = here(Tensor::f_from_slice(&bags.weights)?.f_to_kind(kind)?)?;
    let (indices, starts) = (here(Tensor::f_from_slice(&bags.rows)?)?, here(Tensor::f_from_slice(&bags.starts)?)?);
    let bins = mochi_tensor::dim(bins);
    let pooled = if bags.rows.is_empty() {
        // No region, or none that touches the map; still connected to the map.
        rows.f_narrow(0, 0, 0)?
            .f_sum(kind)?
            .f_mul(&Tensor::f_zeros([starts.numel() as i64, channels], (kind, map.device()))?)?
    } else {
        let sum = 0;
        Tensor::f_embedding_bag(&rows, &indices, &starts, false, sum, false, Some(&weights), false)?.0
    };
    let shape = [regions.len() as i64, bins, bins, channels];
    Ok(pooled.f_view(shape)?.f_permute([0, 3, 1, 2])?.f_to_kind(map.kind())?)
}
