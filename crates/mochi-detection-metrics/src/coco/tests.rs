use std::path::Path;

use safetensors::SafeTensors;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::arrays::Arrays;
use super::cases::{case, in_memory};
use super::*;
use crate::random_cases::Random;

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

/// Bytes of valid files are replaced, removed, doubled and exchanged by numbers that are difficult.
#[test]
fn damaged_files_are_errors_or_numbers() {
    const WEIRD: [&str; 12] = [
        "NaN",
        "-1",
        "1e999",
        "1e308",
        "18446744073709551615",
        "null",
        "[]",
        "{}",
        "\"\"",
        "0.5",
        "[[1e9,1,2,3,4,5]]",
        ",",
    ];
    let r = &mut Random::new(5);
    let (mut errors, mut numbers) = (0, 0);
    for seed in 0..600 {
        let files = case(seed % 240).map(|file| {
            let mut bytes = file.to_string().into_bytes();
            for _ in 0..r.below(3) {
                let at = r.below(bytes.len() as i64) as usize;
                match r.below(4) {
                    0 => bytes[at] = r.below(256) as u8,
                    1 => bytes.truncate(at),
                    2 => drop(bytes.splice(at..at, WEIRD[r.below(12) as usize].bytes())),
                    // A whole number or word is replaced.
                    _ => {
                        let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
                        let end = at + bytes[at..].iter().take_while(|&byte| word(byte)).count();
                        let start = at - bytes[..at].iter().rev().take_while(|&byte| word(byte)).count();
                        drop(bytes.splice(start..end, WEIRD[r.below(12) as usize].bytes()));
                    }
                }
                if bytes.is_empty() {
                    break;
                }
            }
            bytes
        });
        for geometry in KINDS {
            let posed = from_files::problem((Path::new("g"), &files[0]), (Path::new("r"), &files[1]), geometry);
            match posed.and_then(|(problem, names, notes)| Ok(CocoResult::of(&engine::arrays(problem)?, names, notes)))
            {
                Ok(result) => {
                    let valid = |value: Option<f64>| value.is_none_or(|value| (0.0..=1.0).contains(&value));
                    assert!(result.numbers.named().into_iter().all(|(_, value)| valid(value)), "case {seed}");
                    numbers += 1;
                }
                Err(error) => {
                    assert!(matches!(error, MetricsError::Form { .. }), "case {seed}: {error}");
                    errors += 1;
                }
            }
        }
    }
    assert!(errors > 300 && numbers > 150, "{errors} errors, {numbers} results");
}
