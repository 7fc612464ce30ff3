//! Security reviews S1, S9 and S14: every file name of a run as a link, a dangling link, a hard link, a pipe and a folder. Whatever is
//! called, nothing outside of the run changes, and nothing blocks.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use mochi_run::{BadImageLog, CurvesLog, EventWriter, MetricsLog, RunFolder};

use crate::{SETTINGS, run};

/// Every name of the run folder, and of what is in it.
const NAMES: [&str; 12] = [
    "config.toml",
    "metrics.jsonl",
    "curves.jsonl",
    "bad-images.jsonl",
    "run.lock",
    "report.html",
    "eval",
    "eval/knn.json",
    "checkpoints",
    "checkpoints/step-4",
    "checkpoints/step-4/model.safetensors",
    "failed",
];

/// What a run is used for, as the subcommands do it; errors are fine.
fn use_it(path: &Path) {
    if let Ok(run) = RunFolder::create(path) {
        let _ = run.write_config(SETTINGS);
    }
    if let Ok(run) = RunFolder::open(path) {
        let _ = run.read_config();
        let _ = MetricsLog::resume(&run.metrics_path(), 0);
        let _ = CurvesLog::create(&run.curves_path());
        let _ = BadImageLog::listed(&run.bad_images_path());
        let _ = BadImageLog::open(&run.bad_images_path()).append(&serde_json::json!({"index": 0}));
        let _ = EventWriter::create(run.path());
        for checkpoints in [run.checkpoints(), run.failed_steps()] {
            let _ = checkpoints.choose();
            let _ = checkpoints.at(4);
            if let Ok(pending) = checkpoints.begin(4) {
                let _ = pending.create("model.safetensors");
                let _ = pending.commit();
            }
            let _ = checkpoints.prune(1, 0);
            let _ = checkpoints.set_aside_after(0);
        }
    }
    if let Ok(run) = RunFolder::read(path) {
        let _ = run.write_result("knn", &1);
        let _ = run.read_results();
        let _ = MetricsLog::read(&run.metrics_path());
        let _ = run.write_page("page");
    }
}

/// Every file below a folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.insert(path.display().to_string(), Vec::new());
            all.extend(contents(&path));
        } else {
            all.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    all
}

#[test]
fn s1_nothing_outside_of_a_run_changes() {
    for name in NAMES {
        for kind in ["link to a file", "link to a folder", "dangling link", "hard link", "pipe", "folder"] {
            let base = tempfile::tempdir().unwrap();
            let (outside, path) = (base.path().join("outside"), base.path().join("run"));
            std::fs::create_dir_all(outside.join(".step-thesis.backup/deep")).unwrap();
            std::fs::create_dir_all(outside.join("step-8")).unwrap();
            std::fs::create_dir_all(outside.join(".step-8.tmp-1")).unwrap();
            std::fs::write(outside.join("precious"), "no line break, {\"step\":9}\nno line break").unwrap();
            drop(run(&path, &[4]));
            std::fs::create_dir_all(path.join("eval")).unwrap();
            let at = path.join(name);
            let _ = std::fs::remove_dir_all(&at);
            let _ = std::fs::remove_file(&at);
            match kind {
                "link to a file" => std::os::unix::fs::symlink(outside.join("precious"), &at).unwrap(),
                "link to a folder" => std::os::unix::fs::symlink(&outside, &at).unwrap(),
                "dangling link" => std::os::unix::fs::symlink(outside.join("made"), &at).unwrap(),
                "hard link" => std::fs::hard_link(outside.join("precious"), &at).unwrap(),
                "pipe" => assert!(Command::new("mkfifo").arg(&at).status().unwrap().success()),
                _ => std::fs::create_dir(&at).unwrap(),
            }
            let before = contents(&outside);
            use_it(&path);
            assert_eq!(contents(&outside), before, "{name} as a {kind}");
        }
    }
}

/// The links are refused with a next step, not only without effect.
#[test]
fn s1_a_link_is_told_with_its_path() {
    let base = tempfile::tempdir().unwrap();
    drop(run(base.path(), &[4]));
    let path = base.path().join("metrics.jsonl");
    std::os::unix::fs::symlink("config.toml", &path).unwrap();
    let error = MetricsLog::resume(&path, 0).unwrap_err();
    assert_eq!(error.to_string(), format!("{} is a symbolic link, which is not followed here", path.display()));
    assert!(error.hint().is_some());
}
