//! What kinds of errors detections contain: confusion of classes, TIDE's kinds and their costs, the worst mistakes.
//!
//! ```text
//! image ─> Scene: who finds whom ─┬─> outcomes, missed ─┬─> costs
//!                                 │                     └─> worst mistakes
//!                                 └─> Confusion
//! ```

mod confusion;
mod cost;
mod kinds;
mod scene;

use mochi_annotations::Annotations;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::detection::{Detection, Geometry, check};
use crate::error::MetricsError;

pub use confusion::Confusion;
pub use kinds::ErrorKind;
use kinds::{Outcome, missed, outcomes};
use scene::Scene;

/// What [`analyze`] returns much of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnalysisOptions {
    /// The score from which on detections count in [`Confusion`].
    pub minimum_score: f32,
    /// The length of each list of mistakes.
    pub mistakes: usize,
}

/// Errors of detections at IoU 0.5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// AP50 as a fraction of 1, over the classes that have objects; `None` if none has.
    pub ap50: Option<f64>,
    /// Each kind of error, in the order of [`ErrorKind::ALL`].
    pub kinds: Vec<KindOfError>,
    /// Which classes are taken for which.
    pub confusion: Confusion,
    /// The false detections with the best scores.
    pub false_positives: Vec<FalsePositive>,
    /// The largest of the missed objects.
    pub missed: Vec<MissedObject>,
}

/// How often a kind of error occurs, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindOfError {
    /// The kind.
    pub kind: ErrorKind,
    /// The number of detections, or of missed objects.
    pub count: usize,
    /// By how much AP50 rises if all are repaired; 0 if AP50 is undefined.
    pub cost: f64,
}

/// A false detection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FalsePositive {
    /// Its position among the detections.
    pub detection: usize,
    /// Why it is false.
    pub kind: ErrorKind,
    /// The object that decides about the kind: its position in the image, and the IoU. `None` if it overlaps none.
    pub near: Option<(usize, f64)>,
}

/// An object that no detection finds, not even in part or with another class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MissedObject {
    /// Its image.
    pub image: usize,
    /// Its position in the image.
    pub object: usize,
}

/// Analyzes detections. At most 100 detections of a class count in an image, as in COCO. Crowds and difficult objects are neither right nor
/// wrong.
///
/// # Errors
/// [`MetricsError::Detection`] and [`MetricsError::Object`] for invalid numbers and for masks that are missing or of another size than the
/// image.
pub fn analyze(
    annotations: &Annotations,
    detections: &[Detection],
    geometry: Geometry,
    options: AnalysisOptions,
) -> Result<Analysis, MetricsError> {
    check(annotations, detections)?;
    let mut by_image: Vec<Vec<usize>> = annotations.images.iter().map(|_| Vec::new()).collect();
    for (index, one) in detections.iter().enumerate() {
        by_image[one.image].push(index);
    }
    // The order of COCO's evaluation, in which equal scores are ranked.
    let mut images: Vec<usize> = (0..annotations.images.len()).collect();
    images.sort_by_key(|&image| annotations.images[image].id);
    let look = |&image: &usize| {
        let scene = Scene::of(annotations, detections, image, &by_image[image], geometry)?;
        let outcomes = outcomes(&scene, |index| detections[index].class);
        let missed = missed(&scene, &outcomes);
        Ok((scene, outcomes, missed))
    };
    let scenes: Vec<Result<_, MetricsError>> = images.par_iter().map(look).collect();
    let scenes = scenes.into_iter().collect::<Result<Vec<_>, MetricsError>>()?;

    let classes = annotations.classes.len();
    let costs = cost::costs(&scenes, classes, |index| (detections[index].class, f64::from(detections[index].score)));
    let mut confusion = Confusion::new(annotations.classes.clone(), options.minimum_score);
    for (scene, ..) in &scenes {
        confusion.add_image(scene, |index| (detections[index].class, detections[index].score));
    }
    let mut false_positives = false_positives(&scenes);
    let mut missed = missed_objects(&scenes);
    let count = |kind: ErrorKind| match kind {
        ErrorKind::Missed => missed.len(),
        kind => false_positives.iter().filter(|one| one.kind == kind).count(),
    };
    let costs_of = costs.map_or([0.0; 6], |(_, costs)| costs);
    let kinds =
        ErrorKind::ALL.into_iter().zip(costs_of).map(|(kind, cost)| KindOfError { kind, count: count(kind), cost });
    let kinds = kinds.collect();
    false_positives.sort_by(|a, b| detections[b.detection].score.total_cmp(&detections[a.detection].score));
    false_positives.truncate(options.mistakes);
    let area = |one: &MissedObject| annotations.images[one.image].objects[one.object].area;
    missed.sort_by(|a, b| area(b).total_cmp(&area(a)));
    missed.truncate(options.mistakes);
    Ok(Analysis { ap50: costs.map(|(ap50, _)| ap50), kinds, confusion, false_positives, missed })
}

type Looked = (Scene, Vec<Outcome>, Vec<bool>);

fn false_positives(scenes: &[Looked]) -> Vec<FalsePositive> {
    let mut all = Vec::new();
    for (scene, outcomes, _) in scenes {
        for (&detection, outcome) in scene.found.iter().zip(outcomes) {
            if let Outcome::False { kind, near } = *outcome {
                let near = near.map(|(object, iou)| (scene.objects[object].object, iou));
                all.push(FalsePositive { detection, kind, near });
            }
        }
    }
    all
}

fn missed_objects(scenes: &[Looked]) -> Vec<MissedObject> {
    let in_scene = |(scene, _, missed): &Looked| -> Vec<MissedObject> {
        let objects = scene.objects.iter().zip(missed).filter(|&(_, &missed)| missed);
        objects.map(|(one, _)| MissedObject { image: scene.image, object: one.object }).collect()
    };
    scenes.iter().flat_map(in_scene).collect()
}

#[cfg(test)]
mod tests;
