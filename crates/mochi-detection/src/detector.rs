//! Faster R-CNN and Mask R-CNN with a C4 head (detectron2's `Base-RCNN-C4` with MoCo's `Res5ROIHeadsExtraNorm`, `facebookresearch/moco`,
//! `detection/train_net.py`) or with a feature pyramid (detectron2's `Base-RCNN-FPN`).
//!
//! In a C4 detector the backbone's last stage is the head: it runs on regions of the map before it, followed by a norm without ReLU. With torchvision's
//! ResNets that is `res5` on the stride-16 map of `res4`.

use mochi_nets::{Arch, Backbone, NormMode, ShapeSpec, Stage, Stem};
use mochi_tensor::{Affine, BatchNorm, Compute, Group, ParameterStore, Role, Tensor, TensorError};
use std::sync::Arc;

use crate::anchors::{AnchorGrid, Anchors};
use crate::architecture::Architecture;
use crate::batch::ImageGroup;
use crate::box_head::{BoxPredictor, DetectionLimits};
use crate::fpn::{self, Fpn};
use crate::layers::Builder;
use crate::mask_head::MaskHead;
use crate::proposals::ProposalLimits;
use crate::pyramid::{Level, Pyramid};
use crate::region_head::{HIDDEN, RegionHead};
use crate::rpn::RpnHead;
use crate::sampling::Sampling;

/// What a detector is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorSpec {
    /// Feature maps and heads.
    pub architecture: Architecture,
    /// Backbone.
    pub arch: Arch,
    /// How an image enters it.
    pub stem: Stem,
    /// K, the number of classes without background.
    pub classes: usize,
    /// Whether the convolutions of a feature pyramid have batch norms and no bias (detectron2's `MODEL.FPN.NORM`). Backbones with trained norms need
    /// them: without, the training of a backbone with random or unsupervised weights diverges (He et al. 2020, section 4.2; facebookresearch/moco,
    /// issue 23).
    pub pyramid_norm: bool,
    /// Whether masks are predicted.
    pub masks: bool,
    /// Anchors: of each cell of the one map, or one size for each map of the pyramid.
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
    /// detectron2's values: the architecture's proposals, 512 regions, 100 detections, no norm in a feature pyramid.
    pub fn new(architecture: Architecture, arch: Arch, stem: Stem, classes: usize, masks: bool) -> Self {
        let [train_proposals, test_proposals] = architecture.parts().proposals;
        Self {
            architecture,
            arch,
            stem,
            classes,
            pyramid_norm: false,
            masks,
            anchors: Anchors::standard(),
            train_proposals,
            test_proposals,
            regions: Sampling { count: 512, positive_fraction: 0.25 },
            detections: DetectionLimits::STANDARD,
        }
    }
}

/// A detector and its parameters.
///
/// Names of tensors: torchvision's for the backbone (`conv1.weight`, `layer4.2.bn3.bias`), `head_norm.*` or `fpn_*` and `box_head.*`, `rpn.*`,
/// `box_predictor.*` and `mask_head.*`; [`crate::names`] has detectron2's.
#[derive(Debug)]
pub struct Detector {
    pub(crate) spec: DetectorSpec,
    pub(crate) compute: Compute,
    store: ParameterStore,
    pub(crate) backbone: Backbone,
    /// Entries of the store that are the backbone's, which come first.
    backbone_entries: usize,
    neck: Neck,
    /// Anchors of each map.
    anchors: Vec<Anchors>,
    pub(crate) rpn: RpnHead,
    pub(crate) head: RegionHead,
    pub(crate) boxes: BoxPredictor,
    pub(crate) masks: Option<MaskHead>,
}

/// How the stages' maps become those of the RPN and the regions.
#[derive(Debug)]
enum Neck {
    /// The map of one stage as it is.
    Stage(Stage, ShapeSpec),
    /// A feature pyramid over all stages; the last one is named.
    Fpn(Fpn, Stage),
}

