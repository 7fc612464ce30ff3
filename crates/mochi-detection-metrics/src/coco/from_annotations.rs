//! The problem that annotations and detections in memory pose.

use mochi_annotations::{AnnotatedImage, Annotations, Object};
use rayon::prelude::*;

use super::problem::{Problem, Shape, all, detection, numbered, object};
use crate::detection::{Detection, Geometry, check};
use crate::error::MetricsError;
use crate::masks;

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
    let pose =
        |&(image, i, one): &(usize, usize, &Object)| {
            let shape = shape_of_object(one, &images[image], geometry, classes)
                .map_err(|detail| MetricsError::Object { image: images[image].name.clone(), object: i, detail })?;
            Ok(object(ranks[image], one.class, shape, one.crowd))
        };
    let posed = all(objects.par_iter().map(pose))?;
    let zero_ids = (1..).zip(&objects).filter(|(_, (_, _, one))| one.id == 0).map(|(id, _)| id).collect();
    let find = |(index, one): (usize, &Detection)| {
        let shape = shape_of_detection(one, &images[one.image], geometry)
            .map_err(|detail| MetricsError::Detection { index, detail })?;
        Ok(detection(ranks[one.image], one.class, shape, f64::from(one.score)))
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

fn shape_of_object(
    object: &Object,
    image: &AnnotatedImage,
    geometry: Geometry,
    classes: usize,
) -> Result<Shape, String> {
    if object.class >= classes {
        return Err(format!("class index {}, but there are {classes} classes", object.class));
    }
    if let Some(value) =
        object.bounds.iter().chain([&object.area]).find(|value| value.is_nan() || value.abs() > LARGEST)
    {
        return Err(format!("box coordinate or area {value:?}, expected a number of pixels"));
    }
    match geometry {
        Geometry::Box => {
            let [x0, y0, x1, y1] = object.bounds;
            Ok(Shape { xywh: Some([x0, y0, x1 - x0, y1 - y0]), runs: None, area: object.area })
        }
        Geometry::Mask => {
            let mask = object.mask.as_ref().ok_or("has no mask")?;
            let runs = masks::from_mask(mask, [image.height, image.width])?;
            Ok(Shape { xywh: None, runs: Some(runs), area: object.area })
        }
    }
}

/// The largest coordinate: products of two of them stay finite.
const LARGEST: f64 = 1e100;

fn shape_of_detection(one: &Detection, image: &AnnotatedImage, geometry: Geometry) -> Result<Shape, String> {
    match geometry {
        Geometry::Box => {
            let xywh = one.xywh();
            if let Some(value) = xywh.iter().find(|value| !value.is_finite()) {
                return Err(format!("width or height {value}, expected a number of pixels"));
            }
            Ok(Shape { xywh: Some(xywh), runs: None, area: xywh[2] * xywh[3] })
        }
        Geometry::Mask => {
            let runs = masks::from_rle(one.mask.as_ref().ok_or("has no mask")?, [image.height, image.width])?;
            Ok(Shape { xywh: None, area: masks::area(&runs), runs: Some(runs) })
        }
    }
}
