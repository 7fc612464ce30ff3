//! Images with the objects that were found and the true ones, for a page.

use std::collections::BTreeMap;

use mochi_annotations::{AnnotatedImage, Annotations, Mask};
use mochi_data::{DataError, Thumbnail, Thumbnailer};
use mochi_detection_metrics::{Analysis, Detection};
use mochi_report::{DrawnObject, Encoding, Image, ObjectImage};
use mochi_term::StopFlag;

use crate::failure::Outcome;

/// Longest side of an image in pixels: twice its size on the page, for high-density screens.
const SIDE: u32 = 480;
/// Images of a section, at most.
pub const IMAGES: usize = 12;

/// The images by index, each with its detections from a score on; `truth`: with its true objects, dashed. Damaged images are left out.
///
/// # Errors
/// A request to stop.
pub fn images(
    data: &Annotations,
    detections: &[Detection],
    (minimum, truth): (f32, bool),
    indices: impl Iterator<Item = usize>,
    stop: &StopFlag,
) -> Outcome<Vec<ObjectImage>> {
    let mut maker = Thumbnailer::default();
    let mut drawn = Vec::new();
    for index in indices {
        if stop.requested() {
            return Err(DataError::Canceled.into());
        }
        let Some(image) = data.images.get(index) else { continue };
        let Ok(Thumbnail { jpeg, width, height, .. }) = maker.make_annotated(image, SIDE) else { continue };
        let step = f64::from(image.width.max(image.height)) / f64::from(2 * SIDE);
        let found = detections.iter().filter(|one| one.image == index && one.score >= minimum);
        let found = found.map(|one| DrawnObject {
            bounds: one.bounds.map(f64::from),
            class: one.class,
            label: format!("{} {:.2}", data.classes[one.class], one.score),
            outline: one.mask.clone().map(|rle| coarse(&Mask::Rle(rle).outline(), step)).unwrap_or_default(),
            dashed: false,
        });
        let objects = if truth { true_objects(data, image) } else { Vec::new() };
        let objects = objects.into_iter().chain(found).collect();
        let size = (image.width, image.height);
        let image = Image { bytes: jpeg, encoding: Encoding::Jpeg, width, height, name: image.name.clone() };
        drawn.push(ObjectImage { image, size, objects });
    }
    Ok(drawn)
}

/// Outlines with corners at multiples of `step` pixels only, if it is above 1: finer ones cannot be seen in a reduced image, but make a page of megabytes.
fn coarse(outlines: &[Vec<f64>], step: f64) -> Vec<Vec<f64>> {
    if step <= 1.0 {
        return outlines.to_vec();
    }
    let snapped = outlines.iter().map(|outline| {
        let mut points: Vec<[f64; 2]> = Vec::new();
        for point in outline.chunks_exact(2) {
            let next = [(point[0] / step).round() * step, (point[1] / step).round() * step];
            match points[..] {
                [.., last] if last == next => {}
                // The corner before lies on a line of the grid from the one before it to this one.
                [.., a, b] if (a[0] == b[0] && b[0] == next[0]) || (a[1] == b[1] && b[1] == next[1]) => {
                    points.pop();
                    points.push(next);
                }
                _ => points.push(next),
            }
        }
        points
    });
    snapped.filter(|points| points.len() > 2).map(|points| points.into_flattened()).collect()
}

fn true_objects(data: &Annotations, image: &AnnotatedImage) -> Vec<DrawnObject> {
    let drawn = |object: &mochi_annotations::Object| DrawnObject {
        bounds: object.bounds,
        class: object.class,
        label: format!("{} (truth)", data.classes[object.class]),
        outline: Vec::new(),
        dashed: true,
    };
    image.objects.iter().map(drawn).collect()
}

/// The images with the most of the listed mistakes, most first.
pub fn worst(analysis: &Analysis, detections: &[Detection]) -> Vec<usize> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    let wrong = analysis.false_positives.iter().map(|one| detections[one.detection].image);
    for image in wrong.chain(analysis.missed.iter().map(|one| one.image)) {
        *counts.entry(image).or_default() += 1;
    }
    let mut images: Vec<(usize, usize)> = counts.into_iter().collect();
    images.sort_by_key(|&(image, count)| (std::cmp::Reverse(count), image));
    images.into_iter().map(|(image, _)| image).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarse_outlines_keep_their_shape() {
        let square = vec![10.0, 10.0, 30.0, 10.0, 30.0, 11.0, 31.0, 11.0, 31.0, 30.0, 10.0, 30.0, 10.0, 20.0];
        assert_eq!(coarse(std::slice::from_ref(&square), 1.0), std::slice::from_ref(&square));
        let dot = vec![0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0];
        assert_eq!(coarse(&[square, dot], 10.0), [[10.0, 10.0, 30.0, 10.0, 30.0, 30.0, 10.0, 30.0, 10.0, 20.0]]);
    }
}
