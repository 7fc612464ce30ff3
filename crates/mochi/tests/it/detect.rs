//! `mochi detect` on a small drawn dataset in the format of PASCAL VOC.

use std::path::Path;

use crate::common::{json, mochi, said};
use crate::detector::{TINY, train, voc};

#[test]
fn a_detector_is_trained_evaluated_and_used() {
    let place = tempfile::tempdir().unwrap();
    let (data, run, out) = (place.path().join("data"), place.path().join("run"), place.path().join("out"));
    voc(&data);
    let mut command = mochi(&["detect", "train", "--no-comparison", "--json", "--data"]);
    let output = command.arg(&data).arg("--out").arg(&run).args(TINY).output().unwrap();
    assert_eq!(json(&output)["step"], 3);
    let text = said(&output);
    assert!(
        text.contains("6 images with 12 objects of 2 classes in split train (VOC); 3 images in split test"),
        "{text}"
    );
    assert!(text.contains("the backbone starts from random weights"), "{text}");
    assert!(
        text.contains("iteration 3/3 | ") && text.contains("3 iterations in ") && !text.contains("epoch"),
        "{text}"
    );
    assert!(text.contains("AP50 ") && text.contains("(percent, COCO's metric, after the last iteration)"), "{text}");

    let detections = place.path().join("detections.json");
    let mut eval = mochi(&["detect", "eval", "--json"]);
    let output = eval.arg(&run).arg("--data").arg(&data).arg("--detections").arg(&detections).output().unwrap();
    let result = json(&output);
    for key in ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"] {
        assert!(result.get(key).is_some(), "{key}: {result}");
    }
    assert_eq!((&result["split"], &result["images"], &result["step"]), (&"test".into(), &3.into(), &3.into()));
    assert!(result["voc"]["AP50"].is_number() && detections.is_file(), "{result}");
    let output = mochi(&["detect", "eval"]).arg(&run).arg("--data").arg(&data).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let voc = format!("VOC's metric, boxes (area): AP {:.2}", 100.0 * result["voc"]["AP"].as_f64().unwrap());
    assert!(printed.contains(&voc), "{printed}");
    let [low, high] = [0, 1].map(|limit| 100.0 * result["intervals"]["AP50"][limit].as_f64().unwrap());
    let ap50 = 100.0 * result["AP50"].as_f64().unwrap();
    assert!(printed.contains(&format!("AP50   {ap50:.2} [{low:.1}, {high:.1}]")), "{printed}");
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("Average precision on split test") && page.contains("Losses of the regions"));

    // Where it cannot be stored, that is said before the work, or the result is printed nevertheless.
    let kept = std::fs::read(run.join("detections.html")).unwrap();
    std::fs::remove_file(run.join("detections.html")).unwrap();
    std::fs::create_dir(run.join("detections.html")).unwrap();
    let refused = mochi(&["detect", "eval"]).arg(&run).arg("--data").arg(&data).output().unwrap();
    let text = said(&refused);
    assert!(refused.status.code() == Some(1) && refused.stdout.is_empty(), "{text}");
    assert!(text.contains("detections.html") && !text.contains("finding objects"), "{text}");
    std::fs::remove_dir(run.join("detections.html")).unwrap();
    std::fs::write(run.join("detections.html"), kept).unwrap();
    std::fs::remove_file(run.join("eval/detection.json")).unwrap();
    std::os::unix::fs::symlink("elsewhere", run.join("eval/detection.json")).unwrap();
    let failed = mochi(&["detect", "eval"]).arg(&run).arg("--data").arg(&data).output().unwrap();
    assert!(failed.status.code() == Some(1) && said(&failed).contains("detection.json"), "{}", said(&failed));
    assert!(String::from_utf8_lossy(&failed.stdout).contains(&voc));
    std::fs::remove_file(run.join("eval/detection.json")).unwrap();
    let again = mochi(&["detect", "eval"]).arg(&run).arg("--data").arg(&data).output().unwrap();
    assert!(again.status.success() && !said(&again).contains("training image"), "{}", said(&again));
    // Report: no warning said that the evaluation is on images that the detector has learned.
    let trained = mochi(&["detect", "eval", "--split", "train"]).arg(&run).arg("--data").arg(&data).output().unwrap();
    let all = "6 of 6 images are training images of the detector: average precision is too high";
    assert!(trained.status.success() && said(&trained).contains(all), "{}", said(&trained));

    let mut predict = mochi(&["detect", "predict", "--min-score", "0", "--json"]);
    let output = predict.arg(&run).arg(data.join("JPEGImages")).arg("--out").arg(&out).output().unwrap();
    assert_eq!(json(&output).as_array().unwrap().len(), 9);
    assert!(out.join("predictions.json").is_file() && out.join("0.png").is_file());

    // The queries over runs have detectors as well.
    let listed = json(&mochi(&["runs", "ls", "--json"]).arg(place.path()).output().unwrap());
    assert_eq!((&listed[0]["task"], &listed[0]["iterations"]), (&"detection".into(), &3.into()), "{listed}");
    assert_eq!(listed[0]["ap"], 100.0 * result["AP"].as_f64().unwrap());
    let printed = |words: &[&str], path: &Path| {
        let output = mochi(words).arg(path).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(printed(&["runs", "show"], &run).contains("regions.count                    = 16"));
    assert!(printed(&["runs", "best", "--by", "ap"], place.path()).trim_end().ends_with("run"));

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
    // Two of the three images are missing: the hint names an option of this command, which lets it go on.
    for image in [7, 8] {
        std::fs::rename(data.join(format!("JPEGImages/{image}.png")), place.path().join(format!("{image}.png")))
            .unwrap();
    }
    let eval = |more: &[&str]| {
        let mut command = mochi(&["detect", "eval", "--json"]);
        command.arg(&run).arg("--data").arg(&data).args(more).output().unwrap()
    };
    let refused = eval(&[]);
    let text = said(&refused);
    assert!(refused.status.code() == Some(1) && text.contains("raise --max-bad-fraction"), "{text}");
    assert!(said(&eval(&["--max-bad-fraction", "2"])).contains("invalid --max-bad-fraction: expected 0 to 1"));
    assert_eq!(json(&eval(&["--max-bad-fraction", "0.7"]))["images"], 1);
    for image in [7, 8] {
        std::fs::rename(place.path().join(format!("{image}.png")), data.join(format!("JPEGImages/{image}.png")))
            .unwrap();
    }
    let output = mochi(&["resume"]).arg(&run).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("AP ") && printed.contains("AP75 "), "{printed}");
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
        (&data, vec!["data.split=val"], "hint: name one of them with data.split=NAME"),
        (&data, vec!["evaluation.split=val"], "hint: name one of them with evaluation.split=NAME"),
        (&data, vec!["--format", "coco"], "is not a COCO dataset"),
        (&data, vec!["--masks"], "masks"),
        (
            &data,
            vec!["--init", weights],
            "weights.safetensors is not a usable weight file: it is text that begins with",
        ),
        (&data, vec!["--init", "no-such-run"], "no-such-run"),
        (&data, vec!["iteration=5"], "did you mean `iterations`?"),
        (&data, vec!["--preset", "voc-r50-c4-24"], "voc-r50-c4-24k"),
    ] {
        let mut command = mochi(&["detect", "train", "--data"]);
        let output = command.arg(folder).arg("--out").arg(&run).args(&words).output().unwrap();
        let text = said(&output);
        assert!(!output.status.success() && text.contains(wanted) && text.contains("hint:"), "{words:?}: {text}");
        assert!(!run.exists(), "{words:?}");
    }
}

