//! `mochi eval coco` on small files.

use std::path::PathBuf;
use std::process::Output;

use crate::common::{json, run, said};

const TRUTH: &str = r#"{
  "images": [{"id": 5, "width": 64, "height": 48}],
  "categories": [{"id": 1, "name": "ant"}, {"id": 3, "name": "bee"}],
  "annotations": [
    {"id": 1, "image_id": 5, "category_id": 1, "bbox": [10, 10, 20, 20], "area": 400, "iscrowd": 0, "segmentation": [[10, 10, 30, 10, 30, 30, 10, 30]]},
    {"id": 2, "image_id": 5, "category_id": 1, "bbox": [40, 10, 10, 10], "area": 100, "iscrowd": 0, "segmentation": [[40, 10, 50, 10, 50, 20, 40, 20]]}
  ]
}"#;

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new(truth: &str, results: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("gt.json"), truth).unwrap();
        std::fs::write(folder.path().join("results.json"), results).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn eval(&self, more: &[&str]) -> Output {
        let files = ["gt.json", "results.json"].map(|name| self.path(name).display().to_string());
        run(&[&["eval", "coco", &files[0], &files[1]], more].concat())
    }
}

#[test]
fn the_twelve_numbers_are_printed() {
    let results = r#"[
      {"image_id": 5, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9},
      {"image_id": 5, "category_id": 7, "bbox": [10, 10, 20, 20], "score": 0.9}]"#;
    let files = Files::new(TRUTH, results);
    let output = files.eval(&["--type", "box", "--json"]);
    let numbers = json(&output);
    let names = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"];
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let places: Vec<usize> = names.iter().map(|name| text.find(&format!("\"{name}\":")).unwrap()).collect();
    assert!(places.is_sorted() && numbers.as_object().unwrap().len() == 12, "{text}");
    // One of two objects is found: precision 1 (less 1e-16, as in pycocotools) at the recalls 0.00 to 0.50.
    assert!((numbers["AP"].as_f64().unwrap() - 51.0 / 101.0).abs() < 1e-12);
    assert_eq!((&numbers["AR1"], &numbers["APm"]), (&0.5.into(), &(-1.0).into()));
    assert!(said(&output).contains("detections of classes that the annotation file lacks were left out: 1"));

    let output = files.eval(&["--type", "bbox"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("AP50    50.50  0.50       all      100\n"), "{text}");
    assert!(text.contains("APm         -  "), "{text}");
    assert!(text.ends_with("means over 1 class; 1 class has no objects\n"), "{text}");
}

#[test]
fn masks_are_read_and_errors_name_the_entry() {
    let results = r#"[
      {"image_id": 5, "category_id": 1, "score": 0.9, "segmentation": {"size": [48, 64], "counts": [490, 20, 2562]}},
      {"image_id": 5, "category_id": 1, "score": 0.5, "segmentation": {"size": [48, 64], "counts": [490, 20]}}]"#;
    let files = Files::new(TRUTH, results);
    let output = files.eval(&["--type", "mask"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("results.json, .[1]: run lengths cover 510 pixels, but the mask has 3072"));
    let fixed = results.replace("[490, 20]}", "[490, 20, 2562]}");
    assert_eq!(json(&Files::new(TRUTH, &fixed).eval(&["--type", "mask", "--json"]))["AP"], 0.0);

    let stranger = r#"[{"image_id": 6, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9}]"#;
    let output = Files::new(TRUTH, stranger).eval(&["--type", "box"]);
    assert!(
        said(&output).contains("results.json, .[0]: image_id 6 is not in the annotation file"),
        "{}",
        said(&output)
    );
    assert!(said(&output).contains("hint: "));
    assert_eq!(json(&Files::new(TRUTH, "[]").eval(&["--type", "box", "--json"]))["AP"], 0.0);
    let output = Files::new("[]", stranger).eval(&["--type", "box"]);
    assert!(said(&output).contains("gt.json: invalid type: sequence"), "{}", said(&output));
}
