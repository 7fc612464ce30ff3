//! Detections in the images of a dataset, and their average precision.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mochi_annotations::Annotations;
use mochi_config::detection::Resolved;
use mochi_data::objects::{ObjectGroup, ObjectLoader, check_bad};
use mochi_data::{BadImage, DataError};
use mochi_detection::boxes::ImageSize;
use mochi_detection::{Detector, Prediction};
use mochi_detection_metrics::{Detection as Detected, Geometry, evaluate_coco};
use mochi_run::metric::detection;
use mochi_run::{Checkpoint, Metrics, RunFolder};
use mochi_tensor::{Engine, Group, set_threads};
use mochi_term::StopFlag;
use serde::Deserialize;

use super::spec::detector_spec;
use super::truths::images as pixels;
use super::{batches, gather};
use crate::ranks::{any_stops, own_stop};
use crate::wiring::use_own_gpu;
use crate::{State, TrainError, compute_of};

/// Detections in a dataset.
#[derive(Debug, Default)]
pub struct Found {
    /// The detections, image by image, best first.
    pub detections: Vec<Detected>,
    /// Images that could not be read; they have no detection.
    pub bad: Vec<BadImage>,
}

/// The detections in all images of a dataset. The ranks of a `group` have a part of the images each; rank 0 gets what all have found, in the order of one
/// process, and the others nothing. `progress` is called with the number of images done.
///
/// # Errors
/// Data that cannot be read, a request to stop (of any rank), a rank that is lost, libtorch's error.
pub fn detect_all(
    detector: &Detector,
    settings: &Resolved,
    data: &Arc<Annotations>,
    group: Option<&Group>,
    stop: &StopFlag,
    progress: &mut dyn FnMut(u64),
) -> Result<Found, TrainError> {
    let (mut found, images) = (Found::default(), data.images.len());
    let options = batches::evaluation(settings, images, group, &own_stop(group, stop));
    let (each, limit) = (options.batch as u64, options.max_bad_fraction);
    let mut loader = ObjectLoader::new(data.clone(), options)?;
    for batch in loader.by_ref() {
        if any_stops(group, stop)? {
            return Err(DataError::Canceled.into());
        }
        let batch = batch?;
        for group in batch.groups.iter().filter(|group| !group.images.is_empty()) {
            let all = detect(detector, data, group)?;
            for (image, predictions) in group.images.iter().zip(all) {
                found.detections.extend(predictions.into_iter().map(|p| detection_of(image.index as usize, p)));
            }
        }
        progress(((batch.step + 1) * each).min(images as u64));
    }
    found.bad = loader.new_bad_images();
    let Some(group) = group else { return Ok(found) };
    let (detections, bad) = gather::to_first(&found.detections, &found.bad, group)?;
    // Each rank has checked its own alone.
    check_bad(bad.iter(), images, images, limit)?;
    Ok(Found { detections, bad })
}

/// The objects in the images of a batch, image by image, in coordinates of the images in `data`.
pub(super) fn detect(
    detector: &Detector,
    data: &Annotations,
    group: &ObjectGroup,
) -> Result<Vec<Vec<Prediction>>, TrainError> {
    let originals = group.images.iter().map(|image| {
        let own = &data.images[image.index as usize];
        ImageSize { height: own.height, width: own.width }
    });
    Ok(detector.detect(&pixels(group)?, &originals.collect::<Vec<_>>())?)
}

fn detection_of(image: usize, Prediction { bounds, class, score, mask }: Prediction) -> Detected {
    Detected { image, class, bounds, score, mask }
}

/// The metrics of an evaluation, of several ranks on the first, which records them; a request to stop ends it.
pub(super) fn metrics(
    detector: &Detector,
    settings: &Resolved,
    data: &Arc<Annotations>,
    group: Option<&Group>,
    stop: &StopFlag,
) -> Result<Metrics, TrainError> {
    let found = detect_all(detector, settings, data, group, stop, &mut |_| {})?;
    if group.is_some_and(|group| group.rank() > 0) {
        return Ok(Metrics::new());
    }
    let numbers = |geometry| evaluate_coco(data, &found.detections, geometry).map(|result| result.numbers);
    let boxes = numbers(Geometry::Box)?;
    let masks = if settings.model.masks { Some(numbers(Geometry::Mask)?) } else { None };
    Ok(Metrics::new()
        .with(&detection::AP, boxes.ap)
        .with(&detection::AP50, boxes.ap50)
        .with(&detection::AP75, boxes.ap75)
        .with(&detection::MASK_AP, masks.and_then(|m| m.ap))
        .with(&detection::MASK_AP50, masks.and_then(|m| m.ap50))
        .with(&detection::MASK_AP75, masks.and_then(|m| m.ap75)))
}

/// A detector from a run's newest checkpoint.
#[derive(Debug)]
pub struct LoadedDetector {
    /// The detector.
    pub detector: Detector,
    /// The run's settings.
    pub settings: Resolved,
    /// Names of its classes.
    pub classes: Vec<String>,
    /// Their numbers in COCO files.
    pub category_ids: Vec<u64>,
    /// Step of the checkpoint.
    pub step: u64,
    /// The checkpoint's folder.
    pub checkpoint: PathBuf,
}

/// What a checkpoint says of the classes.
#[derive(Deserialize)]
struct Classes {
    classes: Vec<String>,
    category_ids: Vec<u64>,
}

/// Loads the detector of a run's newest checkpoint; where there are several GPUs, each rank of a `group` has its own.
///
/// # Errors
/// A folder that is not a detection run, or one without a checkpoint.
pub fn load_detector(run: &Path, engine: &Engine, group: Option<&Group>) -> Result<LoadedDetector, TrainError> {
    let folder = RunFolder::read(run)?;
    let mut settings = Resolved::read(&folder.config_path())?;
    if let Some(group) = group {
        use_own_gpu(&mut settings.compute, group);
    }
    let newest = folder.checkpoints().latest()?.ok_or_else(|| TrainError::NoCheckpoint(run.to_owned()))?;
    let Checkpoint { step, path } = newest;
    let state = State::read(&path)?;
    let invalid = |reason: String| TrainError::Checkpoint { path: path.clone(), reason };
    let value = state.parts.get("model").cloned().ok_or_else(|| invalid("it has no part \"model\"".to_owned()))?;
    let Classes { classes, category_ids } =
        serde_json::from_value(value).map_err(|e| invalid(format!("its classes: {e}")))?;
    set_threads(settings.compute.threads);
    let compute = compute_of(&settings.compute, engine)?;
    let detector = Detector::new(detector_spec(&settings, classes.len())?, compute)?;
    detector.store().load_file(&path.join("model.safetensors"), "", &[])?;
    Ok(LoadedDetector { detector, settings, classes, category_ids, step, checkpoint: path })
}
