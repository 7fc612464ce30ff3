//! Conversion of detection settings into the types of the other crates.

use std::str::FromStr;

use mochi_config::Stem as WantedStem;
use mochi_config::detection::{Architecture as WantedArchitecture, Norm, Resolved};
use mochi_detection::anchors::Anchors;
use mochi_detection::box_head::DetectionLimits;
use mochi_detection::proposals::ProposalLimits;
use mochi_detection::sampling::Sampling;
use mochi_detection::{Architecture, DetectorSpec};
use mochi_nets::{Arch, Stem};
use mochi_tensor::TensorError;

/// The detector of the settings for so many classes.
///
/// # Errors
/// An architecture that `mochi-nets` does not have.
pub(super) fn detector_spec(settings: &Resolved, classes: usize) -> Result<DetectorSpec, TensorError> {
    let Resolved { model, proposals, regions, detections, .. } = settings;
    Ok(DetectorSpec {
        architecture: match model.architecture {
            WantedArchitecture::C4 => Architecture::C4,
            WantedArchitecture::Fpn => Architecture::Fpn,
        },
        arch: Arch::from_str(model.arch.as_str()).map_err(|e| TensorError::Mismatch(e.to_string()))?,
        stem: match model.stem {
            WantedStem::Standard => Stem::Standard,
            WantedStem::Cifar => Stem::Cifar,
        },
        classes,
        pyramid_norm: model.norm == Norm::Batch,
        masks: model.masks,
        anchors: Anchors { sizes: model.anchor_sizes.clone(), ratios: model.anchor_ratios.clone() },
        train_proposals: ProposalLimits {
            before_nms: proposals.train_before_nms,
            after_nms: proposals.train_after_nms,
        },
        test_proposals: ProposalLimits { before_nms: proposals.test_before_nms, after_nms: proposals.test_after_nms },
        regions: Sampling { count: regions.count, positive_fraction: regions.positive_fraction },
        detections: DetectionLimits {
            score: detections.min_score as f32,
            nms: detections.nms as f32,
            count: detections.max_count,
        },
    })
}
