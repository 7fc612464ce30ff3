//! Masks of regions (He et al. 2017; detectron2 `roi_heads/mask_head.py`): logits for each class, 14x14 without convolutions, as C4 models have it, 28x28
//! after four convolutions, as models with a feature pyramid have it.

use mochi_tensor::{Kind, Reduction, Tensor, TensorError, upload};

use crate::layers::{Builder, Conv, Initial, Upsampling};

/// Channels between the layers.
const CHANNELS: i64 = 256;

/// 3x3 convolutions, a transposed convolution and a 1x1 convolution over maps of regions.
#[derive(Debug)]
pub(crate) struct MaskHead {
    convolutions: Vec<Conv>,
    upsampling: Upsampling,
    predictor: Conv,
}

impl MaskHead {
    /// From maps of `channels` channels through `convolutions` 3x3 convolutions to masks of `classes` classes.
    pub fn new(channels: i64, convolutions: usize, classes: i64, b: &mut Builder) -> Result<Self, TensorError> {
        let (mut input, mut layers) = (channels, Vec::with_capacity(convolutions));
        for number in 1..=convolutions {
            layers.push(b.conv(&format!("mask_head.mask_fcn{number}"), [CHANNELS, input, 3], Initial::Msra)?);
            input = CHANNELS;
        }
        Ok(Self {
            convolutions: layers,
            upsampling: b.upsampling("mask_head.deconv", [CHANNELS, input], Initial::Msra)?,
            predictor: b.conv("mask_head.predictor", [classes, CHANNELS, 1], Initial::Normal(0.001))?,
        })
    }

    /// (R, C, S, S) -> logits (R, K, 2 S, 2 S), at least float32.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TensorError> {
        let mut x = x.shallow_clone();
        for layer in &self.convolutions {
            x = layer.forward(&x)?.f_relu()?;
        }
        let y = self.predictor.forward(&self.upsampling.forward(&x)?.f_relu()?)?;
        Ok(if y.kind() == Kind::BFloat16 { y.f_to_kind(Kind::Float)? } else { y })
    }
}

/// The logits of one class per region: (R, K, S, S) -> (R, S, S).
///
/// # Errors
/// libtorch's error.
pub fn of_classes(logits: &Tensor, classes: &[i64]) -> Result<Tensor, TensorError> {
    let (regions, count, height, width) = logits.size4()?;
    let rows: Vec<i64> = classes.iter().enumerate().map(|(region, class)| region as i64 * count + class).collect();
    let rows = upload(&Tensor::f_from_slice(&rows)?, logits.device())?;
    Ok(logits.f_reshape([regions * count, height, width])?.f_index_select(0, &rows)?)
}

/// The mean over regions and cells of BCE(logit of the true class, target), a scalar; 0 without a region. `targets`: (R, S, S), row by row, true
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
