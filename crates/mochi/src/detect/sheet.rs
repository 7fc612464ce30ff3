//! Images with the objects that were found and the true ones, for a page.

use std::collections::BTreeMap;

use mochi_annotations::{AnnotatedImage, Annotations, Mask};
use mochi_data::{Thumbnail, Thumbnailer};
use mochi_detection_metrics::{Analysis, Detection};
use mochi_report::{DrawnObject, Encoding, Image, ObjectImage};

/// Longest side of an image in pixels: twice its size on the page, for high-density screens.
const SIDE: u32 = 480;
/// Images of a section, at most.
pub const IMAGES: usize = 12;

/// The images by index, each with its detections from a score on; `truth`: with its true objects, dashed. Damaged images are left out.
pub fn images(
    data: &Annotations,
    detections: &[Detection],
    minimum: f32,
    truth: bool,
    indices: impl Iterator<Item = usize>,
) -> Vec<ObjectImage> {
    let mut maker = Thumbnailer::default();
    let drawn = indices.filter_map(|index| {
        let image = data.images.get(index)?;
        let Thumbnail { jpeg, width, height, .. } = maker.make_annotated(image, SIDE).ok()?;
        let found = detections.iter().filter(|one| one.image == index && one.score >= minimum);
        let found = found.map(|one| DrawnObject {
            bounds: one.bounds.map(f64::from),
            class: one.class,
            label: format!("{} {:.2}", data.classes[one.class], one.score),
            outline: one.mask.clone().map(|rle| Mask::Rle(rle).outline()).unwrap_or_default(),
            dashed: false,
        });
        let objects = if truth { true_objects(data, image) } else { Vec::new() };
        let name = image.name.clone();
        let image = Image { bytes: jpeg, encoding: Encoding::Jpeg, width, height, name };
        let size = (data.images[index].width, data.images[index].height);
        Some(ObjectImage { image, size, objects: objects.into_iter().chain(found).collect() })
    });
    drawn.collect()
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
