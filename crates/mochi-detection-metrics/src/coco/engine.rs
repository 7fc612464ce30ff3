//! The comparison itself, done by `hotcoco`.

use std::sync::Arc;

use hotcoco::params::IouType;
use hotcoco::{COCO, COCOeval};

use super::arrays::Arrays;
use super::problem::Problem;
use super::zero_id;
use crate::detection::Geometry;
use crate::error::MetricsError;

/// What is compared.
pub(super) fn kind_of(geometry: Geometry) -> IouType {
    match geometry {
        Geometry::Box => IouType::Bbox,
        Geometry::Mask => IouType::Segm,
    }
}

/// Compares all detections with the ground truth.
///
/// # Errors
/// [`MetricsError::Engine`], which valid problems do not cause.
pub(super) fn arrays(mut problem: Problem) -> Result<Arrays, MetricsError> {
    let engine = |error: hotcoco::error::Error| MetricsError::Engine { detail: error.to_string() };
    let kind = kind_of(problem.geometry);
    let (classes, zero_ids) = (problem.classes, std::mem::take(&mut problem.zero_ids));
    let [truth, found] = problem.datasets().map(|dataset| Arc::new(COCO::from_dataset(dataset)));
    let mut evaluation = COCOeval::new(truth.clone(), found.clone(), kind);
    evaluation.evaluate().map_err(engine)?;
    evaluation.accumulate();
    let Some(all) = evaluation.accumulated() else {
        return Err(MetricsError::Engine { detail: "it returned no arrays".to_owned() });
    };
    let (precision, recall, scores) = (all.precision.clone(), all.recall.clone(), all.scores.clone());
    let mut arrays = Arrays { classes, precision, recall, scores };
    if [arrays.precision.len(), arrays.recall.len(), arrays.scores.len()] != Arrays::lengths(classes) {
        return Err(MetricsError::Engine { detail: "its arrays have another shape".to_owned() });
    }
    zero_id::correct(&mut arrays, &truth, &found, kind, &zero_ids).map_err(engine)?;
    Ok(arrays)
}
