//! Training through the binary: killed and resumed, with bad files among the images.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{assert_same_weights, images, json, mochi, newest, pretrain, run, said};

/// Starts a run, waits for its n-th checkpoint, sends the signal, and returns the status.
fn interrupted(data: &Path, out: &Path, signal: &str, checkpoints: usize, more: &[&str]) -> Option<i32> {
    let mut child = pretrain(data, out, more).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let folder = out.join("checkpoints");
    let count = || {
        std::fs::read_dir(&folder).map_or(0, |entries| {
            entries.filter(|e| !e.as_ref().unwrap().file_name().to_string_lossy().starts_with('.')).count()
        })
    };
    while count() < checkpoints {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be stopped");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    let lines: Vec<String> = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap).collect();
    let status = child.wait().unwrap();
    if signal == "-INT" {
        assert!(lines.iter().any(|line| line.contains("mochi resume")), "{lines:?}");
    }
    status.code()
}

#[test]
fn a_run_that_was_killed_or_stopped_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    images(&data, 3, 20);
    let more = ["epochs=6", "checkpoint.every_steps=2", "checkpoint.keep_last=100"];
    let path = |name: &str| folder.path().join(name);
    let straight = json(&pretrain(&data, &path("straight"), &[&more[..], &["--json"]].concat()).output().unwrap());
    assert_eq!(straight["finished"], true);
    assert_eq!(straight["step"], 42);

    for (name, signal, code) in
        [("stopped", "-INT", Some(130)), ("terminated", "-TERM", Some(130)), ("killed", "-KILL", None)]
    {
        assert_eq!(interrupted(&data, &path(name), signal, 2, &more), code, "{signal}");
        let before: u64 = newest(&path(name)).file_name().unwrap().to_str().unwrap()[5..].parse().unwrap();
        assert!(before < 42, "{name} was not stopped in time");
        let resumed = json(&run(&["resume", path(name).to_str().unwrap(), "--json"]));
        assert_eq!(resumed["finished"], true);
        let sessions = mochi_run::Session::read(&path(name).join("sessions.jsonl")).unwrap();
        assert_eq!(sessions.iter().map(|session| session.from_step).collect::<Vec<_>>(), [0, before]);
        assert_eq!(sessions[1].command[1..], ["resume", path(name).to_str().unwrap(), "--json"]);
        assert_same_weights(&newest(&path("straight")), &newest(&path(name)));
        let steps = |run: &str| -> Vec<u64> {
            let text = std::fs::read_to_string(path(run).join("metrics.jsonl")).unwrap();
            text.lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["step"].as_u64().unwrap())
                .collect()
        };
        assert_eq!(steps("straight"), steps(name), "records of {name}");
    }
}

