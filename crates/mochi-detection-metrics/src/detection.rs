//! One detected object.

use mochi_annotations::{Annotations, Rle};

use crate::error::MetricsError;

/// What is compared: boxes or masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Geometry {
    /// Overlap of boxes (COCO's `bbox`).
    Box,
    /// Overlap of masks (COCO's `segm`).
    Mask,
}

/// One object that a detector found.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// An index into [`Annotations::images`].
    pub image: usize,
    /// An index into [`Annotations::classes`].
    pub class: usize,
    /// The box (x0, y0, x1, y1) in pixels of the image.
    pub bounds: [f32; 4],
    /// The confidence; only the order of scores matters.
    pub score: f32,
    /// The mask in the size of the image, if the detector makes masks.
    pub mask: Option<Rle>,
}

impl Detection {
    /// The box as COCO stores it: (x0, y0, width, height). Width and height are rounded to float32, as in detectron2
    /// (`evaluation/coco_evaluation.py`, `instances_to_coco_json`).
    pub fn xywh(&self) -> [f64; 4] {
        let [x0, y0, x1, y1] = self.bounds;
        [x0, y0, x1 - x0, y1 - y0].map(f64::from)
    }
}

/// Checks image, class, score and box of every detection.
///
/// # Errors
/// [`MetricsError::Detection`] for the first with an index out of range or a number that is not finite.
pub(crate) fn check(annotations: &Annotations, detections: &[Detection]) -> Result<(), MetricsError> {
    let (images, classes) = (annotations.images.len(), annotations.classes.len().min(annotations.category_ids.len()));
    for (index, one) in detections.iter().enumerate() {
        let detail = if one.image >= images {
            format!("image index {}, but there are {images} images", one.image)
        } else if one.class >= classes {
            format!("class index {}, but there are {classes} classes", one.class)
        } else if !one.score.is_finite() {
            format!("score {}, expected a finite number", one.score)
        } else if let Some(value) = one.bounds.iter().find(|value| !value.is_finite()) {
            format!("box coordinate {value}, expected a finite number")
        } else {
            continue;
        };
        return Err(MetricsError::Detection { index, detail });
    }
    Ok(())
}
