//! Where results go: stdout, `--out`, and the run folder, also where they cannot be written.

use std::path::Path;
use std::process::{Output, Stdio};

use crate::common::{images, json, mochi, newest, pretrain, run, said, written};

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Field case F5: half a JSON object on a full disk, and status 0.
#[test]
fn f5_what_cannot_be_written_to_stdout_is_an_error() {
    let base = tempfile::tempdir().unwrap();
    let (data, out) = (base.path().join("data"), base.path().join("run"));
    images(&data, 2, 8);
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let expect = |output: Output, what: &str| {
        assert_eq!(output.status.code(), Some(1), "{what}: {}", said(&output));
        let text = said(&output);
        assert!(text.contains("error: cannot write to stdout: No space left on device"), "{what}: {text}");
        assert!(text.contains("\nhint: "), "{what}: {text}");
    };
    for more in [&["epochs=0"][..], &["epochs=0", "--json"]] {
        let _ = std::fs::remove_dir_all(&out);
        expect(pretrain(&data, &out, more).stdout(full()).output().unwrap(), "pretrain");
    }
    let (data, out) = (text(&data), text(&out));
    let views = format!("{out}/views.html");
    let commands: [&[&str]; 12] = [
        &["presets"],
        &["presets", "--json"],
        &["config", &out],
        &["config", &out, "--json"],
        &["report", &out],
        &["resume", &out, "--json"],
        &["check", &data],
        &["check", &data, "--json"],
        &["eval", "knn", "pixels", "--train", &data, "--test", &data, "--json"],
        &["augment", &data, "--images", "1", "--out", &views],
        &["doctor"],
        &["doctor", "--json"],
    ];
    for command in commands {
        let output = mochi(command).stdout(full()).output().unwrap();
        if command[0] == "eval" {
            // The same set twice is refused before anything is printed.
            assert_eq!(output.status.code(), Some(1));
        } else {
            expect(output, command[0]);
        }
    }
}

