//! Proposals of one image from the RPN's outputs (detectron2 `proposal_generator/proposal_utils.py`): the best anchors by logit, decoded, clipped to the
//! image, without empty boxes, after NMS.

use crate::boxes::{BoundingBox, ImageSize, clip, is_empty};
use crate::coding::BoxCoder;
use crate::nms::{best, nms};

/// How many proposals remain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposalLimits {
    /// Anchors of the highest logits that are decoded.
    pub before_nms: usize,
    /// Proposals kept.
    pub after_nms: usize,
}

/// IoU above which the worse of two proposals is dropped.
const THRESHOLD: f32 = 0.7;

/// A box that may hold an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proposal {
    /// The box, within the image.
    pub bounds: BoundingBox,
    /// The RPN's logit for an object.
    pub logit: f32,
}

/// The proposals of an image, best first. `logits` and `deltas` have one entry per anchor. Values that are not finite are left out.
pub fn proposals(
    logits: &[f32],
    deltas: &[[f32; 4]],
    anchors: &[BoundingBox],
    image: ImageSize,
    limits: ProposalLimits,
) -> Vec<Proposal> {
    let order = best(logits, limits.before_nms);
    let decoded = order.into_iter().map(|i| (BoxCoder::RPN.decode(deltas[i], anchors[i]), logits[i]));
    let finite = decoded.filter(|(b, logit)| logit.is_finite() && b.iter().all(|side| side.is_finite()));
    let (boxes, logits): (Vec<_>, Vec<_>) =
        finite.map(|(b, logit)| (clip(b, image), logit)).filter(|(b, _)| !is_empty(*b)).unzip();
    let kept = nms(&boxes, &logits, THRESHOLD, limits.after_nms);
    kept.into_iter().map(|i| Proposal { bounds: boxes[i], logit: logits[i] }).collect()
}
