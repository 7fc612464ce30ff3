//! Masks of regions (He et al. 2017; detectron2 `roi_heads/mask_head.py` without convolutions, as C4 models have it): 14x14 logits for each class.

use mochi_tensor::{Kind, Reduction, Tensor, TensorError, upload};

use crate::layers::{Builder, Conv, Upsampling};

/// Cells along each side of a predicted mask.
pub const MASK_SIDE: u16 = 14;

/// Cells of a predicted mask.
pub const MASK_CELLS: usize = MASK_SIDE as usize * MASK_SIDE as usize;

/// Channels between the two layers.
const CHANNELS: i64 = 256;

/// A transposed convolution and a 1x1 convolution over the regions' last map.
#[derive(Debug)]
pub(crate) struct MaskHead {
    upsampling: Upsampling,
    predictor: Conv,
}

impl MaskHead {
    /// From maps of `channels` channels to masks of `classes` classes.
    pub fn new(channels: i64, classes: i64, b: &mut Builder) -> Result<Self, TensorError> {
        // fvcore's `c2_msra_fill` counts the fan of a transposed kernel over its first side.
        let deviation = (2.0 / (4 * channels) as f64).sqrt();
        Ok(Self {
            upsampling: b.upsampling("mask_head.deconv", [CHANNELS, channels], deviation)?,
            predictor: b.conv("mask_head.predictor", [classes, CHANNELS, 1], 0.001)?,
        })
    }

    /// (R, C, 7, 7) -> logits (R, K, 14, 14), at least float32.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TensorError> {
        let y = self.predictor.forward(&self.upsampling.forward(x)?.f_relu()?)?;
        Ok(if y.kind() == Kind::BFloat16 { y.f_to_kind(Kind::Float)? } else { y })
    }
}

/// The logits of one class per region: (R, K, 14, 14) -> (R, 14, 14).
///
/// # Errors
/// libtorch's error.
pub fn of_classes(logits: &Tensor, classes: &[i64]) -> Result<Tensor, TensorError> {
    let (regions, count, height, width) = logits.size4()?;
    let rows: Vec<i64> = classes.iter().enumerate().map(|(region, class)| region as i64 * count + class).collect();
    let rows = upload(&Tensor::f_from_slice(&rows)?, logits.device())?;
    Ok(logits.f_reshape([regions * count, height, width])?.f_index_select(0, &rows)?)
}

/// The mean over regions and cells of BCE(logit of the true class, target), a scalar; 0 without a region. `targets`: (R, 14, 14), row by row, true
/// within the object.
///
/// # Errors
/// libtorch's error.
pub fn loss(logits: &Tensor, classes: &[i64], targets: &[bool]) -> Result<Tensor, TensorError> {
    if classes.is_empty() {
        return Ok(logits.f_sum(logits.kind())?.f_mul_scalar(0.0)?);
    }
    let own = of_classes(logits, classes)?;
    let targets = upload(&Tensor::f_from_slice(targets)?, logits.device())?.f_to_kind(own.kind())?.f_view_as(&own)?;
    Ok(own.f_binary_cross_entropy_with_logits(&targets, None::<Tensor>, None::<Tensor>, Reduction::Mean)?)
}
