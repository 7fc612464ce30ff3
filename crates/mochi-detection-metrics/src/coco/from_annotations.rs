//! The problem that annotations and detections in memory pose.

use mochi_annotations::{Annotations, Object};
use rayon::prelude::*;

use super::problem::{Problem, all, detection, numbered, object};
use crate::detection::{Detection, Geometry, check};
use crate::error::MetricsError;
use crate::shape;

/// Poses the problem.
///
/// # Errors
/// As [`super::evaluate_coco`].
pub(super) fn problem(
    annotations: &Annotations,
    detections: &[Detection],
    geometry: Geometry,
) -> Result<Problem, MetricsError> {
    check(annotations, detections)?;
    let images = &annotations.images;
    // pycocotools sorts images by id, which decides between equal scores.
    let mut by_id: Vec<usize> = (0..images.len()).collect();
    by_id.sort_by_key(|&image| images[image].id);
    let mut ranks = vec![0; images.len()];
    for (rank, &image) in by_id.iter().enumerate() {
        ranks[image] = rank;
    }
    let classes = annotations.classes.len();
    let objects: Vec<(usize, usize, &Object)> = by_id
        .iter()
        .flat_map(|&image| images[image].objects.iter().enumerate().map(move |(i, one)| (image, i, one)))
        .collect();
    let pose = |&(image, i, one): &(usize, usize, &Object)| {
        let shape = shape::of_object(one, &images[image], geometry, classes)
            .map_err(|detail| MetricsError::Object { image: images[image].name.clone(), object: i, detail })?;
        Ok(object(ranks[image], one.class, shape.into(), one.crowd))
    };
    let posed = all(objects.par_iter().map(pose))?;
    let zero_ids = (1..).zip(&objects).filter(|(_, (_, _, one))| one.id == 0).map(|(id, _)| id).collect();
    let find = |(index, one): (usize, &Detection)| {
        let shape = shape::of_detection(one, &images[one.image], geometry)
            .map_err(|detail| MetricsError::Detection { index, detail })?;
        Ok(detection(ranks[one.image], one.class, shape.into(), f64::from(one.score)))
    };
    let found = all(detections.par_iter().enumerate().map(find))?;
    Ok(Problem {
        geometry,
        images: images.len(),
        classes,
        objects: numbered(posed),
        detections: numbered(found),
        zero_ids,
    })
}
