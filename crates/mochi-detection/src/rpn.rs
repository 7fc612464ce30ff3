//! The region proposal network (Ren et al. 2015; detectron2 `proposal_generator/rpn.py`): for each anchor a logit for an object and the offsets of its
//! box. All maps of a pyramid share one head.

use mochi_tensor::{Kind, Reduction, Tensor, TensorError, upload};

use crate::boxes::BoundingBox;
use crate::coding::BoxCoder;
use crate::host::{floats, quads};
use crate::layers::{Builder, Conv, Initial};
use crate::matcher::{Label, Matcher};
use crate::pyramid::Level;
use crate::sampling::{Permute, Sampling};

/// Anchors of an image that the RPN learns from.
pub const SAMPLING: Sampling = Sampling { count: 256, positive_fraction: 0.5 };

/// A 3x3 convolution and two 1x1 convolutions over a map.
#[derive(Debug)]
pub(crate) struct RpnHead {
    conv: Conv,
    objectness: Conv,
    deltas: Conv,
}

/// Outputs for the images of a batch; A anchors per image, in the order of [`crate::anchors::AnchorGrid`].
#[derive(Debug)]
pub(crate) struct RpnOutput {
    /// (B, A)
    pub logits: Tensor,
    /// (B, A, 4)
    pub deltas: Tensor,
}

/// One image's outputs on the host.
pub(crate) struct HostOutput {
    pub logits: Vec<f32>,
    pub deltas: Vec<[f32; 4]>,
}

impl RpnHead {
    /// For maps of `channels` channels and so many anchors per cell, all weights from N(0, 0.01^2).
    pub fn new(channels: i64, count: i64, b: &mut Builder) -> Result<Self, TensorError> {
        let initial = Initial::Normal(0.01);
        Ok(Self {
            conv: b.conv("rpn.conv", [channels, channels, 3], initial)?,
            objectness: b.conv("rpn.objectness_logits", [count, channels, 1], initial)?,
            deltas: b.conv("rpn.anchor_deltas", [4 * count, channels, 1], initial)?,
        })
    }

    /// Of maps, finest first. Outputs are at least float32.
    pub fn forward(&self, levels: &[Level]) -> Result<RpnOutput, TensorError> {
        let mut parts = levels.iter().map(|level| self.of_map(&level.map)).collect::<Result<Vec<_>, _>>()?;
        if parts.len() != 1 {
            let joined = |of: fn(&RpnOutput) -> &Tensor| Tensor::f_cat(&parts.iter().map(of).collect::<Vec<_>>(), 1);
            return Ok(RpnOutput { logits: joined(|part| &part.logits)?, deltas: joined(|part| &part.deltas)? });
        }
        Ok(parts.remove(0))
    }

    /// Of a map (B, C, H, W).
    fn of_map(&self, map: &Tensor) -> Result<RpnOutput, TensorError> {
        let x = self.conv.forward(map)?.f_relu()?;
        let batch = map.size()[0];
        let flat = |y: Tensor, shape: &[i64]| y.f_permute([0, 2, 3, 1])?.f_reshape(shape);
        let kind = if map.kind() == Kind::BFloat16 { Kind::Float } else { map.kind() };
        let logits = flat(self.objectness.forward(&x)?, &[batch, -1])?.f_to_kind(kind)?;
        let deltas = flat(self.deltas.forward(&x)?, &[batch, -1, 4])?.f_to_kind(kind)?;
        Ok(RpnOutput { logits, deltas })
    }
}

impl RpnOutput {
    /// The values of each image on the host, float32.
    pub fn to_host(&self) -> Result<Vec<HostOutput>, TensorError> {
        let (logits, deltas) = (floats(&self.logits)?, quads(&self.deltas)?);
        let anchors = mochi_tensor::extent(self.logits.size()[1]).max(1);
        let images = logits.chunks(anchors).zip(deltas.chunks(anchors));
        Ok(images.map(|(logits, deltas)| HostOutput { logits: logits.to_vec(), deltas: deltas.to_vec() }).collect())
    }
}

/// What the anchors of a batch are to learn.
#[derive(Debug, Default)]
pub struct RpnTargets {
    /// Sampled anchors, as positions in (B A).
    pub sampled: Vec<i64>,
    /// Whether each of them is a positive.
    pub positive: Vec<bool>,
    /// The offsets of the positives to their ground truth, in the order of `sampled`.
    pub deltas: Vec<[f32; 4]>,
    /// Number of images.
    pub images: usize,
}

impl RpnTargets {
    /// Adds an image with its ground-truth boxes: matches and samples its anchors.
    pub fn add(&mut self, truths: &[BoundingBox], anchors: &[BoundingBox], permute: &mut Permute) {
        let matches = Matcher::RPN.assign(truths, anchors);
        let of = |label| (0..matches.len()).filter(|&i| matches[i].label == label).collect::<Vec<_>>();
        let (positives, negatives) = SAMPLING.draw(&of(Label::Positive), &of(Label::Negative), permute);
        self.deltas.extend(positives.iter().map(|&i| BoxCoder::RPN.encode(anchors[i], truths[matches[i].truth])));
        self.positive.extend(positives.iter().map(|_| true).chain(negatives.iter().map(|_| false)));
        let first = self.images * anchors.len();
        self.sampled.extend(positives.iter().chain(&negatives).map(|&i| (first + i) as i64));
        self.images += 1;
    }

    /// Objectness and box loss, scalars:
    ///
    /// ```text
    /// sum over sampled anchors of BCE(logit, positive) / (256 B),  sum over positives of |deltas - target|_1 / (256 B)
    /// ```
    ///
    /// The divisor is fixed, whatever was sampled.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn losses(&self, logits: &Tensor, deltas: &Tensor) -> Result<[Tensor; 2], TensorError> {
        let (kind, device) = (logits.kind(), logits.device());
        let divisor = (SAMPLING.count * self.images.max(1)) as f64;
        let here = |values: Tensor| upload(&values, device);
        let sampled = here(Tensor::f_from_slice(&self.sampled)?)?;
        let labels = here(Tensor::f_from_slice(&self.positive)?)?.f_to_kind(kind)?;
        let own = logits.f_reshape([-1])?.f_index_select(0, &sampled)?;
        let objectness =
            own.f_binary_cross_entropy_with_logits(&labels, None::<Tensor>, None::<Tensor>, Reduction::Sum)?;
        let positives: Vec<i64> =
            self.sampled.iter().zip(&self.positive).filter(|(_, positive)| **positive).map(|(at, _)| *at).collect();
        let positives = here(Tensor::f_from_slice(&positives)?)?;
        let targets = here(Tensor::f_from_slice(self.deltas.as_flattened())?)?.f_view([-1, 4])?.f_to_kind(kind)?;
        let boxes = deltas.f_reshape([-1, 4])?.f_index_select(0, &positives)?.f_l1_loss(&targets, Reduction::Sum)?;
        Ok([objectness.f_div_scalar(divisor)?, boxes.f_div_scalar(divisor)?])
    }
}
