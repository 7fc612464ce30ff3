//! `mochi pretrain --time`: the time is kept, also over a stop, and what was chosen is said.

use crate::common::{images, json, launch, mochi, run, said, written};

/// A tiny network, so that a debug build measures its speed at once.
const SETTINGS: [&str; 6] = [
    "compute.threads=1",
    "model.arch=resnet20",
    "moco.batch=8",
    "data.size=24",
    "moco.queue=64",
    "compute.precision=float32",
];

#[test]
fn a_run_ends_in_time_and_says_what_it_chose() {
    let base = tempfile::tempdir().unwrap();
    let (data, out) = (base.path().join("data"), base.path().join("run"));
    images(&data, 2, 20);
    let place = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let words = ["pretrain", &place(&data), "--out", &place(&out), "--time", "10s", "--json"];
    let output = mochi(&[&words[..], &SETTINGS[..]].concat()).output().unwrap();
    let (summary, told) = (json(&output), said(&output));
    assert_eq!(summary["finished"], true);
    for line in ["this machine trains ", "10s of training: ", "3x the time (30s) would allow "] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let config = std::fs::read_to_string(out.join("config.toml")).unwrap();
    assert!(config.contains("\ntime = \"10s\"  # command line\n"), "{config}");
    assert!(config.contains("  # auto: 10s at "), "{config}");

    // The schedule went its whole course, however many steps there were.
    let metrics = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    // At the last step: what the last checkpoint takes depends on the disk.
    let elapsed = last["elapsed_s"].as_f64().unwrap();
    assert!((9.0..11.0).contains(&elapsed), "{elapsed} s of training: {told}");
    let peak = config.lines().find_map(|line| line.strip_prefix("learning_rate = ")).unwrap();
    let peak: f64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    assert!(last["learning_rate"].as_f64().unwrap() < 0.2 * peak, "{last}");

    // Nothing is left to do, and nothing is touched.
    let before = written(&out);
    let again = run(&["resume", &place(&out), "--json"]);
    assert_eq!(
        (json(&again)["finished"].as_bool(), json(&again)["step"].clone()),
        (Some(true), summary["step"].clone())
    );
    assert!(said(&again).contains("nothing to train"), "{}", said(&again));
    assert_eq!(written(&out), before);
}

#[test]
fn a_short_run_takes_the_shallow_backbone_with_filters_from_the_images() {
    let base = tempfile::tempdir().unwrap();
    let (data, out) = (base.path().join("data"), base.path().join("run"));
    images(&data, 2, 20);
    let place = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let words = ["pretrain", &place(&data), "--out", &place(&out), "epochs=1", "moco.batch=8", "data.size=24"];
    let told = said(&run(&words));
    assert!(told.contains("40 images (image folder), patch-resnet on cpu"), "{told}");
    assert!(told.contains("first convolution: filters learned by k-means from 51200 patches of 40 images"), "{told}");
    let config = std::fs::read_to_string(out.join("config.toml")).unwrap();
    assert!(config.contains("arch = \"patch-resnet\"  # auto: at most 500000 views"), "{config}");
    assert!(config.contains("first_filters = \"k-means\"  # auto: patch-resnet"), "{config}");
    assert!(config.contains("stem = \"cifar\"  # auto: patch-resnet, views of up to 28 px"), "{config}");
    assert!(said(&run(&["resume", &place(&out)])).contains("nothing to train"));

    // Found later: fine-tuning took the width of the last stage for that of the features, which are pooled to cells here.
    let test = base.path().join("test");
    images(&test, 2, 24);
    for number in 0..20 {
        (0..2)
            .for_each(|class| std::fs::remove_file(test.join(format!("class-{class}/deep/{number:03}.png"))).unwrap());
    }
    let labeled = ["--train", &place(&data), "--test", &place(&test), "--json"];
    let evaluate = |protocol: &[&str]| json(&run(&[&["eval"], protocol, &[&place(&out)], &labeled].concat()));
    for (protocol, more) in [
        ("knn", &[][..]),
        ("linear", &[]),
        ("few-shot", &["--ways", "2", "--shots", "2"]),
        ("fine-tune", &["--epochs", "1"]),
    ] {
        let found = evaluate(&[&[protocol], more].concat());
        assert_eq!((&found["features"], found["top1"].is_number()), (&2304.into(), true), "{protocol}: {found}");
    }
}

#[test]
fn slow_two_processes_measure_together_and_end_in_time() {
    let base = tempfile::tempdir().unwrap();
    let (data, out) = (base.path().join("data"), base.path().join("run"));
    images(&data, 2, 20);
    let mut command = mochi(&["pretrain", "--time", "12s", "--json"]);
    command.arg(&data).arg("--out").arg(&out).args(SETTINGS);
    let output = launch(2, &command).output().unwrap();
    let (summary, told) = (json(&output), said(&output));
    assert_eq!(summary["finished"], true);
    // Rank 0 alone says what all have measured.
    assert_eq!(told.matches("2 processes train ").count(), 1, "{told}");
    let metrics = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    let elapsed = last["elapsed_s"].as_f64().unwrap();
    assert!((11.0..13.5).contains(&elapsed), "{elapsed} s of training: {told}");
}

#[test]
fn both_lengths_at_once_are_refused_before_anything_is_read() {
    let output = mochi(&["pretrain", "no-such-folder", "--time", "soon"]).output().unwrap();
    assert!(
        said(&output).contains("invalid value for `time` (command line): expected \"auto\", \"none\" or a time"),
        "{}",
        said(&output)
    );
    let base = tempfile::tempdir().unwrap();
    images(base.path(), 1, 4);
    let output = mochi(&["pretrain", base.path().to_str().unwrap(), "--time", "1m", "epochs=3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("`time` and `epochs` are both given"), "{}", said(&output));
    assert!(!std::path::Path::new("runs").exists());
}
