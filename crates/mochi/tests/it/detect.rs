//! `mochi detect` on a small drawn dataset in the format of PASCAL VOC.

use std::path::Path;

use serde_json::Value;

use crate::common::{mochi, said};

/// Images of one red and one blue rectangle, with boxes; 6 to train on, 3 to evaluate on.
fn voc(folder: &Path) {
    for part in ["Annotations", "JPEGImages", "ImageSets/Main"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
    }
    let (width, height) = (64u32, 48u32);
    for i in 0..9u32 {
        let boxes = [("red", [4 + i, 5 + i, 24 + i, 25 + i]), ("blue", [34, 4 + 2 * i, 60, 20 + 2 * i])];
        let mut rgb = vec![120u8; (width * height * 3) as usize];
        let mut objects = String::new();
        for (name, [x0, y0, x1, y1]) in boxes {
            let color = if name == "red" { [220, 40, 40] } else { [40, 60, 220] };
            for (y, x) in (y0..y1.min(height)).flat_map(|y| (x0..x1).map(move |x| (y, x))) {
                let at = ((y * width + x) * 3) as usize;
                rgb[at..at + 3].copy_from_slice(&color);
            }
            objects += &format!(
                "<object><name>{name}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{x1}</xmax><ymax>{}</ymax></bndbox></object>",
                x0 + 1,
                y0 + 1,
                y1.min(height)
            );
        }
        let size = format!("<size><width>{width}</width><height>{height}</height><depth>3</depth></size>");
        let text = format!("<annotation>{size}{objects}</annotation>");
        std::fs::write(folder.join(format!("Annotations/{i}.xml")), text).unwrap();
        let file = std::fs::File::create(folder.join(format!("JPEGImages/{i}.png"))).unwrap();
        let mut encoder = png::Encoder::new(file, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(&rgb).unwrap();
    }
    let list = |ids: std::ops::Range<u32>| ids.map(|i| format!("{i}\n")).collect::<String>();
    std::fs::write(folder.join("ImageSets/Main/train.txt"), list(0..6)).unwrap();
    std::fs::write(folder.join("ImageSets/Main/test.txt"), list(6..9)).unwrap();
}

/// Settings of a detector that takes a second.
const TINY: [&str; 12] = [
    "iterations=3",
    "model.arch=resnet20",
    "model.stem=cifar",
    "model.anchor_sizes=[16, 32]",
    "data.batch=2",
    "data.short_sides=[48]",
    "data.test_short_side=48",
    "regions.count=16",
    "proposals.train_before_nms=100",
    "proposals.train_after_nms=20",
    "optimizer.warmup_iterations=1",
    "evaluation.precise_bn_iterations=1",
];

fn json(output: &std::process::Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_detector_is_trained_evaluated_and_used() {
    let place = tempfile::tempdir().unwrap();
    let (data, run, out) = (place.path().join("data"), place.path().join("run"), place.path().join("out"));
    voc(&data);
    let mut train = mochi(&["detect", "train", "--no-comparison", "--json", "--data"]);
    let output = train.arg(&data).arg("--out").arg(&run).args(TINY).output().unwrap();
    assert_eq!(json(&output)["step"], 3);
    let text = said(&output);
    assert!(
        text.contains("6 images with 12 objects of 2 classes in split train (VOC); 3 images in split test"),
        "{text}"
    );
    assert!(text.contains("the backbone starts from random weights"), "{text}");

    let detections = place.path().join("detections.json");
    let mut eval = mochi(&["detect", "eval", "--json"]);
    let output = eval.arg(&run).arg("--data").arg(&data).arg("--detections").arg(&detections).output().unwrap();
    let result = json(&output);
    for key in ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"] {
        assert!(result.get(key).is_some(), "{key}: {result}");
    }
    assert_eq!((&result["split"], &result["images"], &result["step"]), (&"test".into(), &3.into(), &3.into()));
    assert!(result["voc"]["AP50"].is_number() && detections.is_file(), "{result}");
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("Average precision on split test") && page.contains("Losses of the regions"));

    let mut predict = mochi(&["detect", "predict", "--min-score", "0", "--json"]);
    let output = predict.arg(&run).arg(data.join("JPEGImages")).arg("--out").arg(&out).output().unwrap();
    assert_eq!(json(&output).as_array().unwrap().len(), 9);
    assert!(out.join("predictions.json").is_file() && out.join("0.png").is_file());

    // What was exported can be started from.
    let weights = place.path().join("detector.safetensors");
    let mut export = mochi(&["detect", "export", "--json"]);
    let output = export.arg(&run).arg("--out").arg(&weights).output().unwrap();
    assert_eq!((&json(&output)["step"], &json(&output)["classes"]), (&3.into(), &serde_json::json!(["blue", "red"])));
    let again = mochi(&["detect", "export"]).arg(&run).arg("--out").arg(&weights).output().unwrap();
    let line = String::from_utf8(again.stdout).unwrap();
    assert!(line.ends_with("of step 3 with detectron2's names\n"), "{line}");
    let other = mochi(&["detect", "export"]).arg(&run).args(["--out", "detector.bin"]).output().unwrap();
    assert!(!other.status.success() && said(&other).contains("does not end in .safetensors"), "{}", said(&other));
    let mut train = mochi(&["detect", "train", "--no-comparison", "--json", "--data"]);
    let second = place.path().join("second");
    let output = train.arg(&data).arg("--init").arg(&weights).arg("--out").arg(&second).args(TINY).output().unwrap();
    let text = said(&output);
    assert!(output.status.success() && text.contains("95 of 95 tensors of the backbone are from"), "{text}");
    assert!(text.contains("detectron2's names of a C4 detector") && !text.contains("BGR"), "{text}");

    let output = mochi(&["resume"]).arg(&run).output().unwrap();
    assert!(said(&output).contains("nothing to train"), "{}", said(&output));
    let output = mochi(&["eval", "knn"]).arg(&run).arg("--train").arg(&data).arg("--test").arg(&data).output().unwrap();
    assert!(!output.status.success() && said(&output).contains("hint:"), "{}", said(&output));
}

#[test]
fn what_cannot_be_trained_is_said_with_the_next_step() {
    let place = tempfile::tempdir().unwrap();
    let (data, empty, run) = (place.path().join("data"), place.path().join("empty"), place.path().join("run"));
    voc(&data);
    std::fs::create_dir_all(&empty).unwrap();
    let weights = place.path().join("weights.safetensors");
    std::fs::write(&weights, b"no weights").unwrap();
    let weights = weights.to_str().unwrap();
    for (folder, words, wanted) in [
        (&empty, vec![], "is not a VOC, COCO or YOLO dataset"),
        (&data, vec!["data.split=val"], "has no split named val; it has test, train"),
        (&data, vec!["--format", "coco"], "is not a COCO dataset"),
        (&data, vec!["--masks"], "masks"),
        (&data, vec!["--init", weights], "weights.safetensors"),
        (&data, vec!["--init", "no-such-run"], "no-such-run"),
        (&data, vec!["iteration=5"], "did you mean `iterations`?"),
        (&data, vec!["--preset", "voc-r50-c4-24"], "voc-r50-c4-24k"),
    ] {
        let mut train = mochi(&["detect", "train", "--data"]);
        let output = train.arg(folder).arg("--out").arg(&run).args(&words).output().unwrap();
        let text = said(&output);
        assert!(!output.status.success() && text.contains(wanted) && text.contains("hint:"), "{words:?}: {text}");
        assert!(!run.join("checkpoints").exists(), "{words:?}");
    }
}
