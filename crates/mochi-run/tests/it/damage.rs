//! Field case F11: a damaged newest checkpoint ended every resume, and one changed bit was not seen.

use std::path::Path;

use mochi_run::RunError;

use crate::{run, save};

/// A part of the message, and what damages a checkpoint so that it appears.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 8] = [
    ("has 3 bytes, expected 7", |folder| std::fs::write(folder.join("model.safetensors"), "wei").unwrap()),
    ("checksum", |folder| std::fs::write(folder.join("model.safetensors"), "weighty").unwrap()),
    ("state.json has 0 bytes", |folder| std::fs::write(folder.join("state.json"), "").unwrap()),
    ("model.safetensors is missing", |folder| std::fs::remove_file(folder.join("model.safetensors")).unwrap()),
    ("manifest.json is missing", |folder| std::fs::remove_file(folder.join("manifest.json")).unwrap()),
    ("manifest.json: ", |folder| std::fs::write(folder.join("manifest.json"), "{").unwrap()),
    ("not a regular file", |folder| {
        std::fs::remove_file(folder.join("state.json")).unwrap();
        std::os::unix::fs::symlink("model.safetensors", folder.join("state.json")).unwrap();
    }),
    ("is that of step 4", |folder| {
        std::fs::copy(folder.with_file_name("step-4").join("manifest.json"), folder.join("manifest.json")).unwrap();
    }),
];

#[test]
fn f11_a_damaged_newest_checkpoint_is_reported_and_the_last_whole_one_is_used() {
    for (word, damage) in DAMAGES {
        let base = tempfile::tempdir().unwrap();
        let checkpoints = run(base.path(), &[2, 4, 6]).checkpoints();
        assert_eq!(checkpoints.choose().unwrap().unwrap().checkpoint.step, 6);
        damage(&checkpoints.path().join("step-6"));
        let chosen = checkpoints.choose().unwrap().unwrap();
        assert_eq!(chosen.checkpoint.step, 4, "{word}");
        let warnings = chosen.warnings();
        assert!(
            warnings.len() == 1
                && warnings[0].contains(word)
                && warnings[0].ends_with("step-4 is used instead, 2 steps are lost"),
            "{word}: {warnings:?}"
        );
        let error = checkpoints.at(6).unwrap_err();
        assert!(matches!(error, RunError::Damaged(_)) && error.hint().is_some(), "{error}");
        assert_eq!(checkpoints.latest().unwrap().unwrap().step, 4);
    }
}

#[test]
fn f11_without_a_whole_checkpoint_every_reason_is_told() {
    let base = tempfile::tempdir().unwrap();
    let checkpoints = run(base.path(), &[4, 6]).checkpoints();
    for step in ["step-4", "step-6"] {
        std::fs::remove_file(checkpoints.path().join(step).join("state.json")).unwrap();
    }
    let error = checkpoints.choose().unwrap_err();
    assert!(error.to_string().ends_with("step-6: state.json is missing; step-4: state.json is missing"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_checkpoint_can_be_chosen_by_its_step() {
    let base = tempfile::tempdir().unwrap();
    let checkpoints = run(base.path(), &[4, 6]).checkpoints();
    assert_eq!(checkpoints.at(4).unwrap().step, 4);
    let error = checkpoints.at(5).unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("choose one of the steps 4, 6"), "{error}");
}

/// A damaged checkpoint must not push a whole one out.
#[test]
fn pruning_does_not_count_checkpoints_without_a_manifest() {
    let base = tempfile::tempdir().unwrap();
    let checkpoints = run(base.path(), &[4, 6]).checkpoints();
    std::fs::remove_file(checkpoints.path().join("step-6/manifest.json")).unwrap();
    checkpoints.prune(1, 0).unwrap();
    assert_eq!(checkpoints.latest().unwrap().unwrap().step, 4);
    save(&checkpoints, 6, "again");
    assert_eq!(checkpoints.latest().unwrap().unwrap().step, 6);
}