#[test]
fn bad_files_are_listed_until_they_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    images(&data, 2, 20);
    std::fs::write(data.join("class-0/broken.jpg"), b"not an image").unwrap();
    std::fs::write(data.join("class-1/empty.png"), b"").unwrap();
    let whole = std::fs::read(data.join("class-0/deep/000.png")).unwrap();
    std::fs::write(data.join("class-1/cut.png"), &whole[..whole.len() / 2]).unwrap();

    let out = folder.path().join("run");
    let output = pretrain(&data, &out, &["data.max_bad_fraction=0.2", "epochs=1"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let listed = std::fs::read_to_string(out.join("bad-images.jsonl")).unwrap();
    for name in ["broken.jpg", "empty.png", "cut.png"] {
        assert_eq!(listed.lines().filter(|line| line.contains(name)).count(), 1, "{name} in {listed}");
        assert!(said(&output).contains(name));
    }

    let output =
        pretrain(&data, &folder.path().join("strict"), &["data.max_bad_fraction=0.0", "epochs=1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(text.contains("error:") && text.contains("hint:"), "{text}");
    assert!(!std::fs::read_to_string(folder.path().join("strict/bad-images.jsonl")).unwrap().is_empty());
}

#[test]
fn benchmarks_print_their_fields() {
    let step = json(
        &mochi(&[
            "bench", "step", "--arch", "resnet20", "--batch", "8", "--size", "32", "--queue", "256", "--steps", "1",
            "--warmup", "0", "--json",
        ])
        .args(["--mochi", "32", "16", "8"])
        .output()
        .unwrap(),
    );
    for key in ["images_per_s", "batch", "arch", "size", "precision", "moco_s", "mochi_s"] {
        assert!(!step[key].is_null(), "{key}");
    }
    let loss = json(
        &mochi(&[
            "bench", "loss", "--batch", "8", "--queue", "512", "--rounds", "1", "--json", "--mochi", "32", "16", "8",
        ])
        .output()
        .unwrap(),
    );
    for key in ["plain_s", "mochi_s", "explicit_s", "mochi_extra_bytes", "explicit_extra_bytes"] {
        assert!(!loss[key].is_null(), "{key}");
    }
}

/// Folders, a pattern and a list, one of them with a name that is not UTF-8, named from inside another folder.
#[cfg(unix)]
#[test]
fn several_sources_are_recorded_so_that_resuming_finds_them() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let odd = OsStr::from_bytes(b"odd \xff%");
    let (here, run_at) = (folder.path(), folder.path().join("run"));
    for part in ["one", "more/2019-01", "more/2020-01"] {
        images(&here.join(part), 1, 12);
    }
    images(&here.join(odd), 1, 12);
    std::fs::write(here.join("list.txt"), "one/class-0/deep/000.png\nmore/2020-01\n").unwrap();
    let mut command = mochi(&["pretrain", "--preset", "small-mochi"]);
    command.arg(odd).args(["--also", "more/2019-*/**/*.png", "--also", "one", "--also", "list.txt"]);
    command
        .args(["--out", "run"])
        .args(crate::common::TINY)
        .args(["epochs=1", "checkpoint.every_steps=2"])
        .current_dir(here);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("48 images (several sources)"), "{}", said(&output));
    assert!(said(&output).contains("1 image is in two"), "{}", said(&output));
    let config = std::fs::read_to_string(run_at.join("config.toml")).unwrap();
    let root = here.to_str().unwrap();
    assert!(config.contains(&format!("\nsource = \"file:{root}/odd %FF%25\"")), "{config}");
    assert!(config.contains(&format!("\nalso = [\"{root}/more/2019-*/**/*.png\", \"{root}/one\", ")), "{config}");
    let resumed = run(&["resume", run_at.to_str().unwrap(), "--json"]);
    assert_eq!(json(&resumed)["finished"], true);
    // A picture more in any of them is another dataset.
    std::fs::copy(here.join("one/class-0/deep/000.png"), here.join("one/class-0/deep/new.png")).unwrap();
    let refused = run(&["resume", run_at.to_str().unwrap()]);
    assert!(
        !refused.status.success() && said(&refused).contains("has 49 images now; the run was trained on 48"),
        "{}",
        said(&refused)
    );

    let nothing = mochi(&["pretrain", "more/2018-*"]).current_dir(here).output().unwrap();
    assert!(said(&nothing).contains("error: no image matches the pattern more/2018-*\nhint: "), "{}", said(&nothing));
}

#[test]
fn a_run_is_evaluated_while_it_trains() {
    let folder = tempfile::tempdir().unwrap();
    let (data, labeled, out) = (folder.path().join("data"), folder.path().join("labeled"), folder.path().join("run"));
    images(&data, 1, 24);
    images(&labeled, 3, 12);
    let source = format!("evaluation.source={}", labeled.display());
    let output = pretrain(&data, &out, &[&source, "epochs=8", "evaluation.time_fraction=0.5"]).output().unwrap();
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("evaluated every 20 steps on at most 2000 images of "), "{told}");
    assert!(told.contains("evaluation k-NN ") && told.contains("evaluation during training: "), "{told}");
    let last = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    for key in ["online_knn", "online_linear", "online_rank_me", "online_stability", "evaluation_time_fraction"] {
        assert!(last[key].as_f64().is_some_and(|value| value > 0.0), "{key}: {last}");
    }
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("<p>Evaluation during training: ") && page.contains("on held-out labeled images"), "{page}");
    assert_eq!(mochi_run::suggestion::COLLAPSED, mochi_eval::analysis::collapse::SPREAD);

    // Known before anything is trained: a source that does not exist, and one without labels.
    for (source, part) in [("/nowhere", "evaluation.source: "), (data.to_str().unwrap(), "evaluation.source: ")] {
        let refused = folder.path().join("refused");
        let output = pretrain(&data, &refused, &[&format!("evaluation.source={source}")]).output().unwrap();
        assert!(output.status.code() == Some(1) && said(&output).contains(part), "{}", said(&output));
        assert!(said(&output).contains("\nhint: ") && !refused.exists(), "{}", said(&output));
    }
}

