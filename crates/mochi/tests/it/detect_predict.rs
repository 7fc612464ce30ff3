//! `mochi detect predict`: what it writes, and what it leaves as it is.

use std::path::Path;
use std::process::Output;

use crate::common::{json, mochi, said, written};
use crate::detector::trained;

fn predict(run: &Path, images: &[&Path], out: &Path) -> Output {
    let mut command = mochi(&["detect", "predict", "--min-score", "0", "--json"]);
    command.arg(run).args(images).arg("--out").arg(out).output().unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(from, to).unwrap();
}

#[test]
fn predict_never_replaces_a_file_that_it_did_not_write() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    trained(place);
    let (run, photos, out) = (place.join("run"), place.join("photos"), place.join("out"));
    let image = |i: usize| place.join(format!("data/JPEGImages/{i}.png"));
    copy(&image(0), &photos.join("0.png"));
    copy(&image(1), &photos.join("1.png"));

    // The folder of the images.
    let before = written(&photos);
    let output = predict(&run, &[&photos], &photos);
    let text = said(&output);
    assert!(
        !output.status.success()
            && text.contains("is the folder of 0.png: pictures with boxes would be among the images"),
        "{text}"
    );
    assert!(text.contains("hint: give --out another folder") && !text.contains("finding objects"), "{text}");
    assert_eq!(written(&photos), before);
    // Report: pictures of other names were mixed with the images.
    let alone = predict(&run, &[&photos.join("1.png")], &photos);
    assert!(said(&alone).contains("is the folder of 1.png"), "{}", said(&alone));
    assert_eq!(written(&photos), before);
    // Another folder with a file of that name.
    copy(&image(5), &out.join("1.png"));
    let before = written(&out);
    let output = predict(&run, &[&photos], &out);
    let text = said(&output);
    assert!(!output.status.success() && text.contains("1.png exists and is not an earlier result"), "{text}");
    assert_eq!(written(&out), before);
    std::fs::remove_file(out.join("1.png")).unwrap();
    for own in ["predictions.json", "predictions.html"] {
        std::fs::write(out.join(own), "[{\"mine\": 1}]").unwrap();
        let output = predict(&run, &[&photos], &out);
        assert!(!output.status.success() && said(&output).contains(own), "{}", said(&output));
        std::fs::remove_file(out.join(own)).unwrap();
    }

    // Images of the same name have pictures of their own, which the list names.
    copy(&image(2), &photos.join("deep/0.png"));
    let both = [photos.join("0.png"), photos.join("deep/0.png")];
    let both: Vec<&Path> = both.iter().map(|path| path.as_path()).collect();
    let list = json(&predict(&run, &both, &out));
    assert_eq!((&list[0]["picture"], &list[1]["picture"]), (&"0.png".into(), &"0-2.png".into()));
    assert!(out.join("0.png").is_file() && out.join("0-2.png").is_file());
    // Earlier predictions are replaced; the pictures are no input for their own folder.
    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    assert_eq!(json(&predict(&run, &both, &out)), list);
    assert_eq!(std::fs::read_to_string(out.join("notes.txt")).unwrap(), "mine");
    copy(&image(0), &out.join("a.jpg"));
    let (again, more) = (place.join("again"), place.join("more"));
    let alone = json(&predict(&run, &[&out], &again));
    assert_eq!((&alone[0]["picture"], alone.as_array().unwrap().len()), (&"a.png".into(), 1), "a picture is no image");
    // No object at all: the best score is named.
    let mut command = mochi(&["detect", "predict", "--min-score", "1"]);
    let text = said(&command.arg(&run).arg(&photos).arg("--out").arg(&more).output().unwrap());
    assert!(text.contains("hint: the best score is 0."), "{text}");
    let pictures = out.join("0.png");
    let before = std::fs::read(&pictures).unwrap();
    assert!(!predict(&run, &[&pictures], &out).status.success());
    assert_eq!(std::fs::read(&pictures).unwrap(), before);
}

#[test]
fn a_file_that_is_no_image_does_not_stop_predict() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    trained(place);
    let (run, photos, out) = (place.join("run"), place.join("photos"), place.join("out"));
    for i in 0..3 {
        copy(&place.join(format!("data/JPEGImages/{i}.png")), &photos.join(format!("{i}.png")));
    }
    std::fs::write(photos.join("notes.png"), "no image").unwrap();
    // The header is good, the pixels are missing.
    let whole = std::fs::read(photos.join("1.png")).unwrap();
    std::fs::write(photos.join("1.png"), &whole[..60]).unwrap();
    let output = predict(&run, &[&photos], &out);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for wanted in ["notes.png", "1.png", "2 of 4 files could not be read", "hint: the warnings above name them"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 3);
    assert!(list[1]["picture"].is_null() && !out.join("1.png").exists());
    assert!(out.join("0.png").is_file() && out.join("2.png").is_file() && out.join("predictions.html").is_file());

    let output = predict(&run, &[&photos.join("absent.png")], &out);
    assert!(said(&output).contains("hint: check the path"), "{}", said(&output));
    for score in ["7", "NaN", "-0.1", "high"] {
        let mut command = mochi(&["detect", "predict", "--min-score"]);
        let output = command.arg(score).arg(&run).arg(&photos).arg("--out").arg(&out).output().unwrap();
        assert!(said(&output).contains("expected a number from 0 to 1"), "{score}: {}", said(&output));
    }
}
