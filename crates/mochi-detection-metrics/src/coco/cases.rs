//! The random datasets of `tests/fixtures/make_coco_cases.py`, line by line the same.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use hotcoco::detection::TideErrors;
use hotcoco::params::IouType;
use hotcoco::{COCO, COCOeval};
use mochi_annotations::{AnnotatedImage, Annotations, Mask, Object, Rle};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::from_annotations;
use crate::detection::{Detection, Geometry};
use crate::masks;
use crate::random_cases::Random;

type Box4 = [i64; 4];

fn runs(r: &mut Random, [x, y, w, h]: Box4, [height, width]: [i64; 2]) -> Vec<u32> {
    let (mut counts, mut foreground, mut run) = (Vec::new(), false, 0);
    for column in 0..width {
        let inside = x <= 4 * column && 4 * column < x + w;
        let (top, bottom) =
            if inside { (y.div_euclid(4) + r.below(3), (y + h).div_euclid(4) + r.below(3)) } else { (0, 0) };
        for row in 0..height {
            if (top <= row && row < bottom) != foreground {
                counts.push(run);
                (foreground, run) = (!foreground, 0);
            }
            run += 1;
        }
    }
    counts.push(run);
    counts
}

fn text(counts: Vec<u32>, [height, width]: [i64; 2]) -> Value {
    let rle = Rle { height: height as u32, width: width as u32, counts };
    json!({ "size": [height, width], "counts": masks::to_text(&rle) })
}

fn polygon(r: &mut Random, [x, y, w, h]: Box4) -> Vec<f64> {
    let corners = [(x, y), (x + w / 2, y - 2), (x + w, y), (x + w + 2, y + h / 2), (x + w, y + h), (x, y + h)];
    corners.into_iter().flat_map(|(x, y)| [x, y]).map(|value| (value + r.below(5) - 2) as f64 / 4.0).collect()
}

fn random_box(r: &mut Random, [height, width]: [i64; 2]) -> Box4 {
    let (w, h) = (4 + r.below(4 * width), 4 + r.below(4 * height));
    [r.below(4 * width), r.below(4 * height), w, h]
}

fn quarters(values: Box4) -> [f64; 4] {
    values.map(|value| value as f64 / 4.0)
}

