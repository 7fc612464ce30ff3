//! Writing, listing, replacing and removing checkpoints.

use mochi_run::{Checkpoints, RunFolder};

use crate::{names, run, save, steps};

#[test]
fn only_committed_checkpoints_are_listed() {
    let base = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(base.path().join("checkpoints"));
    assert_eq!(checkpoints.latest().unwrap(), None);
    let first = save(&checkpoints, 10, "a");
    let pending = checkpoints.begin(20).unwrap();
    std::fs::write(pending.path().join("model.safetensors"), "b").unwrap();
    assert_eq!(steps(&checkpoints), [10]);
    let temporary = pending.path().to_owned();
    drop(pending);
    assert!(!temporary.exists(), "what was not committed is removed");
    assert_eq!(checkpoints.latest().unwrap(), Some(first));
}

#[test]
fn the_same_step_is_replaced() {
    let base = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(base.path().join("checkpoints"));
    save(&checkpoints, 10, "first");
    let again = save(&checkpoints, 10, "second");
    assert_eq!(std::fs::read_to_string(again.path.join("model.safetensors")).unwrap(), "second");
    assert_eq!(names(&base.path().join("checkpoints")), ["step-10"]);
}

#[test]
fn pruning_keeps_the_last_and_the_multiples() {
    let base = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(base.path().join("checkpoints"));
    for step in (100..=1000).step_by(100) {
        save(&checkpoints, step, "x");
    }
    checkpoints.prune(2, 400).unwrap();
    assert_eq!(steps(&checkpoints), [400, 800, 900, 1000]);
    checkpoints.prune(0, 0).unwrap();
    assert_eq!(steps(&checkpoints), [1000], "the last one always stays");
}

#[test]
fn what_killed_writers_left_is_removed_and_a_moved_checkpoint_is_restored() {
    let base = tempfile::tempdir().unwrap();
    drop(run(base.path(), &[10, 20]));
    let at = |name: &str| base.path().join("checkpoints").join(name);
    std::fs::create_dir(at(".step-30.tmp-1")).unwrap();
    std::fs::rename(at("step-20"), at(".step-20.old-1")).unwrap();
    std::fs::write(base.path().join(".mochi-0011223344556677.tmp"), "half").unwrap();
    let run = RunFolder::open(base.path()).unwrap();
    assert_eq!(steps(&run.checkpoints()), [10, 20]);
    assert_eq!(names(&base.path().join("checkpoints")), ["step-10", "step-20"]);
    assert!(!base.path().join(".mochi-0011223344556677.tmp").exists());
}

/// Security review S9: whatever was called `.step-...` was removed with all below it, and a stray file ended every resume.
#[test]
fn s9_other_names_are_left_alone() {
    let base = tempfile::tempdir().unwrap();
    drop(run(base.path(), &[10]));
    let at = |name: &str| base.path().join("checkpoints").join(name);
    std::fs::create_dir_all(at(".step-thesis.backup/deep")).unwrap();
    std::fs::create_dir(at(".step-8.tmp-x")).unwrap();
    std::fs::create_dir(at("step-010")).unwrap();
    std::fs::create_dir(at("step-+11")).unwrap();
    std::fs::write(at(".step-notes.txt"), "").unwrap();
    std::fs::write(at(".step-8.tmp-1"), "a file, not a folder").unwrap();
    let before = names(&base.path().join("checkpoints"));
    let run = RunFolder::open(base.path()).unwrap();
    assert_eq!(steps(&run.checkpoints()), [10]);
    run.checkpoints().prune(1, 0).unwrap();
    assert_eq!(names(&base.path().join("checkpoints")), before);
}

#[test]
fn what_is_newer_than_a_step_can_be_set_aside() {
    let base = tempfile::tempdir().unwrap();
    let run = run(base.path(), &[4, 6, 8]);
    let checkpoints = run.checkpoints();
    assert_eq!(checkpoints.set_aside_after(4).unwrap().len(), 2);
    save(&checkpoints, 6, "again");
    checkpoints.set_aside_after(4).unwrap();
    assert_eq!(steps(&checkpoints), [4]);
    let expected = ["step-4", "step-6.set-aside", "step-6.set-aside-2", "step-8.set-aside"];
    assert_eq!(names(&checkpoints.path()), expected);
    checkpoints.prune(1, 0).unwrap();
    assert_eq!(names(&checkpoints.path()), expected, "they are the user's to remove");
}
