use std::collections::HashSet;
use std::path::{Path, PathBuf};

use mochi_annotations::{AnnotatedImage, Mask, Object, Rle};
use safetensors::SafeTensors;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::arrays::Arrays;
use super::cases::case;
use super::*;

const KINDS: [Geometry; 2] = [Geometry::Box, Geometry::Mask];

/// What pycocotools says, per case and kind: twelve numbers and the digest of the arrays.
fn expected() -> Vec<[(Vec<f64>, u64); 2]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/coco_cases.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let words = |name: &str| -> Vec<[u8; 8]> { file.tensor(name).unwrap().data().as_chunks::<8>().0.to_vec() };
    let numbers: Vec<f64> = words("numbers").into_iter().map(f64::from_le_bytes).collect();
    let digests: Vec<u64> = words("digests").into_iter().map(u64::from_le_bytes).collect();
    let one = |i: usize| (numbers[12 * i..12 * (i + 1)].to_vec(), digests[i]);
    (0..digests.len() / 2).map(|seed| [one(2 * seed), one(2 * seed + 1)]).collect()
}

fn digest(arrays: &Arrays) -> u64 {
    let mut digest = Sha256::new();
    for value in [&arrays.precision, &arrays.recall, &arrays.scores].into_iter().flatten() {
        digest.update(value.to_le_bytes());
    }
    u64::from_le_bytes(digest.finalize()[..8].try_into().unwrap())
}

fn pycocotools(numbers: &CocoNumbers) -> Vec<f64> {
    numbers.named().map(|(_, value)| value.unwrap_or(-1.0)).to_vec()
}

fn posed(
    truth: &Value,
    found: &Value,
    geometry: Geometry,
) -> Result<(problem::Problem, Vec<String>, Vec<String>), MetricsError> {
    let (truth, found) = (truth.to_string(), found.to_string());
    from_files::problem((Path::new("g.json"), truth.as_bytes()), (Path::new("r.json"), found.as_bytes()), geometry)
}

#[test]
fn arrays_and_numbers_of_files_are_pycocotools() {
    let expected = expected();
    assert!(expected.len() >= 200);
    for (seed, kinds) in expected.iter().enumerate() {
        let [truth, found] = case(seed as u64);
        for (geometry, (numbers, wanted)) in KINDS.into_iter().zip(kinds) {
            let (problem, names, notes) = posed(&truth, &found, geometry).unwrap();
            let arrays = engine::arrays(problem).unwrap();
            assert_eq!(digest(&arrays), *wanted, "arrays of case {seed}, {geometry:?}");
            let result = CocoResult::of(&arrays, names, notes);
            assert_eq!(pycocotools(&result.numbers), *numbers, "case {seed}, {geometry:?}");
        }
    }
}

/// The same case in the types of this crate; `None` if it has objects of unknown images or classes, or repeated ids.
fn in_memory([truth, found]: &[Value; 2]) -> Option<(Annotations, Vec<Detection>)> {
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
            path,
            width,
            height,
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
    crate::masks::from_json(&RawValue::from_string(value.to_string()).unwrap(), size).unwrap()
}

#[test]
fn numbers_in_memory_are_those_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let [truth_path, results_path] = ["g.json", "r.json"].map(|name| folder.path().join(name));
    let mut compared = 0;
    for (seed, kinds) in expected().iter().enumerate() {
        let files = case(seed as u64);
        let Some((annotations, detections)) = in_memory(&files) else { continue };
        compared += 1;
        for (geometry, (numbers, _)) in KINDS.into_iter().zip(kinds) {
            let result = evaluate_coco(&annotations, &detections, geometry).unwrap();
            assert_eq!(pycocotools(&result.numbers), *numbers, "case {seed}, {geometry:?}");
        }
        if seed % 10 == 0 {
            std::fs::write(&truth_path, files[0].to_string()).unwrap();
            crate::write_results(&results_path, &annotations, &detections).unwrap();
            for (geometry, (numbers, _)) in KINDS.into_iter().zip(kinds) {
                let result = evaluate_coco_files(&truth_path, &results_path, geometry).unwrap();
                assert_eq!(pycocotools(&result.numbers), *numbers, "case {seed}, {geometry:?}");
            }
        }
    }
    assert!(compared > 150, "{compared}");
}

#[test]
fn classes_and_curves_agree_with_the_numbers() {
    for seed in 0..40 {
        let [truth, found] = case(seed);
        let (problem, names, notes) = posed(&truth, &found, Geometry::Box).unwrap();
        let result = CocoResult::of(&engine::arrays(problem).unwrap(), names, notes);
        let mean = |value: fn(&CocoClass) -> Option<f64>| {
            let values: Vec<f64> = result.classes.iter().filter_map(value).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-12,
            (a, b) => a == b,
        };
        assert!(same(mean(|class| class.ap), result.numbers.ap));
        assert!(same(mean(|class| class.ap50), result.numbers.ap50));
        let area = |curve: &Curve| curve.precision.iter().sum::<f64>() / 101.0;
        assert!(same(mean(|class| class.ap75), result.curves.as_ref().map(|curves| area(&curves.iou75))));
        assert!(same(result.numbers.ap50, result.curves.as_ref().map(|curves| area(&curves.iou50))));
        for class in &result.classes {
            assert!(same(class.ap50, class.curves.as_ref().map(|curves| area(&curves.iou50))));
        }
    }
}
