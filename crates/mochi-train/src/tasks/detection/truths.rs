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

#[cfg(test)]
mod tests {
    use mochi_annotations::{AnnotatedImage, Mask, Object, Placement};

    use super::*;

    fn object(class: usize, bounds: [f64; 4], crowd: bool, mask: bool) -> Object {
        let mask = mask.then(|| Mask::Polygons(vec![vec![0.0, 0.0, 4.0, 0.0, 4.0, 4.0]]));
        Object { id: 1, class, bounds, mask, area: 1.0, crowd, difficult: true }
    }

    #[test]
    fn boxes_are_placed_and_clipped_and_crowds_left_out() {
        let objects = vec![
            object(0, [10.0, 5.0, 30.0, 45.0], false, true),
            object(1, [0.0, 0.0, 50.0, 50.0], true, true),
            object(2, [90.0, -5.0, 120.0, 20.0], false, false),
            object(1, [110.0, 0.0, 120.0, 20.0], false, true),
        ];
        let image = AnnotatedImage {
            id: 1,
            name: String::new(),
            file: std::path::PathBuf::new().into(),
            width: 100,
            height: 50,
            exif_orientation: true,
            objects,
        };
        let data = Annotations { classes: Vec::new(), category_ids: Vec::new(), images: vec![image] };
        let placement = Placement::resize((100, 50), (200, 100), true);
        let loaded = LoadedImage { index: 0, height: 100, width: 200, placement };
        let boxes = truth(&data, &loaded, false);
        assert_eq!(boxes.bounds, [[140.0, 10.0, 180.0, 90.0], [0.0, 0.0, 20.0, 40.0]]);
        assert_eq!((boxes.classes, boxes.masks.len()), (vec![0, 2], 0));
        let masks = truth(&data, &loaded, true);
        assert_eq!((masks.bounds.len(), masks.classes, masks.masks.len()), (1, vec![0], 1));
        assert_eq!(masks.masks[0].placement, placement);
        assert_eq!(truth(&data, &LoadedImage { index: 7, ..loaded }, true), Truth::default());
    }
}