/// `mochi presets | head -1`
#[test]
fn a_reader_that_went_away_is_no_error() {
    let mut child = mochi(&["presets"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
}

/// Field cases F1 and F18 and row 111: a device was replaced, and a missing folder was told only after all images were read.
#[test]
fn f1_an_out_that_cannot_be_written_is_told_before_the_work() {
    let base = tempfile::tempdir().unwrap();
    let data = base.path().join("data");
    images(&data, 2, 8);
    let link = base.path().join("link.html");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    let outs = [
        text(&link),
        "/dev/null".to_owned(),
        text(base.path()),
        "-".to_owned(),
        text(&base.path().join("no/such/p.html")),
    ];
    for out in &outs {
        let output = run(&["check", &text(&data), "--out", out]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{out}: {said}");
        assert!(said.contains("error: ") && said.contains("\nhint: ") && !said.contains("reading:"), "{out}: {said}");
    }
    assert!(!Path::new("-").exists());
    use std::os::unix::fs::FileTypeExt;
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

/// Field case F13: a run that ended before its first checkpoint sent the user in a circle. Row 100: its hints could not be copied.
#[test]
fn f13_the_same_command_works_after_the_list_was_corrected() {
    let base = tempfile::tempdir().unwrap();
    let (data, out, list) = (base.path().join("data"), base.path().join("my run's"), base.path().join("list.txt"));
    images(&data, 1, 16);
    let lines = |folder: &str| (0..16).map(|i| format!("data/class-0/{folder}/{i:03}.png\n")).collect::<String>();
    let gone = data.join("class-0/gone");
    std::fs::create_dir(&gone).unwrap();
    for i in 0..16 {
        std::fs::write(gone.join(format!("{i:03}.png")), "no image").unwrap();
    }
    std::fs::write(&list, lines("gone")).unwrap();
    let failed = pretrain(&list, &out, &["epochs=1"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(1), "{}", said(&failed));
    assert!(out.join("config.toml").exists(), "it failed after its settings were written: {}", said(&failed));
    let resumed = run(&["resume", &text(&out)]);
    assert!(said(&resumed).contains("repeat the command that started it"), "{}", said(&resumed));
    std::fs::write(&list, lines("deep")).unwrap();
    // Without a checkpoint there is nothing to keep: other settings start the run over as well.
    let worked = pretrain(&list, &out, &["epochs=1", "seed=5", "--json"]).output().unwrap();
    assert_eq!(json(&worked)["finished"], true);
    assert!(newest(&out).ends_with("step-2"));
    let quoted = format!("'{}'", text(&out).replace('\'', r"'\''"));
    assert!(said(&worked).contains(&format!("next: mochi eval all {quoted} --train")), "{}", said(&worked));
    let again = pretrain(&list, &out, &["epochs=1"]).output().unwrap();
    assert!(said(&again).contains(&format!("continue it with `mochi resume {quoted}`")), "{}", said(&again));
}

/// Security review S8: names of files reached the terminal with their escape sequences.
#[test]
fn s8_names_of_files_do_not_steer_the_terminal() {
    let base = tempfile::tempdir().unwrap();
    let data = base.path().join("data\u{1b}[31m");
    images(&data, 1, 8);
    std::fs::write(data.join("x\u{1b}]0;OWNED\u{7}\nerror: forged\u{202e}.png"), "no image").unwrap();
    let out = base.path().join("run");
    for output in [
        run(&["check", &text(&data)]),
        run(&["check", &text(&data), "--json"]),
        pretrain(&data, &out, &["epochs=1", "data.max_bad_fraction=0.5"]).output().unwrap(),
        pretrain(&data, &base.path().join("strict"), &["epochs=1", "data.max_bad_fraction=0.0"]).output().unwrap(),
    ] {
        for bytes in [&output.stdout, &output.stderr] {
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(!text.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')), "{text:?}");
            assert!(text.lines().all(|line| !line.starts_with("error: forged")), "{text}");
        }
    }
}

/// Field case F11: a damaged newest checkpoint ended every resume, and no command named an earlier one.
#[test]
fn f11_resume_uses_the_last_whole_checkpoint_or_the_one_that_is_asked_for() {
    let base = tempfile::tempdir().unwrap();
    let (data, out) = (base.path().join("data"), base.path().join("run"));
    images(&data, 1, 16);
    let more = ["epochs=3", "checkpoint.every_steps=2", "checkpoint.keep_last=9", "--json"];
    assert_eq!(json(&pretrain(&data, &out, &more).output().unwrap())["step"], 6);
    let straight = std::fs::read(out.join("checkpoints/step-6/model.safetensors")).unwrap();
    let damaged = out.join("checkpoints/step-6/model.safetensors");
    std::fs::write(&damaged, &straight[..1000]).unwrap();
    let resumed = run(&["resume", &text(&out), "--json"]);
    assert_eq!(json(&resumed)["step"], 6);
    let said_ = said(&resumed);
    assert!(said_.contains("warning: ") && said_.contains("step-4 is used instead, 2 steps are lost"), "{said_}");
    assert!(std::fs::read(&damaged).unwrap() == straight, "the steps that were lost are done again, bit for bit");
    assert!(out.join("checkpoints/step-6.set-aside/model.safetensors").exists());

    let resumed = run(&["resume", &text(&out), "--from", "2", "--json"]);
    assert!(said(&resumed).contains("continuing from step 2 of 6"), "{}", said(&resumed));
    assert_eq!(json(&resumed)["step"], 6);
    assert!(std::fs::read(&damaged).unwrap() == straight);
    let none = run(&["resume", &text(&out), "--from", "3"]);
    assert!(said(&none).contains("hint: choose one of the steps 2, 4, 6"), "{}", said(&none));
}

/// A run's settings name every key: a preset on top would be ignored, and so would a source beside DATA.
#[test]
fn settings_without_effect_are_refused() {
    let base = tempfile::tempdir().unwrap();
    let (data, out) = (base.path().join("data"), base.path().join("run"));
    images(&data, 1, 16);
    json(&pretrain(&data, &out, &["epochs=0", "--json"]).output().unwrap());
    let config = text(&out.join("config.toml"));
    let both = run(&["pretrain", &text(&data), "--config", &config, "--preset", "small"]);
    assert!(said(&both).contains("--preset small has no effect"), "{}", said(&both));
    let source = run(&["pretrain", &text(&data), "data.source=elsewhere"]);
    assert!(said(&source).contains("data.source=elsewhere has no effect: DATA is the source"), "{}", said(&source));
}

#[test]
fn a_run_folder_inside_the_dataset_is_warned_about() {
    let base = tempfile::tempdir().unwrap();
    let data = base.path().join("data");
    images(&data, 1, 16);
    let inside = pretrain(&data, &data.join("runs/first"), &["epochs=0"]).output().unwrap();
    assert!(said(&inside).contains("warning: the run folder") && said(&inside).contains("--out"), "{}", said(&inside));
    assert!(said(&inside).contains("the untrained encoder, without a step"), "{}", said(&inside));
    let outside = pretrain(&data, &base.path().join("run"), &["epochs=0"]).output().unwrap();
    assert!(!said(&outside).contains("inside the dataset"), "{}", said(&outside));
}

#[test]
fn a_run_that_has_ended_is_left_as_it_is() {
    let base = tempfile::tempdir().unwrap();
    let (data, out) = (base.path().join("data"), base.path().join("run"));
    images(&data, 1, 16);
    json(&pretrain(&data, &out, &["epochs=1", "--json"]).output().unwrap());
    let before = written(&out);
    for from in [&[][..], &["--from", "2"]] {
        let again = run(&[&["resume", &text(&out)], from].concat());
        assert!(again.status.success(), "{}", said(&again));
        assert!(said(&again).contains("nothing to train: the run has finished its 2 steps"), "{}", said(&again));
        assert_eq!(written(&out), before);
    }
}