#[test]
fn the_page_of_a_run_shows_views_that_were_drawn_at_its_begin() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("run"));
    images(&data, 1, 24);
    let done = pretrain(&data, &out, &["epochs=1"]).output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    let views = std::fs::read(out.join("views.jpg")).unwrap();
    assert!(views.starts_with(&[0xFF, 0xD8]) && views.len() < 300_000, "{} bytes", views.len());
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("<h2>Views</h2>") && page.contains("src=\"data:image/jpeg;base64,"), "{page}");
    assert!(page.contains("<h2>Where the time went</h2>") && page.contains(">training steps <"), "{page}");

    // A resumed run keeps its own, or none; a run without steps trains on no views.
    std::fs::remove_file(out.join("views.jpg")).unwrap();
    let config = std::fs::read_to_string(out.join("config.toml")).unwrap();
    std::fs::write(out.join("config.toml"), config.replace("epochs = 1.0", "epochs = 2.0")).unwrap();
    let resumed = run(&["resume", out.to_str().unwrap()]);
    assert!(resumed.status.success() && said(&resumed).contains("epoch 2/2"), "{}", said(&resumed));
    assert!(!out.join("views.jpg").exists());
    let untrained = folder.path().join("untrained");
    assert!(pretrain(&data, &untrained, &["epochs=0"]).output().unwrap().status.success());
    assert!(!untrained.join("views.jpg").exists());

    // Without the permission to write there, training goes on: a folder has the place of the file.
    let taken = folder.path().join("taken");
    assert!(pretrain(&data, &taken, &["epochs=0"]).output().unwrap().status.success());
    std::fs::remove_dir_all(taken.join("checkpoints")).unwrap();
    std::fs::create_dir(taken.join("views.jpg")).unwrap();
    let again = pretrain(&data, &taken, &["epochs=1"]).output().unwrap();
    assert!(again.status.success(), "{}", said(&again));
    assert!(said(&again).contains("warning: the page of the run will show no views: "), "{}", said(&again));
}

#[test]
fn other_images_of_evaluations_are_told_when_a_run_is_resumed_and_missing_ones_do_not_end_it() {
    let folder = tempfile::tempdir().unwrap();
    let (data, labeled, out) = (folder.path().join("data"), folder.path().join("labeled"), folder.path().join("run"));
    images(&data, 1, 24);
    images(&labeled, 3, 12);
    let source = format!("evaluation.source={}", labeled.display());
    let more = [&source, "evaluation.every_steps=3", "checkpoint.every_steps=3", "checkpoint.keep_last=9"];
    let output = pretrain(&data, &out, &more).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let resume = |words: &[&str]| mochi(&["resume"]).arg(&out).args(words).output().unwrap();
    let again = || {
        let output = resume(&["--from", "3"]);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    let told = again();
    assert!(told.contains("continuing from step 3 of 6") && !told.contains("comparable"), "{told}");

    let added = labeled.join("class-0/deep/new.png");
    std::fs::copy(labeled.join("class-1/deep/000.png"), &added).unwrap();
    let told = again();
    assert!(told.contains("warning: evaluations use 37 images of ") && told.contains("before (36)"), "{told}");
    assert!(told.contains("up to step 3 are not comparable with later ones"), "{told}");

    std::fs::rename(&labeled, folder.path().join("elsewhere")).unwrap();
    let missing = said(&resume(&["--from", "3"]));
    let (edit, config) = ("edit evaluation.source in ", out.join("config.toml"));
    assert!(
        missing.contains("error: evaluation.source: ") && missing.contains("hint: put the images back"),
        "{missing}"
    );
    assert!(missing.contains(&format!("{edit}{}", config.display())), "{missing}");
    assert!(said(&resume(&["evaluation.source="])).contains(&format!("hint: {edit}")));
    assert!(said(&resume(&["epochs=9"])).contains("hint: start a new run: "));
    let text = std::fs::read_to_string(&config).unwrap();
    let line = format!("source = \"{}\"", labeled.display());
    assert!(text.contains(&line), "{text}");
    std::fs::write(&config, text.replace(&line, "source = \"\"")).unwrap();
    let told = again();
    assert!(told.contains("warning: evaluations use 24 images of ") && told.contains("without labels"), "{told}");
}
