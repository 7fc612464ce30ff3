//! Mask targets and resized masks against pycocotools, torchvision and Pillow.

use std::path::Path;

use mochi_annotations::{Mask, Rle};
use serde::Deserialize;
use serde::de::DeserializeOwned;

fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn bits(rows: &[String]) -> Vec<bool> {
    rows.iter().flat_map(|row| row.bytes().map(|byte| byte == b'#')).collect()
}

fn rle(rows: &[String]) -> Rle {
    Rle::from_rows(&bits(rows), rows.len() as u32, rows[0].len() as u32).unwrap()
}

#[derive(Deserialize)]
struct Masks {
    cases: Vec<Polygons>,
}

#[derive(Deserialize)]
struct Polygons {
    polygons: Vec<Vec<f64>>,
    r#box: [f32; 4],
    target_14: Vec<String>,
    target_28: Vec<String>,
}

#[test]
fn targets_of_polygons_are_detectron2s() {
    let masks: Masks = fixture("masks.json");
    assert_eq!(masks.cases.len(), 4);
    for (number, case) in masks.cases.into_iter().enumerate() {
        let mask = Mask::Polygons(case.polygons);
        assert_eq!(mask.rasterized(case.r#box, 14), bits(&case.target_14), "case {number}");
        assert_eq!(mask.rasterized(case.r#box, 28), bits(&case.target_28), "case {number}");
    }
}

#[derive(Deserialize)]
struct Crops {
    masks: Vec<Vec<String>>,
    crops: Vec<Crop>,
}

#[derive(Deserialize)]
struct Crop {
    mask: usize,
    r#box: [f32; 4],
    side: u16,
    target: Vec<String>,
}

#[test]
fn targets_of_run_lengths_are_detectron2s() {
    let fixture: Crops = fixture("crops.json");
    assert_eq!(fixture.crops.len(), 52);
    for case in fixture.crops {
        let mask = Mask::Rle(rle(&fixture.masks[case.mask]));
        assert_eq!(mask.rasterized(case.r#box, case.side), bits(&case.target), "mask {}, {:?}", case.mask, case.r#box);
    }
}
