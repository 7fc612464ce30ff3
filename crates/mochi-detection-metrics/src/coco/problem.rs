//! What is compared, in the types of `hotcoco`: images, classes, objects and detections, numbered from 0 in the order of their ids.
//!
//! Numbers are checked before they come here, so that nothing can be undefined in an overlap.

use std::sync::{Mutex, PoisonError};

use hotcoco::types::{Annotation, Category, Dataset, Image, Segmentation};

use rayon::iter::{IndexedParallelIterator, ParallelIterator};

use crate::detection::Geometry;
use crate::error::MetricsError;
use crate::masks;
use crate::shape::Shape;

/// An evaluation to be done.
pub(super) struct Problem {
    pub geometry: Geometry,
    /// Number of images. The order decides between equal scores.
    pub images: usize,
    /// Number of classes.
    pub classes: usize,
    /// The ground truth; the ids are 1, 2, ...
    pub objects: Vec<Annotation>,
    /// The detections; the ids are 1, 2, ...
    pub detections: Vec<Annotation>,
    /// The ids here of the objects whose number was 0, see `zero_id.rs`.
    pub zero_ids: Vec<u64>,
}

/// What is compared of an object or detection.
pub(super) struct Compared {
    /// x, y, width, height; `None` where masks are compared.
    pub xywh: Option<[f64; 4]>,
    /// Checked run lengths; `None` where boxes are compared.
    pub mask: Option<Segmentation>,
    /// In square pixels.
    pub area: f64,
}

impl From<Shape> for Compared {
    fn from(shape: Shape) -> Self {
        Self { xywh: shape.xywh, mask: shape.runs.map(masks::to_segmentation), area: shape.area }
    }
}

/// An object of the ground truth, without its id.
pub(super) fn object(image: usize, class: usize, compared: Compared, crowd: bool) -> Annotation {
    Annotation { iscrowd: crowd, ..annotation(image, class, compared) }
}

/// A detection, without its id.
pub(super) fn detection(image: usize, class: usize, compared: Compared, score: f64) -> Annotation {
    Annotation { score: Some(score), ..annotation(image, class, compared) }
}

fn annotation(image: usize, class: usize, compared: Compared) -> Annotation {
    Annotation {
        image_id: image as u64,
        category_id: class as u64,
        bbox: compared.xywh,
        area: Some(compared.area),
        segmentation: compared.mask,
        ..Annotation::default()
    }
}

/// Computes all in parallel, in one list that does not grow.
///
/// # Errors
/// The first in their order, which `collect` alone would not return.
pub(super) fn all(
    results: impl IndexedParallelIterator<Item = Result<Annotation, MetricsError>>,
) -> Result<Vec<Annotation>, MetricsError> {
    let first: Mutex<Option<(usize, MetricsError)>> = Mutex::new(None);
    let keep = |(index, result): (usize, Result<Annotation, MetricsError>)| {
        result.unwrap_or_else(|error| {
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            if first.as_ref().is_none_or(|(earlier, _)| index < *earlier) {
                *first = Some((index, error));
            }
            Annotation::default()
        })
    };
    let annotations = results.enumerate().map(keep).collect();
    match first.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(annotations),
    }
}

/// Numbers them 1, 2, ...
pub(super) fn numbered(mut all: Vec<Annotation>) -> Vec<Annotation> {
    for (id, one) in (1..).zip(&mut all) {
        one.id = id;
    }
    all
}

impl Problem {
    /// The ground truth and the detections as datasets of `hotcoco`.
    pub(super) fn datasets(self) -> [Dataset; 2] {
        let images = (0..self.images as u64).map(|id| Image { id, ..Image::default() }).collect::<Vec<_>>();
        let category = |id: u64| Category { id, name: id.to_string(), ..Category::default() };
        let categories = (0..self.classes as u64).map(category).collect::<Vec<_>>();
        [self.objects, self.detections].map(|annotations| Dataset {
            images: images.clone(),
            categories: categories.clone(),
            annotations,
            ..Dataset::default()
        })
    }
}
