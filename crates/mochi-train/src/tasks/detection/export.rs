//! A trained detector as a file for other programs.

use std::collections::BTreeMap;
use std::path::Path;

use mochi_detection::names;
use mochi_tensor::{Device, no_grad, write_tensors};

use super::evaluate::LoadedDetector;
use crate::TrainError;
use crate::start_weights::PIXELS;

/// Writes every tensor of a detector under detectron2's name to a safetensors file, with the architecture, the backbone and the classes in its metadata, and
/// returns their number.
///
/// detectron2 builds the same network from `COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_1x.yaml` or, for C4, from MoCo's `Base-RCNN-C4-BN.yaml`, both with
/// RGB pixels, MoCo's mean and deviation, and the stride in the 3x3 convolutions.
///
/// # Errors
/// A file that cannot be written.
pub fn export_detector(loaded: &LoadedDetector, path: &Path) -> Result<usize, TrainError> {
    let detector = &loaded.detector;
    let spec = detector.spec();
    let tensors: BTreeMap<_, _> = detector
        .store()
        .iter()
        .map(|(name, tensor, _)| {
            let plain = no_grad(|| tensor.detach().to_device(Device::Cpu));
            (names::detectron2(name, spec.architecture), plain)
        })
        .collect();
    let classes = serde_json::to_string(&loaded.classes).map_err(|error| TrainError::Internal(error.to_string()))?;
    let metadata = [
        ("format", "pt".to_owned()),
        ("names", "detectron2".to_owned()),
        ("architecture", spec.architecture.to_string()),
        ("backbone", spec.arch.to_string()),
        (PIXELS, "RGB, ImageNet's mean and deviation; stride in the 3x3 convolutions".to_owned()),
        ("classes", classes),
    ];
    let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    write_tensors(path, &tensors, &metadata)?;
    Ok(tensors.len())
}
