//! Boxes and masks of objects and detections, checked, in the form in which overlaps are computed.

use hotcoco::types::Rle as Runs;
use mochi_annotations::{AnnotatedImage, Object};

use crate::detection::{Detection, Geometry};
use crate::masks;

/// The largest coordinate in pixels: products of two of them stay finite.
pub(crate) const LARGEST: f64 = 1e100;

/// The shape of an object or a detection.
pub(crate) struct Shape {
    /// x, y, width, height; `None` where masks are compared.
    pub xywh: Option<[f64; 4]>,
    /// `None` where boxes are compared.
    pub runs: Option<Runs>,
    /// In square pixels; decides about small, medium and large.
    pub area: f64,
}

/// The shape of an object whose dataset has so many classes.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn of_object(
    object: &Object,
    image: &AnnotatedImage,
    geometry: Geometry,
    classes: usize,
) -> Result<Shape, String> {
    if object.class >= classes {
        return Err(format!("class index {}, but there are {classes} classes", object.class));
    }
    let mut numbers = object.bounds.iter().chain([&object.area]);
    if let Some(value) = numbers.find(|value| value.is_nan() || value.abs() > LARGEST) {
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

/// The shape of a detection, whose area is that of its box or of its mask.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn of_detection(one: &Detection, image: &AnnotatedImage, geometry: Geometry) -> Result<Shape, String> {
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
