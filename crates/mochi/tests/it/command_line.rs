//! Mistyped arguments, wrong paths, and the commands that only show something.

use crate::common::{images, json, pretrain, run, said};

/// Status 1, one sentence, a hint.
fn refused(words: &[&str]) -> String {
    let output = run(words);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{words:?}: {text}");
    assert!(text.contains("error: ") && text.contains("hint: "), "{words:?}: {text}");
    assert!(output.stdout.is_empty(), "{words:?} printed a result");
    text
}

#[test]
fn all_invalid_settings_are_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    images(folder.path(), 1, 4);
    let data = folder.path().to_str().unwrap();
    let text = refused(&["pretrain", data, "moco.queu=5", "epochs=many", "moco.temperature=-1", "optimizer.name=adam"]);
    for part in ["moco.queu", "moco.queue", "epochs", "moco.temperature", "optimizer.name", "sgd"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert!(refused(&["pretrain", data, "--preset", "moch-1024-1024-128"]).contains("mochi-1024-1024-128"));
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "epochs = 1\n[moko]\nqueue = 1\n").unwrap();
    assert!(refused(&["pretrain", data, "--config", file.to_str().unwrap()]).contains("moko"));
}

#[test]
fn wrong_paths_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert!(refused(&["pretrain", "no/such/place"]).contains("no/such/place"));
    refused(&["pretrain", empty.to_str().unwrap()]);
    refused(&["resume", "no/such/run"]);
    refused(&["config", empty.to_str().unwrap()]);
    refused(&["report", "no/such/run"]);
    refused(&["eval", "knn", "no/such/run", "--train", "a", "--test", "b"]);
    refused(&["bench", "data", "no/such/place"]);
}

#[test]
fn an_existing_run_is_refused_with_two_alternatives() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("run"));
    images(&data, 2, 8);
    assert!(pretrain(&data, &out, &["epochs=0"]).output().unwrap().status.success());
    let again = pretrain(&data, &out, &["epochs=0"]).output().unwrap();
    let text = said(&again);
    assert_eq!(again.status.code(), Some(1));
    assert!(text.contains("mochi resume") && text.contains("--out"), "{text}");
}

#[test]
fn resolved_settings_are_written_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("run"));
    images(&data, 2, 40);
    assert!(pretrain(&data, &out, &["epochs=0"]).output().unwrap().status.success());
    let text = std::fs::read_to_string(out.join("config.toml")).unwrap();
    assert!(!text.lines().any(|line| line.contains("= \"auto\"")), "{text}");
    let shown = json(&run(&["config", out.to_str().unwrap(), "--json"]));
    assert_eq!(shown["moco.batch"]["value"], 8);
    assert!(shown.as_object().unwrap().len() > 30);
    let said_of = |epochs: &str| {
        let out = folder.path().join(epochs);
        said(&pretrain(&data, &out, &[epochs, "moco.queue=512"]).output().unwrap())
    };
    let two = said_of("epochs=2");
    assert!(two.contains("warning: moco.queue"), "{two}");
    // In a single epoch no image comes a second time.
    let one = said_of("epochs=1");
    assert!(!one.contains("warning: moco.queue"), "{one}");
}

#[test]
fn presets_doctor_and_version_work() {
    let presets = json(&run(&["presets", "--json"]));
    let names: Vec<&str> = presets.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    for name in ["small", "demo", "moco-v1", "moco-v2", "mochi-1024-1024-128"] {
        assert!(names.contains(&name), "{name}");
    }
    let supcon = run(&["presets", "supcon"]);
    let text = String::from_utf8(supcon.stdout).unwrap();
    assert!(text.contains("# Source: HobbitLong/SupContrast") && text.contains("learning_rate = 0.714"), "{text}");
    assert!(refused(&["presets", "supconn"]).contains("did you mean \"supcon\"?"));
    assert!(refused(&["presets", "coco-r50-c4-9x"]).contains("did you mean \"coco-r50-c4-1x\"?"));
    let elsewhere = refused(&["presets", "supcon", "--task", "detection"]);
    assert!(elsewhere.contains("it is a preset of `mochi pretrain`"), "{elsewhere}");
    let of = |words: &[&str]| String::from_utf8(run(words).stdout).unwrap();
    assert!(of(&["presets", "voc-r50-c4-24k"]).contains("\niterations = 24000\n"));
    assert!(of(&["presets", "small"]).contains("extends = \"moco-v2\""));
    let mochi = of(&["presets", "mochi-1024-128-256"]);
    assert!(
        mochi.contains("\npairs = 128\n") && mochi.contains("\nqueue = 16384  # from mochi-1024-1024-128\n"),
        "{mochi}"
    );
    assert_eq!(
        json(&run(&["presets", "mochi-1024-128-256", "--json"]))["text"].as_str().unwrap().trim_end(),
        mochi.trim_end()
    );
    assert!(of(&["presets", "small", "--task", "detection"]).contains("extends = \"voc-r50-c4-24k\""));
    let detection = json(&run(&["presets", "--json", "--task", "detection"]));
    assert!(detection.as_array().unwrap().iter().all(|row| row["task"] == "detection"), "{detection}");
    let list = of(&["presets"]);
    assert!(list.starts_with("Presets of `mochi pretrain`:\n  small "), "{list}");
    assert!(list.contains("\n\nPresets of `mochi detect train`:\n  small "), "{list}");
    let doctor = run(&["doctor", "--json"]);
    let findings: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert!(findings.as_array().unwrap().iter().any(|finding| finding["name"] == "libtorch" && finding["ok"] == true));
    assert!(run(&["--version"]).status.success());
    assert_eq!(run(&["pretrian"]).status.code(), Some(2));
}

#[test]
fn missing_labels_are_reported_before_a_run_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let (data, flat, out) = (folder.path().join("data"), folder.path().join("flat"), folder.path().join("run"));
    images(&data, 2, 8);
    std::fs::create_dir(&flat).unwrap();
    for (number, file) in walk(&data).into_iter().enumerate() {
        std::fs::copy(&file, flat.join(format!("{number}.{}", file.extension().unwrap().display()))).unwrap();
    }
    let words =
        ["pretrain", flat.to_str().unwrap(), "--preset", "supcon", "--out", out.to_str().unwrap(), "moco.batch=4"];
    let text = refused(&words);
    assert!(text.contains("the dataset has no labels"), "{text}");
    assert!(!out.exists());
}

/// The files below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