impl Detector {
    /// A new detector with initial values from libtorch's generator.
    ///
    /// # Errors
    /// Not as many sizes of anchors as maps of the pyramid; libtorch's error, e.g. when memory is short.
    pub fn new(spec: DetectorSpec, compute: Compute) -> Result<Self, TensorError> {
        let mut store = ParameterStore::new();
        let backbone = Backbone::new(spec.arch, spec.stem, compute, &mut store)?;
        let backbone_entries = store.iter().count();
        let stages: Vec<_> = backbone.shapes().collect();
        let [.., (map_stage, map), (last_stage, last)] = stages.as_slice() else {
            return Err(TensorError::Mismatch("a detector needs a backbone of two stages or more".to_owned()));
        };
        let (classes, parts) = (mochi_tensor::dim(spec.classes), spec.architecture.parts());
        let mut b = Builder { store: &mut store, compute };
        let neck = match spec.architecture {
            Architecture::C4 => Neck::Stage(*map_stage, *map),
            Architecture::Fpn => {
                let shapes: Vec<ShapeSpec> = stages.iter().map(|(_, shape)| *shape).collect();
                Neck::Fpn(Fpn::new(&shapes, spec.pyramid_norm, &mut b)?, *last_stage)
            }
        };
        let (strides, channels) = (neck.strides(), neck.channels());
        let anchors = spec.anchors.of_maps(strides.len()).ok_or_else(|| {
            let (sizes, maps) = (spec.anchors.sizes.len(), strides.len());
            TensorError::Mismatch(format!("{sizes} sizes of anchors for {maps} maps; expected one for each"))
        })?;
        let per_cell = anchors.first().map_or(0, Anchors::per_cell);
        let rpn = RpnHead::new(channels, mochi_tensor::dim(per_cell), &mut b)?;
        // With the features that boxes are predicted from, and the channels that masks are.
        let (head, features, region_channels) = match spec.architecture {
            Architecture::C4 => {
                let norm = BatchNorm::new(b.store, "head_norm", last.channels, Affine::ScaleAndShift, compute.device)?;
                (RegionHead::Stage(*last_stage, norm), last.channels, last.channels)
            }
            Architecture::Fpn => (RegionHead::linear(channels, parts.box_bins, &mut b)?, HIDDEN, channels),
        };
        let boxes = BoxPredictor::new(features, classes, &mut b)?;
        let masks = spec.masks.then(|| MaskHead::new(region_channels, parts.mask_convolutions, classes, &mut b));
        let masks = masks.transpose()?;
        Ok(Self { spec, compute, store, backbone, backbone_entries, neck, anchors, rpn, head, boxes, masks })
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

    /// The backbone's tensors: torchvision's name, tensor and role.
    pub fn backbone_tensors(&self) -> impl Iterator<Item = (&str, &Tensor, Role)> {
        self.store.iter().take(self.backbone_entries)
    }

    /// Every norm.
    pub fn norms(&self) -> impl Iterator<Item = &BatchNorm> {
        let own = match &self.head {
            RegionHead::Stage(_, norm) => Some(norm),
            RegionHead::Linear(_) => None,
        };
        let pyramid = match &self.neck {
            Neck::Fpn(fpn, _) => Some(fpn.norms()),
            Neck::Stage(..) => None,
        };
        self.backbone.norms().chain(pyramid.into_iter().flatten()).chain(own)
    }

    /// Every norm, to change how it works.
    fn norms_mut(&mut self) -> impl Iterator<Item = &mut BatchNorm> {
        let own = match &mut self.head {
            RegionHead::Stage(_, norm) => Some(norm),
            RegionHead::Linear(_) => None,
        };
        let pyramid = match &mut self.neck {
            Neck::Fpn(fpn, _) => Some(fpn.norms_mut()),
            Neck::Stage(..) => None,
        };
        self.backbone.norms_mut().chain(pyramid.into_iter().flatten()).chain(own)
    }

    /// Takes batch statistics over the groups of all ranks, each of equal weight (detectron2's `NaiveSyncBatchNorm`). Frozen norms stay frozen.
    pub fn synchronize_norms(&mut self, group: &Arc<Group>) {
        self.norms_mut().for_each(|norm| norm.synchronize_tensors(group));
    }

    /// The maps that the RPN reads, finest first: (B, C, H, W) each.
    ///
    /// # Errors
    /// libtorch's error, e.g. when memory is short.
    pub fn feature_maps(&self, images: &ImageGroup, mode: NormMode) -> Result<Vec<Tensor>, TensorError> {
        let all = self.maps(&[self.compute.input(&images.pixels)?], mode)?;
        Ok(all.into_iter().flat_map(|pyramid| pyramid.levels).map(|level| level.map).collect())
    }

    /// The maps of each group of images, whose pixels are padded as the architecture needs it.
    pub(crate) fn maps(&self, pixels: &[Tensor], mode: NormMode) -> Result<Vec<Pyramid>, TensorError> {
        let missing = || TensorError::Mismatch("the backbone has no map".to_owned());
        let (Neck::Stage(last, _) | Neck::Fpn(_, last)) = &self.neck;
        let padded = pixels.iter().map(|pixels| self.padded(pixels)).collect::<Result<Vec<_>, _>>()?;
        let all = self.backbone.features(&padded, mode, *last)?;
        match &self.neck {
            Neck::Stage(stage, shape) => all
                .iter()
                .map(|maps| {
                    let map = maps.get(*stage).ok_or_else(missing)?.values.shallow_clone();
                    Ok(Pyramid { levels: vec![Level { map, stride: shape.stride }], pooled: 1 })
                })
                .collect(),
            Neck::Fpn(fpn, _) => {
                let all = fpn.forward(&all, mode)?.into_iter();
                Ok(all.map(|levels| Pyramid { pooled: levels.len() - 1, levels }).collect())
            }
        }
    }

    /// With zeros at the right and the bottom up to multiples of the pyramid's divisor (detectron2's `size_divisibility`).
    fn padded(&self, pixels: &Tensor) -> Result<Tensor, TensorError> {
        let Neck::Fpn(fpn, _) = &self.neck else { return Ok(pixels.shallow_clone()) };
        let (_, _, height, width) = pixels.size4()?;
        let more = |side: i64| (fpn.divisor() - side % fpn.divisor()) % fpn.divisor();
        match (more(height), more(width)) {
            (0, 0) => Ok(pixels.shallow_clone()),
            (down, right) => Ok(pixels.f_constant_pad_nd([0, right, 0, down])?),
        }
    }

    /// The anchors of an image on its maps.
    pub(crate) fn anchors(&self, pyramid: &Pyramid) -> AnchorGrid {
        let mut grid = AnchorGrid::default();
        for (anchors, level) in self.anchors.iter().zip(&pyramid.levels) {
            let [rows, columns] =
                [2, 3].map(|side| level.map.size().get(side).copied().map_or(0, mochi_tensor::extent));
            grid.push(anchors.of_map(rows, columns, level.stride as f32));
        }
        grid
    }
}

impl Neck {
    /// Strides of the maps, finest first.
    fn strides(&self) -> Vec<i64> {
        match self {
            Self::Stage(_, shape) => vec![shape.stride],
            Self::Fpn(fpn, _) => fpn.strides(),
        }
    }

    /// Channels of each map.
    fn channels(&self) -> i64 {
        match self {
            Self::Stage(_, shape) => shape.channels,
            Self::Fpn(..) => fpn::CHANNELS,
        }
    }
}
