//! Proposals of one image from the RPN's outputs (detectron2 `proposal_generator/proposal_utils.py`): the best anchors of each map by logit, decoded,
//! clipped to the image, without empty boxes, after NMS within each map; then the best of all maps.

use crate::anchors::AnchorGrid;
use crate::boxes::{BoundingBox, ImageSize, clip, is_empty};
use crate::coding::BoxCoder;
use crate::nms::{best, nms_by_class};

/// How many proposals remain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposalLimits {
    /// Anchors of the highest logits of each map that are decoded.
    pub before_nms: usize,
    /// Proposals kept, of all maps together.
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
    anchors: &AnchorGrid,
    image: ImageSize,
    limits: ProposalLimits,
) -> Vec<Proposal> {
    let (mut boxes, mut scores, mut levels) = (Vec::new(), Vec::new(), Vec::new());
    for (number, level) in anchors.levels().enumerate() {
        for i in best(&logits[level.clone()], limits.before_nms).into_iter().map(|i| level.start + i) {
            let decoded = BoxCoder::RPN.decode(deltas[i], anchors.boxes()[i]);
            let bounds = clip(decoded, image);
            let finite = logits[i].is_finite() && decoded.iter().all(|side| side.is_finite());
            if finite && !is_empty(bounds) {
                boxes.push(bounds);
                scores.push(logits[i]);
                levels.push(number);
            }
        }
    }
    let kept = nms_by_class(&boxes, &scores, &levels, THRESHOLD, limits.after_nms);
    kept.into_iter().map(|i| Proposal { bounds: boxes[i], logit: scores[i] }).collect()
}
