//! Faster R-CNN and Mask R-CNN with a C4 head: detectron2's `Base-RCNN-C4` with MoCo's `Res5ROIHeadsExtraNorm` (`facebookresearch/moco`, `detection/train_net.py`).
//!
//! The backbone's last stage is the head: it runs on regions of the map before it, followed by a norm without ReLU. With torchvision's ResNets that
//! is `res5` on the stride-16 map of `res4`.

use mochi_nets::{Arch, Backbone, NormMode, Stage, Stem};
use mochi_tensor::{BatchNorm, Compute, Kind, ParameterStore, Tensor, TensorError};

use crate::anchors::Anchors;
use crate::box_head::{BoxPredictor, DetectionLimits};
use crate::layers::Builder;
use crate::mask_head::MaskHead;
use crate::proposals::ProposalLimits;
use crate::roi_align::{Region, roi_align};
use crate::rpn::RpnHead;
use crate::sampling::Sampling;

/// What a detector is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorSpec {
    /// Backbone.
    pub arch: Arch,
    /// How an image enters it.
    pub stem: Stem,
    /// K, the number of classes without background.
    pub classes: usize,
    /// Whether masks are predicted.
    pub masks: bool,
    /// Anchors of each cell.
    pub anchors: Anchors,
    /// Proposals in training.
    pub train_proposals: ProposalLimits,
    /// Proposals in evaluation.
    pub test_proposals: ProposalLimits,
    /// Regions of an image that the heads learn from.
    pub regions: Sampling,
    /// Detections of an image.
    pub detections: DetectionLimits,
}

impl DetectorSpec {
    /// detectron2's values for a C4 model: 12,000 and 2,000 proposals in training, 6,000 and 1,000 in evaluation, 512 regions.
    pub fn c4(arch: Arch, stem: Stem, classes: usize, masks: bool) -> Self {
        Self {
            arch,
            stem,
            classes,
            masks,
            anchors: Anchors::c4(),
            train_proposals: ProposalLimits { before_nms: 12_000, after_nms: 2000 },
            test_proposals: ProposalLimits { before_nms: 6000, after_nms: 1000 },
            regions: Sampling { count: 512, positive_fraction: 0.25 },
            detections: DetectionLimits::STANDARD,
        }
    }
}

/// A detector and its parameters.
///
/// Names of tensors: torchvision's for the backbone (`conv1.weight`, `layer4.2.bn3.bias`), `head_norm.*`, `rpn.*`, `box_predictor.*` and `mask_head.*`;
/// [`crate::names`] has detectron2's.
#[derive(Debug)]
pub struct Detector {
    pub(crate) spec: DetectorSpec,
    pub(crate) compute: Compute,
    store: ParameterStore,
    pub(crate) backbone: Backbone,
    pub(crate) rpn: RpnHead,
    head_norm: BatchNorm,
    pub(crate) boxes: BoxPredictor,
    pub(crate) masks: Option<MaskHead>,
    /// The stage whose map has the regions, and its stride.
    pub(crate) map_stage: Stage,
    pub(crate) stride: i64,
    head_stage: Stage,
}

impl Detector {
    /// A new detector with initial values from libtorch's generator.
    ///
    /// # Errors
    /// libtorch's error, e.g. when memory is short.
    pub fn new(spec: DetectorSpec, compute: Compute) -> Result<Self, TensorError> {
        let mut store = ParameterStore::new();
        let backbone = Backbone::new(spec.arch, spec.stem, compute, &mut store)?;
        let stages: Vec<_> = backbone.shapes().collect();
        let [.., (map_stage, map), (head_stage, head)] = stages.as_slice() else {
            return Err(TensorError::Mismatch("a detector needs a backbone of two stages or more".to_owned()));
        };
        let (map_stage, head_stage) = (*map_stage, *head_stage);
        let classes = mochi_tensor::dim(spec.classes);
        let head_norm = BatchNorm::new(&mut store, "head_norm", head.channels, true, compute.device)?;
        let mut b = Builder { store: &mut store, compute };
        let rpn = RpnHead::new(map.channels, &spec.anchors, &mut b)?;
        let boxes = BoxPredictor::new(head.channels, classes, &mut b)?;
        let masks = spec.masks.then(|| MaskHead::new(head.channels, classes, &mut b)).transpose()?;
        let stride = map.stride;
        Ok(Self { spec, compute, store, backbone, rpn, head_norm, boxes, masks, map_stage, stride, head_stage })
    }

    /// What it is made of.
    pub fn spec(&self) -> &DetectorSpec {
        &self.spec
    }

    /// Names and tensors.
    pub fn store(&self) -> &ParameterStore {
        &self.store
    }

    /// Where and how it computes.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// The backbone.
    pub fn backbone(&self) -> &Backbone {
        &self.backbone
    }

    /// The backbone, to freeze stages or norms before an optimizer takes the parameters.
    pub fn backbone_mut(&mut self) -> &mut Backbone {
        &mut self.backbone
    }

    /// Every norm.
    pub fn norms(&self) -> impl Iterator<Item = &BatchNorm> {
        self.backbone.norms().chain(std::iter::once(&self.head_norm))
    }

    /// The head's maps (R, C, 7, 7) of regions, for each group of images.
    pub(crate) fn head(
        &self,
        maps: &[Tensor],
        regions: &[Vec<Region>],
        mode: NormMode,
    ) -> Result<Vec<Tensor>, TensorError> {
        let scale = 1.0 / self.stride as f64;
        let pooled: Vec<Tensor> =
            maps.iter().zip(regions).map(|(map, regions)| roi_align(map, regions, scale)).collect::<Result<_, _>>()?;
        let xs = self.backbone.stage(self.head_stage, &pooled, mode)?;
        self.head_norm.forward_together(xs, mode, false, None)
    }
}

/// (R, C, H, W) -> (R, C), at least float32.
pub(crate) fn mean_over_cells(x: &Tensor) -> Result<Tensor, TensorError> {
    let kind = if x.kind() == Kind::BFloat16 { Kind::Float } else { x.kind() };
    Ok(x.f_mean_dim([2i64, 3].as_slice(), false, kind)?)
}