/// The ground-truth file and the results file of a case.
pub(crate) fn case(seed: u64) -> [Value; 2] {
    let r = &mut Random::new(seed);
    let size = [40 + r.below(100), 40 + r.below(100)];
    let (first_image, image_step, backwards) = (r.below(3), 1 + r.below(4), r.one_in(2));
    let (first_class, class_step, classes) = (r.below(2), 1 + r.below(3), 1 + r.below(5));
    let used_classes = classes - i64::from(classes > 1 && r.one_in(2));
    let mut next_id = if r.one_in(4) { 0 } else { 1 + r.below(5) };
    let levels = [2, 8, 1024][r.below(3) as usize];
    let (no_objects, no_detections) = (r.one_in(16), r.one_in(16));
    let (many, repeated, strangers) = (r.one_in(12), r.one_in(16), r.one_in(8));
    let (mut images, mut objects, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for image in 0..1 + r.below(5) {
        let image_id = first_image + image * image_step;
        images.push(json!({ "id": image_id, "height": size[0], "width": size[1] }));
        let mut boxes = Vec::new();
        let number = if no_objects || r.one_in(5) { 0 } else { r.below(7) };
        for _ in 0..number {
            let (one, category) = (random_box(r, size), r.below(used_classes));
            boxes.push((one, category));
            let (crowd, area_kind, mask_kind) = (i32::from(r.one_in(7)), r.below(4), r.below(3));
            let areas = [(one[2] * one[3]) as f64 / 16.0, r.below(20000) as f64, 1024.0, 9216.0];
            let mask = if mask_kind == 0 {
                let mut polygons = vec![polygon(r, one)];
                if r.one_in(3) {
                    let other = random_box(r, size);
                    polygons.push(polygon(r, other));
                }
                json!(polygons)
            } else if mask_kind == 1 {
                json!({ "size": size, "counts": runs(r, one, size) })
            } else {
                text(runs(r, one, size), size)
            };
            objects.push(json!({
                "id": next_id, "image_id": image_id, "category_id": first_class + category * class_step,
                "bbox": quarters(one), "area": areas[area_kind as usize], "iscrowd": crowd, "segmentation": mask,
            }));
            next_id += 1;
        }
        let mut wanted = Vec::new();
        for &(one, category) in &boxes {
            for _ in 0..r.below(4) {
                let [x, y, w, h] = one.map(|value| value + r.below(33) - 16);
                let class = if r.one_in(4) { r.below(classes) } else { category };
                wanted.push(([x, y, w.max(1), h.max(1)], class));
            }
        }
        let more = if many && image == 0 { 130 } else { r.below(4) };
        wanted.extend((0..more).map(|_| (random_box(r, size), r.below(classes))));
        if no_detections {
            wanted.clear();
        }
        for (one, category) in wanted {
            let category = if many && image == 0 { 0 } else { category };
            let score = (1 + r.below(levels)) as f64 / levels as f64;
            found.push(json!({
                "image_id": image_id, "category_id": first_class + category * class_step,
                "bbox": quarters(one), "score": score, "segmentation": text(runs(r, one, size), size),
            }));
        }
    }
    if repeated && objects.len() > 1 {
        let at = r.below(objects.len() as i64) as usize;
        objects[at]["id"] = objects[objects.len() - 1]["id"].clone();
    }
    if strangers {
        for one in &mut objects {
            if r.one_in(6) {
                one[if r.one_in(2) { "image_id" } else { "category_id" }] = json!(977);
            }
        }
        for one in &mut found {
            if r.one_in(6) {
                one["category_id"] = json!(977);
            }
        }
    }
    if backwards {
        images.reverse();
        objects.reverse();
    }
    let categories: Vec<Value> = (0..classes).map(|i| json!({ "id": first_class + i * class_step })).collect();
    [json!({ "images": images, "categories": categories, "annotations": objects }), json!(found)]
}

/// The same case in the types of this crate; `None` if it has objects of unknown images or classes, or repeated ids.
pub(crate) fn in_memory([truth, found]: &[Value; 2]) -> Option<(Annotations, Vec<Detection>)> {
    let list = |value: &Value, key: &str| value[key].as_array().unwrap().clone();
    let id = |value: &Value, key: &str| value[key].as_u64().unwrap();
    let numbers = |value: &Value| -> [f64; 4] { serde_json::from_value(value["bbox"].clone()).unwrap() };
    let mut category_ids: Vec<u64> = list(truth, "categories").iter().map(|one| id(one, "id")).collect();
    category_ids.sort_unstable();
    let class = |value: &Value| category_ids.iter().position(|&one| one == id(value, "category_id"));
    let mut images: Vec<AnnotatedImage> = Vec::new();
    for one in list(truth, "images") {
        let (width, height) = (id(&one, "width") as u32, id(&one, "height") as u32);
        let path = PathBuf::new();
        images.push(AnnotatedImage {
            id: id(&one, "id"),
            name: one["id"].to_string(),
            file: path.into(),
            width,
            height,
            exif_orientation: true,
            objects: vec![],
        });
    }
    let size = [images[0].height, images[0].width];
    let rle = |value: &Value| {
        let runs = masks_from(value, size);
        Rle { height: runs.h, width: runs.w, counts: runs.counts }
    };
    let mut ids = HashSet::new();
    for one in list(truth, "annotations") {
        let image = images.iter().position(|image| image.id == id(&one, "image_id"))?;
        let mask = &one["segmentation"];
        let [x, y, w, h] = numbers(&one);
        images[image].objects.push(Object {
            id: ids.insert(id(&one, "id")).then_some(id(&one, "id"))?,
            class: class(&one)?,
            bounds: [x, y, x + w, y + h],
            mask: Some(match mask.is_array() {
                true => Mask::Polygons(serde_json::from_value(mask.clone()).unwrap()),
                false => Mask::Rle(rle(mask)),
            }),
            area: one["area"].as_f64().unwrap(),
            crowd: one["iscrowd"] == 1,
            difficult: false,
        });
    }
    let mut detections = Vec::new();
    for one in found.as_array().unwrap() {
        let [x, y, w, h] = numbers(one).map(|value| value as f32);
        detections.push(Detection {
            image: images.iter().position(|image| image.id == id(one, "image_id"))?,
            class: class(one)?,
            bounds: [x, y, x + w, y + h],
            score: one["score"].as_f64().unwrap() as f32,
            mask: Some(rle(&one["segmentation"])),
        });
    }
    let classes = category_ids.iter().map(u64::to_string).collect();
    Some((Annotations { classes, category_ids, images }, detections))
}

fn masks_from(value: &Value, size: [u32; 2]) -> hotcoco::types::Rle {
    masks::from_json(&RawValue::from_string(value.to_string()).unwrap(), size).unwrap()
}

/// `hotcoco`'s own analysis of errors.
pub(crate) fn tide(annotations: &Annotations, detections: &[Detection], geometry: Geometry) -> TideErrors {
    let problem = from_annotations::problem(annotations, detections, geometry).unwrap();
    let [truth, found] = problem.datasets().map(|dataset| Arc::new(COCO::from_dataset(dataset)));
    let kind = if geometry == Geometry::Box { IouType::Bbox } else { IouType::Segm };
    let mut evaluation = COCOeval::new(truth, found, kind);
    evaluation.evaluate().unwrap();
    evaluation.tide_errors(0.5, 0.1).unwrap()
}