#[test]
fn hints_of_a_detector_are_those_of_detection() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let (data, run) = (place.join("data"), place.join("run"));
    voc(&data);
    // A rate at which the losses overflow at once.
    let more =
        ["optimizer.learning_rate=1000", "optimizer.warmup_iterations=0", "optimizer.clip_norm=0", "iterations=20"];
    let text = said(&train(&data, &run, &more).output().unwrap());
    assert!(
        text.contains("raise optimizer.warmup_iterations") && text.contains("there is no checkpoint yet"),
        "{text}"
    );
    let text = said(&mochi(&["detect", "eval"]).arg(&run).arg("--data").arg(&data).output().unwrap());
    assert!(text.contains("has no checkpoint") && text.contains("hint: repeat the command that started it"), "{text}");
    let text = said(&mochi(&["detect", "eval"]).arg(&data).arg("--data").arg(&data).output().unwrap());
    assert!(text.contains("`mochi detect train --out`"), "{text}");

    // A class of the evaluation split that training does not know is named.
    let annotation = data.join("Annotations/7.xml");
    let red = std::fs::read_to_string(&annotation).unwrap();
    std::fs::write(&annotation, red.replace("red", "violet")).unwrap();
    let more = ["iterations=1"];
    let text = said(&train(&data, &place.join("other"), &more).output().unwrap());
    assert!(text.contains("object 1: class violet)"), "{text}");
    let output = mochi(&["check", "--format", "voc", "--split", "test"]).arg(&data).output().unwrap();
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("class violet") && table.contains("the class of the object is not in the list"), "{table}");
}

#[test]
fn an_empty_evaluation_split_and_a_plain_check_are_answered_with_the_next_step() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let (data, run) = (place.join("data"), place.join("run"));
    voc(&data);
    let output = mochi(&["check"]).arg(&data).output().unwrap();
    assert!(said(&output).contains("--format voc` checks them"), "{}", said(&output));
    std::fs::write(data.join("ImageSets/Main/test.txt"), "").unwrap();
    let text = said(&train(&data, &run, &[]).output().unwrap());
    assert!(text.contains("the split test of") && text.contains("has no object that can be used"), "{text}");
    assert!(text.contains("hint: a run is evaluated at its end: name a split that has objects"), "{text}");
    assert!(!run.exists(), "nothing was trained");
}

#[test]
fn missing_images_are_bad_images() {
    let place = tempfile::tempdir().unwrap();
    let (data, run) = (place.path().join("data"), place.path().join("run"));
    voc(&data);
    let without = |ids: &[u32]| {
        ids.iter().for_each(|id| std::fs::remove_file(data.join(format!("JPEGImages/{id}.png"))).unwrap())
    };
    without(&[1]);
    // A single one never ends a run, unless none may be bad.
    let text = said(&train(&data, &run, &["data.max_bad_fraction=0"]).output().unwrap());
    assert!(text.contains("Annotations/1.xml: no image named 1"), "{text}");
    assert!(text.contains("hint: repair or remove the bad files, or raise data.max_bad_fraction"), "{text}");
    without(&[7, 8]);
    let text = said(&train(&data, &run, &[]).output().unwrap());
    assert!(text.contains("Annotations/7.xml: no image named 7") && !run.exists(), "{text}");
    let output = train(&data, &run, &["data.max_bad_fraction=0.7", "iterations=1"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}
