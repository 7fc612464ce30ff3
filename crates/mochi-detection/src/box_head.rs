//! Classes and boxes of regions (Girshick 2015; detectron2 `roi_heads/fast_rcnn.py`). Background is the last class, K.

use mochi_tensor::{Kind, Reduction, Tensor, TensorError, upload};

use crate::boxes::{BoundingBox, ImageSize, clip};
use crate::coding::BoxCoder;
use crate::host::{floats, quads};
use crate::layers::{Builder, Initial, Linear};
use crate::matcher::{Label, Matcher};
use crate::nms::nms_by_class;
use crate::sampling::{Permute, Sampling};

/// Scores of K + 1 classes and boxes of K classes from pooled features.
#[derive(Debug)]
pub(crate) struct BoxPredictor {
    classes: Linear,
    deltas: Linear,
}

/// Outputs for R regions.
#[derive(Debug)]
pub(crate) struct BoxOutput {
    /// Logits (R, K + 1).
    pub scores: Tensor,
    /// Offsets (R, 4 K).
    pub deltas: Tensor,
}

impl BoxPredictor {
    /// From `features` values to `classes` classes.
    pub fn new(features: i64, classes: i64, b: &mut Builder) -> Result<Self, TensorError> {
        Ok(Self {
            classes: b.linear("box_predictor.cls_score", [classes + 1, features], Initial::Normal(0.01))?,
            deltas: b.linear("box_predictor.bbox_pred", [4 * classes, features], Initial::Normal(0.001))?,
        })
    }

    /// Of pooled features (R, F), float32 or float64.
    pub fn forward(&self, pooled: &Tensor) -> Result<BoxOutput, TensorError> {
        Ok(BoxOutput { scores: self.classes.forward(pooled)?, deltas: self.deltas.forward(pooled)? })
    }
}

/// The regions of one image that its heads learn from, foreground first.
#[derive(Debug, Default)]
pub struct SampledRegions {
    /// Their boxes.
    pub bounds: Vec<BoundingBox>,
    /// Their classes; K for background.
    pub classes: Vec<i64>,
    /// The ground truth of each region of the foreground, by index.
    pub truths: Vec<usize>,
}

impl SampledRegions {
    /// Matches candidates with the ground truth of K = `background` classes, and samples.
    pub fn draw(
        truths: &[BoundingBox],
        truth_classes: &[usize],
        candidates: &[BoundingBox],
        background: usize,
        sampling: Sampling,
        permute: &mut Permute,
    ) -> Self {
        let matches = Matcher::ROI.assign(truths, candidates);
        let of = |label| (0..matches.len()).filter(|&i| matches[i].label == label).collect::<Vec<_>>();
        let (foreground, others) = sampling.draw(&of(Label::Positive), &of(Label::Negative), permute);
        let truths: Vec<usize> = foreground.iter().map(|&i| matches[i].truth).collect();
        let classes = truths.iter().map(|&truth| truth_classes[truth]).chain(others.iter().map(|_| background));
        Self {
            bounds: foreground.iter().chain(&others).map(|&i| candidates[i]).collect(),
            classes: classes.map(|class| class as i64).collect(),
            truths,
        }
    }
}

/// Class and box loss, scalars, of R regions:
///
/// ```text
/// mean over regions of cross entropy,  sum over the foreground of |deltas of the true class - target|_1 / R
/// ```
///
/// `targets`: the ground-truth box of each region of the foreground, in order; targets are coded from `bounds`, the regions' boxes. Both losses of
/// no region are 0.
///
/// # Errors
/// libtorch's error.
pub fn losses(
    scores: &Tensor,
    deltas: &Tensor,
    bounds: &[BoundingBox],
    classes: &[i64],
    targets: &[BoundingBox],
) -> Result<[Tensor; 2], TensorError> {
    let (kind, device) = (scores.kind(), scores.device());
    if bounds.is_empty() {
        return Ok([scores.f_sum(kind)?.f_mul_scalar(0.0)?, deltas.f_sum(kind)?.f_mul_scalar(0.0)?]);
    }
    let background = scores.size()[1] - 1;
    let here = |values: Tensor| upload(&values, device);
    let labels = here(Tensor::f_from_slice(classes)?)?;
    let class = scores.f_cross_entropy_loss(&labels, None::<Tensor>, Reduction::Mean, -100, 0.0)?;
    let foreground = (0..classes.len()).filter(|&i| classes[i] < background);
    let (rows, codes): (Vec<i64>, Vec<[f32; 4]>) = foreground
        .zip(targets)
        .map(|(i, &target)| (i as i64 * background + classes[i], BoxCoder::ROI.encode(bounds[i], target)))
        .unzip();
    let codes = here(Tensor::f_from_slice(codes.as_flattened())?)?.f_view([-1, 4])?.f_to_kind(kind)?;
    let own = deltas.f_reshape([-1, 4])?.f_index_select(0, &here(Tensor::f_from_slice(&rows)?)?)?;
    let boxes = own.f_l1_loss(&codes, Reduction::Sum)?.f_div_scalar(bounds.len() as f64)?;
    Ok([class, boxes])
}

/// Which detections remain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectionLimits {
    /// Scores must be larger.
    pub score: f32,
    /// IoU above which the worse of two detections of a class is dropped.
    pub nms: f32,
    /// Most detections of an image.
    pub count: usize,
}

impl DetectionLimits {
    /// detectron2's defaults.
    pub const STANDARD: Self = Self { score: 0.05, nms: 0.5, count: 100 };
}

/// A detected object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detected {
    /// Its box within the image.
    pub bounds: BoundingBox,
    /// Its class.
    pub class: usize,
    /// The softmax of its class.
    pub score: f32,
}

/// The detections of one image from the outputs for its regions, best first. A region may give several classes.
///
/// # Errors
/// libtorch's error.
pub fn detections(
    scores: &Tensor,
    deltas: &Tensor,
    bounds: &[BoundingBox],
    image: ImageSize,
    limits: DetectionLimits,
) -> Result<Vec<Detected>, TensorError> {
    if bounds.is_empty() {
        return Ok(Vec::new());
    }
    let background = mochi_tensor::extent(scores.size()[1] - 1);
    let probabilities = floats(&scores.f_softmax(-1, None::<Kind>)?)?;
    let deltas = quads(deltas)?;
    let (mut boxes, mut own, mut classes) = (Vec::new(), Vec::new(), Vec::new());
    for (region, &source) in bounds.iter().enumerate() {
        for class in 0..background {
            let score = probabilities[region * (background + 1) + class];
            let decoded = BoxCoder::ROI.decode(deltas[region * background + class], source);
            if score > limits.score && decoded.iter().all(|side| side.is_finite()) {
                boxes.push(clip(decoded, image));
                own.push(score);
                classes.push(class);
            }
        }
    }
    let kept = nms_by_class(&boxes, &own, &classes, limits.nms, limits.count);
    Ok(kept.into_iter().map(|i| Detected { bounds: boxes[i], class: classes[i], score: own[i] }).collect())
}
