//! Making, opening and locking run folders.

use mochi_run::{CurvesLog, MetricsLog, RunError, RunFolder};

use crate::{SETTINGS, names, run, save};

#[test]
fn a_run_with_a_checkpoint_is_refused_and_opened_once() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("deep/my run's");
    let held = run(&path, &[1]);
    let error = RunFolder::create(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("{} already holds a run", path.display()));
    let quoted = format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let hint = format!("continue it with `mochi resume {quoted}`, or start a new run with another --out");
    assert_eq!(error.hint(), Some(hint), "field case row 100: a path in a hint can be copied");
    assert!(matches!(RunFolder::open(&path), Err(RunError::Locked { .. })), "its maker still holds it");
    RunFolder::read(&path).expect("reading needs no lock");
    drop(held);
    RunFolder::open(&path).expect("the lock goes with its holder");
}

#[test]
fn other_folders_are_told_apart() {
    let base = tempfile::tempdir().unwrap();
    let at = |name: &str| base.path().join(name);
    assert!(matches!(RunFolder::open(&at("nowhere")), Err(RunError::Missing { .. })));
    std::fs::create_dir(at("empty")).unwrap();
    assert!(matches!(RunFolder::open(&at("empty")), Err(RunError::NotARun { .. })));
    drop(RunFolder::create(&at("empty")).unwrap());
    drop(RunFolder::create(&at("empty")).expect("a lock alone is not a run"));
    std::fs::create_dir(at("full")).unwrap();
    std::fs::write(at("full/thesis.tex"), "x").unwrap();
    assert!(matches!(RunFolder::create(&at("full")), Err(RunError::NotEmpty { .. })));
    assert_eq!(names(&at("full")), ["thesis.tex"], "nothing is made in a folder that is refused");
    // Field case row 85: errors without a next step.
    std::fs::write(at("file"), "x").unwrap();
    assert!(RunFolder::check_free(&at("file")).is_err(), "known before anything is computed");
    for below in ["file", "file/run"] {
        let error = RunFolder::create(&at(below)).unwrap_err();
        assert!(error.hint().is_some(), "{below}: {error}");
    }
    assert!(matches!(RunFolder::open(&at("file")), Err(RunError::NotAFolder { run: None, .. })));
    // A file of a run, in the place of the run.
    let run = RunFolder::create(&at("run")).unwrap();
    run.write_config("").unwrap();
    let error = RunFolder::open(&run.config_path()).unwrap_err();
    assert!(
        error.hint().unwrap().contains("give the folder of the run, ")
            && error.to_string().ends_with("config.toml is a file, and a run is a folder")
    );
}

/// Field case row 85: a file manager's file blocked a new run.
#[test]
fn f85_files_of_file_managers_do_not_make_a_folder_full() {
    let base = tempfile::tempdir().unwrap();
    for name in [".DS_Store", "Thumbs.db", "desktop.ini"] {
        std::fs::write(base.path().join(name), "x").unwrap();
    }
    RunFolder::create(base.path()).unwrap();
}

/// Field case F12: a disk that was full at the very start left a temporary file, after which no command worked.
#[test]
fn f12_what_a_failed_start_leaves_does_not_block_the_same_command() {
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join(".mochi-0011223344556677.tmp"), "half").unwrap();
    std::fs::write(base.path().join("run.lock"), "").unwrap();
    drop(RunFolder::create(base.path()).unwrap());
    drop(run(base.path(), &[]));
    assert_eq!(names(base.path()), ["config.toml", "run.lock"]);
}

/// Field case F13: `pretrain` said "resume it", `resume` said "start it again with another --out".
#[test]
fn f13_a_run_without_a_checkpoint_starts_over() {
    let base = tempfile::tempdir().unwrap();
    drop(run(base.path(), &[]));
    for name in ["metrics.jsonl", "curves.jsonl", "bad-images.jsonl", "events.out.tfevents.1.mochi", "notes.txt"] {
        std::fs::write(base.path().join(name), "{\"step\":1}\n").unwrap();
    }
    let again = RunFolder::create(base.path()).unwrap();
    // Nor does it matter whether the settings are the same: without a checkpoint there is nothing to continue.
    again.write_config(&SETTINGS.replace("batch = 256", "batch = 512")).unwrap();
    assert!(again.read_config().unwrap().contains("batch = 512"));
    assert_eq!(names(base.path()), ["config.toml", "notes.txt", "run.lock"], "logs of the start that failed are gone");
    save(&again.checkpoints(), 1, "x");
    drop(again);
    assert!(matches!(RunFolder::create(base.path()), Err(RunError::Exists { .. })));
}

#[test]
fn results_are_written_whole_and_read_back() {
    let base = tempfile::tempdir().unwrap();
    let run = run(base.path(), &[]);
    assert!(run.read_results().unwrap().is_empty());
    let path = run.write_result("knn", &serde_json::json!({"top1": 0.5})).unwrap();
    run.write_result("linear", &1).unwrap();
    std::fs::File::create(base.path().join("eval/huge.json")).unwrap().set_len(3 << 30).unwrap();
    std::fs::write(base.path().join("eval/odd.json"), b"\xff").unwrap();
    std::fs::write(base.path().join("eval/other.txt"), "").unwrap();
    let read = run.read_results().unwrap();
    let names: Vec<_> = read.iter().map(|result| (result.name.as_str(), result.value.is_ok(), result.top1())).collect();
    assert_eq!(names, [("huge", false, None), ("knn", true, Some(0.5)), ("linear", true, None), ("odd", false, None)]);
    assert_eq!(std::fs::read_to_string(path).unwrap(), "{\n  \"top1\": 0.5\n}\n");
}

/// Report: after a run was resumed, the result of its earlier step was shown as that of the run.
#[test]
fn a_result_of_an_earlier_step_is_outdated_unless_its_name_has_the_step() {
    let base = tempfile::tempdir().unwrap();
    let run = run(base.path(), &[]);
    for (name, step) in [("knn", 4), ("knn-step-4", 4), ("linear", 8), ("from-elsewhere", 9)] {
        run.write_result(name, &serde_json::json!({"top1": 1.0, "step": step})).unwrap();
    }
    run.write_result("pixels", &serde_json::json!({"top1": 1.0, "step": null})).unwrap();
    let outdated = || -> Vec<(String, u64)> {
        let all = run.read_results().unwrap().into_iter();
        all.filter_map(|result| Some((result.name, result.outdated?))).collect()
    };
    assert_eq!(outdated(), [], "a run whose checkpoints are elsewhere");
    save(&run.checkpoints(), 4, "x");
    assert_eq!(outdated(), []);
    save(&run.checkpoints(), 8, "x");
    assert_eq!(outdated(), [("knn".to_owned(), 4)]);
}

/// Security review S7: whole files were read into memory.
#[test]
fn s7_large_files_are_refused() {
    let base = tempfile::tempdir().unwrap();
    let run = run(base.path(), &[]);
    for name in ["config.toml", "metrics.jsonl", "curves.jsonl"] {
        std::fs::File::create(base.path().join(name)).unwrap().set_len(3 << 30).unwrap();
    }
    assert!(run.read_config().is_err());
    assert!(MetricsLog::read(&run.metrics_path()).is_err());
    assert!(CurvesLog::read(&run.curves_path()).is_err());
}
