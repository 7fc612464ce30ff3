//! Ground truth of the images of a batch (detectron2 `data/dataset_mapper.py`, `data/detection_utils.py`): placed as the image is, clipped to it; crowds and
//! boxes that become empty are left out.

use mochi_annotations::Annotations;
use mochi_data::objects::{LoadedImage, ObjectGroup};
use mochi_detection::boxes::ImageSize;
use mochi_detection::{ImageGroup, PlacedMask, Truth};
use mochi_tensor::{TensorError, dim, from_f32};

/// Boxes with a side of at most this many pixels are left out.
const LEAST_SIDE: f32 = 1e-5;

/// The ground truth of an image as it was loaded.
pub(super) fn truth(data: &Annotations, image: &LoadedImage, masks: bool) -> Truth {
    let mut truth = Truth::default();
    let Some(annotated) = data.images.get(image.index as usize) else { return truth };
    let (width, height) = (f64::from(image.width), f64::from(image.height));
    for object in annotated.objects.iter().filter(|object| !object.crowd) {
        let [x0, y0, x1, y1] = image.placement.bounds(object.bounds);
        let bounds = [x0.clamp(0.0, width), y0.clamp(0.0, height), x1.clamp(0.0, width), y1.clamp(0.0, height)];
        let bounds = bounds.map(|side| side as f32);
        if bounds[2] - bounds[0] <= LEAST_SIDE || bounds[3] - bounds[1] <= LEAST_SIDE {
            continue;
        }
        let mask = object.mask.as_ref().map(|mask| PlacedMask { mask: mask.clone(), placement: image.placement });
        match mask {
            Some(mask) if masks => truth.masks.push(mask),
            // A detector with masks learns from objects that have one.
            None if masks => continue,
            _ => {}
        }
        truth.bounds.push(bounds);
        truth.classes.push(object.class);
    }
    truth
}

/// The group's pixels as a tensor, with the sizes of its images.
///
/// # Errors
/// libtorch's error, e.g. when memory is short.
pub(super) fn images(group: &ObjectGroup) -> Result<ImageGroup, TensorError> {
    let shape = [dim(group.images.len()), 3, i64::from(group.height), i64::from(group.width)];
    let sizes = group.images.iter().map(|image| ImageSize { height: image.height, width: image.width });
    Ok(ImageGroup { pixels: from_f32(&group.pixels, &shape)?, sizes: sizes.collect() })
}
