//! COCO's average precision: the numbers of pycocotools 2.0.11 (`COCOeval`), computed by `hotcoco`.
//!
//! ```text
//! files ───────> from_files ───────┐
//! Annotations ─> from_annotations ─┴─> Problem ─> engine ─> Arrays ─> CocoResult
//! ```
//!
//! The arrays are equal to pycocotools' in every bit, in the 240 random cases of `coco/cases.rs`.

mod arrays;
mod bootstrap;
mod engine;
mod from_annotations;
mod from_files;
mod numbers;
mod problem;
mod zero_id;

use std::path::Path;

use mochi_annotations::Annotations;

use crate::detection::{Detection, Geometry};
use crate::error::MetricsError;

pub use bootstrap::{CocoIntervals, bootstrap_coco};
pub use numbers::{CocoClass, CocoNumbers, CocoResult, Curve, Curves};

/// Evaluates detections by COCO's rules. Crowds are neither right nor wrong, an object's [`area`](mochi_annotations::Object::area) decides
/// about small, medium and large, and [`difficult`](mochi_annotations::Object::difficult) is not regarded. A detection has the area of its
/// box or, where masks are compared, of its mask.
///
/// # Errors
/// [`MetricsError::Detection`] and [`MetricsError::Object`] for invalid numbers and for masks that are missing or of another size than the
/// image.
pub fn evaluate_coco(
    annotations: &Annotations,
    detections: &[Detection],
    geometry: Geometry,
) -> Result<CocoResult, MetricsError> {
    let problem = from_annotations::problem(annotations, detections, geometry)?;
    let notes = zero_note(&problem).into_iter().collect();
    Ok(CocoResult::of(&engine::arrays(problem)?, annotations.classes.clone(), notes))
}

/// Evaluates COCO's result file `results` with the annotation file `truth`: the numbers of pycocotools for these two files, in float64.
/// Where masks are compared, boxes of the results are not read, so that a detection has the area of its mask
/// (`detectron2/evaluation/coco_evaluation.py`, `_evaluate_predictions_on_coco`).
///
/// Where pycocotools goes on, this does, too: unknown classes are left out, objects with one id count as the last of them. An `iscrowd` that
/// is missing is 0, an `area` that is missing that of the mask or box, and no results at all are zero precision.
///
/// # Errors
/// [`MetricsError::File`]; [`MetricsError::Form`] with the entry for anything else than the two files, for unknown images, and for numbers
/// and masks that are missing or invalid.
pub fn evaluate_coco_files(truth: &Path, results: &Path, geometry: Geometry) -> Result<CocoResult, MetricsError> {
    let read = |path: &Path| mochi_files::read_capped(path, crate::json::LIMIT);
    let (truth_bytes, results_bytes) = rayon::join(|| read(truth), || read(results));
    let (problem, names, mut notes) =
        from_files::problem((truth, &truth_bytes?), (results, &results_bytes?), geometry)?;
    notes.extend(zero_note(&problem));
    Ok(CocoResult::of(&engine::arrays(problem)?, names, notes))
}

fn zero_note(problem: &problem::Problem) -> Option<String> {
    let what = "an object has the id 0: as in pycocotools it counts as missed, and its detection as false";
    (!problem.zero_ids.is_empty()).then(|| format!("{what}; number the annotations from 1 to avoid this"))
}

#[cfg(test)]
pub(crate) mod cases;
#[cfg(test)]
mod tests;
