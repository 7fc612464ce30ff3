//! `mochi detect trials`: which earlier runs count.

use std::path::Path;
use std::process::Output;

use crate::common::{json, mochi, said, written};
use crate::detector::{TINY, voc};

fn trials(place: &Path, n: &str, more: &[&str]) -> Output {
    let mut command = mochi(&["detect", "trials", "--json", "--n", n, "--data"]);
    command.arg(place.join("data")).arg("--out").arg(place.join("runs")).args(TINY).args(more).output().unwrap()
}

#[test]
fn trials_do_not_report_runs_of_other_settings() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    voc(&place.join("data"));
    let first = json(&trials(place, "1", &[]));
    assert_eq!(first["ap"]["values"].as_array().unwrap().len(), 1, "{first}");
    let before = written(&place.join("runs"));
    for (more, wanted) in [
        (vec!["optimizer.learning_rate=0.5"], "optimizer.learning_rate = "),
        (vec!["iterations=4"], "iterations = 3 (now 4)"),
        (vec!["evaluation.split=train"], "evaluation.split = "),
    ] {
        let output = trials(place, "2", &more);
        let text = said(&output);
        assert!(!output.status.success() && text.contains("seed-0 is a run with other settings: "), "{text}");
        assert!(text.contains(wanted) && text.contains("hint: give --out another folder"), "{text}");
        assert!(output.stdout.is_empty() && written(&place.join("runs")) == before, "{text}");
    }
    // The same settings go on: the first run is not repeated, nor by other numbers of threads.
    let both = json(&trials(place, "2", &["data.threads=1"]));
    assert_eq!(both["ap"]["values"][0], first["ap"]["values"][0]);
    assert_eq!(both["ap"]["values"].as_array().unwrap().len(), 2);
    // Other data is not the data of the runs.
    std::fs::write(place.join("data/ImageSets/Main/train.txt"), "0\n1\n2\n3\n4\n").unwrap();
    let output = trials(place, "2", &[]);
    assert!(!output.status.success() && said(&output).contains("has 5 images now"), "{}", said(&output));
}
