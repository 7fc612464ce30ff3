//! The random datasets of `tests/fixtures/make_coco_cases.py`, line by line the same.

use serde_json::{Value, json};

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
    let rle = mochi_annotations::Rle { height: height as u32, width: width as u32, counts };
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
pub(super) fn case(seed: u64) -> [Value; 2] {
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
