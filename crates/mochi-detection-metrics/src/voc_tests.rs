use std::path::{Path, PathBuf};

use mochi_annotations::AnnotatedImage;
use serde_json::Value;

use super::*;
use crate::random_cases::Random;

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn image(objects: Vec<mochi_annotations::Object>) -> AnnotatedImage {
    AnnotatedImage {
        id: 1,
        name: String::new(),
        file: PathBuf::new().into(),
        width: 300,
        height: 300,
        exif_orientation: true,
        objects,
    }
}

/// An object with the box that VOC's XML has.
fn object(class: usize, xml: [f64; 4], difficult: bool) -> mochi_annotations::Object {
    let bounds = [xml[0] - 1.0, xml[1] - 1.0, xml[2], xml[3]];
    mochi_annotations::Object { id: 1, class, bounds, mask: None, area: 1.0, crowd: false, difficult }
}

fn annotations(classes: usize, images: Vec<AnnotatedImage>) -> Annotations {
    let names = (0..classes).map(|class| format!("c{class}")).collect();
    Annotations { classes: names, category_ids: (1..=classes as u64).collect(), images }
}

fn detection(image: usize, class: usize, bounds: [f64; 4], score: f64) -> Detection {
    Detection { image, class, bounds: bounds.map(|value| value as f32), score: score as f32, mask: None }
}

fn assert_close(found: Option<f64>, percent: Option<f64>, what: &str) {
    let same = match (found, percent) {
        (Some(found), Some(percent)) => (100.0 * found - percent).abs() < 1e-11,
        (found, percent) => found == percent,
    };
    assert!(same, "{what}: {found:?} and {percent:?} %");
}

/// `voc_ap.json` holds the inputs and answers of the group `voc_ap` of `detection_reference.py`.
#[test]
fn averages_are_those_of_the_reference() {
    let reference = fixture("voc_ap.json");
    let numbers = |value: &Value| -> Vec<f64> { serde_json::from_value(value.clone()).unwrap() };
    let bounds = |value: &Value| -> [f64; 4] { serde_json::from_value(value.clone()).unwrap() };
    let truth = reference["ground_truth"].as_object().unwrap();
    let images = (0..truth.len()).map(|i| {
        let objects = truth[&i.to_string()].as_array().unwrap();
        image(objects.iter().map(|one| object(0, bounds(&one[0]), one[1] == true)).collect())
    });
    let annotations = annotations(1, images.collect());
    let found: Vec<Detection> = reference["detections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| detection(one[0].as_u64().unwrap() as usize, 0, bounds(&one[2]), one[1].as_f64().unwrap()))
        .collect();
    for (rule, key) in [(VocRule::ElevenPoints, "ap_11point"), (VocRule::Area, "ap_area")] {
        let wanted = numbers(&reference[key]);
        let result = evaluate_voc(&annotations, &found, rule).unwrap();
        assert_close(result.ap50, Some(wanted[0]), key);
        assert_close(result.ap75, Some(wanted[5]), key);
        assert_close(result.ap, Some(wanted.iter().sum::<f64>() / 10.0), key);
        assert_eq!(result.classes[0].ap, result.ap);
        // Every threshold, not only those that have a name.
        let truth = Truth::of(&annotations, 0);
        let ranked = truth.overlaps(found.iter().map(Row::of).collect());
        for (percent, wanted) in THRESHOLDS.into_iter().zip(wanted) {
            assert_close(Some(truth.average_precision(&ranked, f64::from(percent) / 100.0, rule)), Some(wanted), key);
        }
    }
}

/// The case of `voc_cases.py`.
fn case(seed: u64) -> (Annotations, Vec<Detection>) {
    let r = &mut Random::new(seed);
    let (images, classes, levels) = (1 + r.below(5), 1 + r.below(4), [4, 64, 2048][r.below(3) as usize]);
    let mut found = Vec::new();
    let mut all = Vec::new();
    for i in 0..images as usize {
        let mut objects = Vec::new();
        for _ in 0..r.below(6) {
            let (x, y, w, h) = (1 + r.below(150), 1 + r.below(150), 5 + r.below(90), 5 + r.below(90));
            let (class, difficult) = (r.below(classes), r.one_in(4));
            objects.push(object(class as usize, [x, y, x + w, y + h].map(|value| value as f64), difficult));
            for _ in 0..r.below(4) {
                let bounds = [x - 1, y - 1, x + w, y + h].map(|value| (4 * value + r.below(41) - 20) as f64 / 4.0);
                let other = if r.one_in(5) { r.below(classes) } else { class };
                let score = (1 + r.below(levels)) as f64 / levels as f64;
                found.push(detection(i, other as usize, bounds, score));
            }
        }
        if r.one_in(2) {
            let class = r.below(classes) as usize;
            found.push(detection(i, class, [10.25, 20.75, 60.5, 90.0], (1 + r.below(levels)) as f64 / levels as f64));
        }
        all.push(image(objects));
    }
    (annotations(classes as usize, all), found)
}

#[test]
fn random_cases_are_detectron2s() {
    let expected: Vec<[Option<[f64; 3]>; 2]> = serde_json::from_value(fixture("voc_cases.json")).unwrap();
    assert_eq!(expected.len(), 100);
    for (seed, rules) in expected.into_iter().enumerate() {
        let (annotations, found) = case(seed as u64);
        for (rule, wanted) in [VocRule::ElevenPoints, VocRule::Area].into_iter().zip(rules) {
            let result = evaluate_voc(&annotations, &found, rule).unwrap();
            let name = format!("case {seed}, {rule:?}");
            assert_close(result.ap, wanted.map(|wanted| wanted[0]), &name);
            assert_close(result.ap50, wanted.map(|wanted| wanted[1]), &name);
            assert_close(result.ap75, wanted.map(|wanted| wanted[2]), &name);
        }
    }
}

#[test]
fn classes_without_objects_are_named() {
    let images = vec![image(vec![object(0, [1.0, 1.0, 10.0, 10.0], false), object(1, [1.0, 1.0, 9.0, 9.0], true)])];
    let annotations = annotations(3, images);
    let right = detection(0, 0, [0.0, 0.0, 10.0, 10.0], 0.5);
    let result = evaluate_voc(&annotations, std::slice::from_ref(&right), VocRule::Area).unwrap();
    assert_eq!((result.ap, result.ap50, result.classes[0].objects), (Some(1.0), Some(1.0), 1));
    assert_eq!(result.without_objects().collect::<Vec<_>>(), ["c1", "c2"]);
    // A second detection of the same object is false, one of a difficult object is not.
    let difficult = detection(0, 1, [0.0, 0.0, 9.0, 9.0], 0.9);
    let twice = [right.clone(), right.clone(), difficult];
    let result = evaluate_voc(&annotations, &twice, VocRule::ElevenPoints).unwrap();
    assert_eq!(result.ap50.map(|ap| (ap * 1e9).round()), Some(1e9));
    let none = evaluate_voc(&annotations, &[], VocRule::Area).unwrap();
    assert_eq!((none.ap, none.classes[1].ap), (Some(0.0), None));
    let empty = evaluate_voc(&Annotations::default(), &[], VocRule::Area).unwrap();
    assert_eq!((empty.ap, empty.ap50), (None, None));
    assert!(evaluate_voc(&annotations, &[Detection { image: 1, ..right }], VocRule::Area).is_err());
}
