//! Help texts and the main messages as snapshots, `tests/snapshots/*.txt`: a change of wording is a change of those files.
//!
//! `MOCHI_BLESS=1 cargo test -p mochi --test it help::` writes them again.

use std::path::Path;

use crate::common::{images, mochi, said};

/// Compares `text` with the snapshot `name`.
fn assert_snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(format!("{name}.txt"));
    if std::env::var_os("MOCHI_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == wanted, "{} differs (MOCHI_BLESS=1 writes it again):\n{text}", path.display());
}

#[test]
fn help_texts_are_the_snapshots() {
    for command in [
        "",
        "pretrain",
        "resume",
        "launch",
        "check",
        "augment",
        "eval",
        "eval knn",
        "eval linear",
        "eval few-shot",
        "eval fine-tune",
        "eval all",
        "eval coco",
        "ablate",
        "runs",
        "runs ls",
        "runs show",
        "runs diff",
        "runs best",
        "analyze",
        "detect",
        "detect train",
        "detect eval",
        "detect predict",
        "detect export",
        "detect trials",
        "pack",
        "report",
        "presets",
        "config",
        "doctor",
        "bench",
        "bench step",
        "bench loss",
        "bench data",
        "bench detect",
        "bench ranks",
    ] {
        let output =
            mochi(&command.split_whitespace().collect::<Vec<_>>()).arg("--help").env("COLUMNS", "100").output();
        let output = output.unwrap();
        let name = format!("help {command}").trim().replace(' ', "-");
        assert!(output.status.success(), "{}", said(&output));
        assert_snapshot(&name, &String::from_utf8(output.stdout).unwrap());
    }
}

#[test]
fn error_messages_are_the_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    images(&here.join("train"), 2, 2);
    images(&here.join("test"), 3, 1);
    images(&here.join("one"), 1, 2);
    std::fs::create_dir(here.join("empty")).unwrap();
    std::fs::write(here.join("file"), "text").unwrap();
    let mut all = String::new();
    for arguments in [
        "pretrain no/such/folder",
        "pretrain empty",
        "pretrain file",
        "resume empty",
        "report no/such/run",
        "config empty",
        "check train --out no/such/page.html",
        "check train --out -",
        "augment train --out views.gif",
        "eval knn no/such/run --train train --test test",
        "eval knn pixels --train train --test test",
        "eval knn pixels --train train --test train",
        "eval knn pixels --train one --test test",
        "eval knn pixels --train train --test train -k 0",
        "eval knn empty --train train --test test --size 8",
        "eval linear pixels --train train --test test --recipe in1k",
        "eval linear empty --train train --test test --recipe in22k",
    ] {
        let command = arguments.split_whitespace().collect::<Vec<_>>();
        let output = mochi(&command).current_dir(here).env("COLUMNS", "100").output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments}");
        all.push_str(&format!("$ mochi {arguments}\n{}\n", said(&output)));
    }
    assert_snapshot("errors", &all);
}
