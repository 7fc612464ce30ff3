//! Regions on their way through the head ([`RegionHead`]).

use mochi_nets::{NormMode, Stage};
use mochi_tensor::{BatchNorm, Kind, Tensor, TensorError, upload};

use crate::detector::Detector;
use crate::pyramid::Pyramid;
use crate::region_head::RegionHead;
use crate::roi_align::{BINS, Region};

/// A group's regions, pooled.
#[derive(Debug)]
pub(crate) struct Pooled {
    /// (R, F), at least float32, for classes and boxes.
    pub boxes: Tensor,
    /// (R, C, 7, 7), where masks read the same map.
    shared: Option<Tensor>,
}

impl Detector {
    /// Regions of each group for the prediction of classes and boxes.
    pub(crate) fn pool(
        &self,
        pyramids: &[Pyramid],
        regions: &[Vec<Region>],
        mode: NormMode,
    ) -> Result<Vec<Pooled>, TensorError> {
        let xs = self.aligned(pyramids, regions, self.spec.architecture.parts().box_bins)?;
        match &self.head {
            RegionHead::Stage(stage, norm) => self
                .staged(*stage, norm, &xs, mode)?
                .into_iter()
                .map(|x| Ok(Pooled { boxes: mean_over_cells(&x)?, shared: Some(x) }))
                .collect(),
            RegionHead::Linear(layers) => xs
                .iter()
                .map(|x| {
                    let mut y = x.f_flatten(1, -1)?;
                    for layer in layers {
                        y = layer.forward(&y)?.f_relu()?;
                    }
                    Ok(Pooled { boxes: at_least_float32(y)?, shared: None })
                })
                .collect(),
        }
    }

    /// What the mask head reads of the regions at `rows`, by number among the `regions` that were pooled: (rows, C, 7, 7) or (rows, C, 14, 14).
    pub(crate) fn mask_input(
        &self,
        pooled: &Pooled,
        pyramid: &Pyramid,
        regions: &[Region],
        rows: &[i64],
    ) -> Result<Tensor, TensorError> {
        match &pooled.shared {
            Some(map) => Ok(map.f_index_select(0, &upload(&Tensor::f_from_slice(rows)?, map.device())?)?),
            None => {
                let own: Vec<Region> = rows.iter().map(|&row| regions[mochi_tensor::extent(row)]).collect();
                pyramid.align(&own, BINS)
            }
        }
    }

    /// As [`Self::mask_input`] for regions that were not pooled.
    pub(crate) fn mask_input_of(
        &self,
        pyramid: &Pyramid,
        regions: &[Region],
        mode: NormMode,
    ) -> Result<Tensor, TensorError> {
        let x = pyramid.align(regions, BINS)?;
        match &self.head {
            RegionHead::Linear(_) => Ok(x),
            RegionHead::Stage(stage, norm) => self
                .staged(*stage, norm, &[x], mode)?
                .pop()
                .ok_or_else(|| TensorError::Mismatch("a stage gave no map".to_owned())),
        }
    }

    fn aligned(&self, pyramids: &[Pyramid], regions: &[Vec<Region>], bins: usize) -> Result<Vec<Tensor>, TensorError> {
        pyramids.iter().zip(regions).map(|(pyramid, regions)| pyramid.align(regions, bins)).collect()
    }

    fn staged(
        &self,
        stage: Stage,
        norm: &BatchNorm,
        xs: &[Tensor],
        mode: NormMode,
    ) -> Result<Vec<Tensor>, TensorError> {
        norm.forward_together(self.backbone.stage(stage, xs, mode)?, mode, false, None)
    }
}

/// (R, C, H, W) -> (R, C), at least float32.
fn mean_over_cells(x: &Tensor) -> Result<Tensor, TensorError> {
    let kind = if x.kind() == Kind::BFloat16 { Kind::Float } else { x.kind() };
    Ok(x.f_mean_dim([2i64, 3].as_slice(), false, kind)?)
}

/// As it is, unless it is bfloat16.
fn at_least_float32(x: Tensor) -> Result<Tensor, TensorError> {
    Ok(if x.kind() == Kind::BFloat16 { x.f_to_kind(Kind::Float)? } else { x })
}
