//! `mochi eval` through the binary.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use crate::common::{images, json, mochi, pretrain, run, said};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `mochi eval PROTOCOL pixels --train TRAIN --test TEST --size 8 MORE...`: no encoder needed.
fn pixels(protocol: &str, train: &Path, test: &Path, more: &[&str]) -> Output {
    let command = ["eval", protocol, "pixels", "--train", text(train), "--test", text(test), "--size", "8"];
    mochi(&command).args(more).output().unwrap()
}

/// Status 1, an error and a hint on stderr, nothing on stdout; the text of stderr.
fn refused(output: &Output) -> String {
    let text = said(output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("error: ") && text.contains("\nhint: ") && output.stdout.is_empty(), "{text}");
    text
}

struct Folders {
    root: tempfile::TempDir,
}

impl Folders {
    /// `train` with 2 x 20 images and `test` with 2 x 6.
    fn new() -> Self {
        let folders = Self { root: tempfile::tempdir().unwrap() };
        images(&folders.path("train"), 2, 20);
        images(&folders.path("test"), 2, 6);
        folders
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }
}

#[test]
fn a_run_is_compared_with_raw_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let (train, test) = (folder.path().join("train"), folder.path().join("test"));
    images(&train, 3, 16);
    images(&test, 3, 4);
    let out = folder.path().join("run");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    assert!(pretrain(&train, &out, &["epochs=0"]).output().unwrap().status.success());
    let evaluate = |protocol: &str, subject: &str| {
        json(&run(&["eval", protocol, subject, "--train", &text(&train), "--test", &text(&test), "--json"]))
    };
    for (subject, name) in [(text(&out), "untrained"), ("pixels".to_owned(), "raw pixels")] {
        let knn = evaluate("knn", &subject);
        for key in ["protocol", "top1", "k", "temperature", "train_images", "test_images"] {
            assert!(!knn[key].is_null(), "{key} is missing: {knn}");
        }
        assert_eq!((knn["train_images"].as_u64(), knn["test_images"].as_u64()), (Some(48), Some(12)));
        assert_eq!(knn["subject"], name);
        let linear = evaluate("linear", &subject);
        for key in ["protocol", "top1", "top5", "learning_rate", "epochs", "seed"] {
            assert!(!linear[key].is_null(), "{key} is missing: {linear}");
        }
        // `all` gives what each of them gives, except for the time.
        let all = run(&["eval", "all", &subject, "--train", &text(&train), "--test", &text(&test), "--json"]);
        let all: Vec<serde_json::Value> =
            all.stdout.split(|&b| b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let timeless = |mut value: serde_json::Value| {
            value.as_object_mut().unwrap().remove("seconds");
            value
        };
        assert_eq!(all.into_iter().map(timeless).collect::<Vec<_>>(), [knn, linear].map(timeless));
    }
    assert!(out.join("eval/knn.json").exists() && out.join("eval/linear.json").exists());
    let page = run(&["report", &text(&out)]);
    assert!(page.status.success());
    assert!(std::fs::read_to_string(out.join("report.html")).unwrap().contains("knn/2"));
}

// Field case F8, rows 106 and 107.
/// The advice of an evaluation during training, a checkpoint of an earlier step, could not be followed: only the newest was evaluated.
#[test]
fn an_earlier_checkpoint_is_evaluated_beside_the_newest() {
    let folders = Folders::new();
    let (train, test, out) = (folders.path("train"), folders.path("test"), folders.path("run"));
    let kept = ["checkpoint.every_steps=2", "checkpoint.keep_last=9"];
    assert!(pretrain(&train, &out, &kept).output().unwrap().status.success());
    let eval = |more: &[&str]| {
        let labeled = ["--train", text(&train), "--test", text(&test)];
        mochi(&["eval", "knn", text(&out)]).args(labeled).args(more).output().unwrap()
    };
    let newest = json(&eval(&["--json"]));
    let before = std::fs::read(out.join("eval/knn.json")).unwrap();
    let earlier = json(&eval(&["--json", "--step", "2"]));
    assert_eq!(earlier["step"], 2);
    assert!(newest["step"].as_u64() > Some(2), "{newest}");
    assert!(out.join("eval/knn-step-2.json").is_file());
    assert_eq!(std::fs::read(out.join("eval/knn.json")).unwrap(), before);
    let page = run(&["report", text(&out)]);
    assert!(page.status.success(), "{}", said(&page));
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("knn/2, step 2"), "{page}");
    // The page of one run may be written to another place, from which links into the folder would not lead.
    std::fs::write(out.join("analysis.json"), "{}").unwrap();
    std::fs::write(out.join("analysis.html"), "").unwrap();
    let [inside, outside] = [None, Some(folders.path("page.html"))].map(|place| {
        let more = place.iter().flat_map(|path| ["--out", text(path)]);
        let printed = run(&["report", text(&out)].into_iter().chain(more).collect::<Vec<_>>());
        assert!(printed.status.success(), "{}", said(&printed));
        std::fs::read_to_string(String::from_utf8(printed.stdout).unwrap().trim_end()).unwrap()
    });
    assert!(inside.contains("href=\"analysis.html\"") && outside.contains("knn/2, step 2"));
    assert!(!outside.contains("<a href"), "{outside}");

    let unknown = refused(&eval(&["--step", "3"]));
    assert!(unknown.contains("choose one of the steps 2, 4"), "{unknown}");
    let pixels = refused(&pixels("knn", &train, &test, &["--step", "2"]));
    assert!(pixels.contains("--step names a checkpoint, and raw pixels have none"), "{pixels}");
}

#[test]
fn f8_bad_images_are_counted_named_and_limited() {
    let folders = Folders::new();
    for name in ["train/class-0/bad.png", "test/class-1/cut.jpg"] {
        std::fs::write(folders.path(name), b"no image").unwrap();
    }
    let (train, test) = (folders.path("train"), folders.path("test"));
    let output = pixels("knn", &train, &test, &["--max-bad-fraction", "0.1"]);
    let line = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(
        line.contains("40 training and 12 test images of 2 classes; bad images left out: 1 training, 1 test"),
        "{line}"
    );
    let named = said(&output);
    for name in ["bad training image: class-0/bad.png: ", "bad test image: class-1/cut.jpg: "] {
        assert!(named.contains(name), "{named}");
    }
    for protocol in ["knn", "linear"] {
        let found = json(&pixels(protocol, &train, &test, &["--max-bad-fraction", "0.1", "--json"]));
        assert_eq!((&found["bad_train_images"], &found["bad_test_images"]), (&1.into(), &1.into()));
        assert_eq!(found["bad_images"]["test"][0]["name"], "class-1/cut.jpg");
    }

    // More than ten are not all named on the terminal.
    for i in 0..12 {
        std::fs::write(folders.path(&format!("train/class-0/bad{i}.png")), b"no image").unwrap();
    }
    let many = said(&pixels("knn", &train, &test, &["--max-bad-fraction", "0.5"]));
    assert_eq!(many.matches("bad training image: ").count(), 10, "{many}");
    assert!(many.contains("4 more bad images; --json lists all"), "{many}");
    let limit = refused(&pixels("knn", &train, &test, &["--max-bad-fraction", "0.1"]));
    assert!(limit.contains("--max-bad-fraction") && !limit.contains("data.max_bad"), "{limit}");
}

// Field case F9, rows 103 to 105: no feature is computed before.
#[test]
fn f9_classes_are_checked_before_features_are_computed() {
    let folders = Folders::new();
    for (from, to) in [("class-1", "Class-1"), ("class-0", "zzz")] {
        images(&folders.path("other"), 2, 2);
        std::fs::rename(folders.path("other").join(from), folders.path("other").join(to)).unwrap();
    }
    let error = |protocol, train: &str, test: &str| {
        let output = pixels(protocol, &folders.path(train), &folders.path(test), &[]);
        let text = refused(&output);
        assert!(!text.contains("features"), "{text}");
        text
    };
    for protocol in ["knn", "linear"] {
        let text = error(protocol, "train", "other");
        for part in [
            "2 classes without training images: \"Class-1\", \"zzz\"",
            "\"class-0\", \"class-1\"",
            "differ only in case",
        ] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }
    images(&folders.path("one"), 1, 3);
    assert!(error("knn", "one", "test").contains("images of 1 class; evaluation needs at least 2"));
    images(&folders.path("flat"), 1, 3);
    std::fs::rename(folders.path("flat/class-0/deep/000.png"), folders.path("flat/top.png")).unwrap();
    assert!(error("linear", "train", "flat").contains("the test set has none"));
    images(&folders.path("single"), 2, 1);
    assert!(error("linear", "single", "test").contains("held out"));
}

// House review 10, field case F19, row 108.
#[test]
fn h6_10_evaluating_on_the_training_images_is_refused_however_they_are_named() {
    let folders = Folders::new();
    std::os::unix::fs::symlink("train", folders.path("link")).unwrap();
    for name in ["train", "./train", "test/../train", "link"] {
        let text = refused(&pixels("knn", &folders.path("train"), &folders.path(name), &[]));
        assert!(text.contains("the 40 test images are all training images as well"), "{name}: {text}");
    }
    let shared = folders.path("test/class-0/deep/shared.png");
    std::fs::hard_link(folders.path("train/class-0/deep/000.png"), shared).unwrap();
    let output = pixels("knn", &folders.path("train"), &folders.path("test"), &["--json"]);
    assert_eq!(json(&output)["shared_images"], 1);
    assert!(said(&output).contains("warning: 1 of 13 test images is a training image as well"), "{}", said(&output));
}

// House review 20 and scientific review A7.
#[test]
fn h6_20_k_follows_the_classes_and_absurd_values_are_refused() {
    let folders = Folders::new();
    let (train, test) = (folders.path("train"), folders.path("test"));
    let automatic = pixels("knn", &train, &test, &[]);
    assert!(String::from_utf8(automatic.stdout).unwrap().contains("(knn/2, k 10 (automatic), t 0.1, "));
    let large = pixels("knn", &train, &test, &["-k", "1000"]);
    assert!(String::from_utf8(large.stdout.clone()).unwrap().contains("k 40, "));
    assert!(said(&large).contains("-k 1000 exceeds the 40 training images"), "{}", said(&large));
    for k in ["0", "100000000"] {
        assert!(refused(&pixels("knn", &train, &test, &["-k", k])).contains("expected an integer from 1 to 10000"));
    }
}

// Field cases F1, rows 110 and 111: `--out` is checked before any image is read.
#[test]
fn f1_an_out_file_that_cannot_be_written_is_refused_before_the_work() {
    let folders = Folders::new();
    let (train, test) = (folders.path("train"), folders.path("test"));
    let (missing, folder) = (folders.path("no/such/result.json"), folders.path("test"));
    for out in [text(&missing), text(&folder), "-", "/dev/null"] {
        let told = refused(&pixels("knn", &train, &test, &["--out", out]));
        assert!(!told.contains("features") && told.contains(out.trim_end_matches("/result.json")), "{told}");
        for command in ["check", "augment"] {
            let output = run(&[command, text(&train), "--out", out]);
            refused(&output);
        }
    }
    let target = folders.path("target.json");
    std::fs::write(&target, "{\"protocol\": \"knn/1\"}").unwrap();
    std::os::unix::fs::symlink("target.json", folders.path("link.json")).unwrap();
    let link = folders.path("link.json");
    assert!(pixels("knn", &train, &test, &["--out", text(&link)]).status.success());
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::read_to_string(&target).unwrap().contains("\"top1\""));
}

#[test]
fn options_that_do_not_apply_are_refused() {
    let folders = Folders::new();
    let (train, test) = (folders.path("train"), folders.path("test"));
    for (protocol, more) in [
        ("knn", &["--features", "embedding"][..]),
        ("knn", &["--temperature", "0"]),
        ("knn", &["--max-bad-fraction", "2"]),
        ("linear", &["--recipe", "in100"]),
        ("linear", &["--learning-rate=-1"]),
        ("linear", &["--epochs", "0"]),
    ] {
        refused(&pixels(protocol, &train, &test, more));
    }
    let run_folder = folders.path("run");
    assert!(pretrain(&train, &run_folder, &["epochs=0"]).output().unwrap().status.success());
    let sized = ["eval", "knn", text(&run_folder), "--train", text(&train), "--test", text(&test), "--size", "8"];
    assert!(refused(&run(&sized)).contains("--size"));
    let embedding = ["eval", "knn", text(&run_folder), "--train", text(&train), "--test", text(&test), "--json"];
    let found = json(&mochi(&embedding).args(["--features", "embedding"]).output().unwrap());
    assert_eq!((&found["protocol"], &found["features"]), (&"knn-embedding/1".into(), &128.into()));
    assert!(run_folder.join("eval/knn-embedding.json").exists());
}

#[test]
fn all_evaluates_the_protocols_that_are_named_on_the_same_features() {
    let folders = Folders::new();
    let names = "few-shot,linear-10-percent,knn,knn";
    let [train, test] = ["five/train", "five/test"].map(|name| folders.path(name));
    images(&train, 5, 20);
    images(&test, 5, 10);
    let output = pixels("all", &train, &test, &["--json", "--protocols", names]);
    assert!(output.status.success(), "{}", said(&output));
    let results: Vec<serde_json::Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let protocols: Vec<_> = results.iter().map(|result| result["protocol"].as_str().unwrap()).collect();
    assert_eq!(protocols, ["knn/2", "linear-cached/1", "few-shot/1"], "in the order of the table, each once");
    let [low, high] = [0, 1].map(|i| results[0]["top1_interval"][i].as_f64().unwrap());
    let top1 = results[0]["top1"].as_f64().unwrap();
    assert!(low <= top1 && top1 <= high, "{low} {top1} {high}");
    // 10 % of 20 images of each of five classes.
    assert_eq!((results[1]["train_images"].as_u64(), results[1]["label_fraction"].as_f64()), (Some(10), Some(0.1)));
    assert_eq!(results[1]["labeled_images"].as_array().unwrap().len(), 10);
    assert_eq!((results[2]["ways"].as_u64(), results[2]["shots"].as_u64()), (Some(5), Some(5)));
    let unknown = pixels("all", &folders.path("train"), &folders.path("test"), &["--protocols", "detection"]);
    assert!(refused(&unknown).contains("linear-1-percent"));
}

#[test]
fn few_shot_and_label_fractions_check_their_numbers() {
    let folders = Folders::new();
    let (train, test) = (folders.path("train"), folders.path("test"));
    assert!(
        refused(&pixels("few-shot", &train, &test, &["--shots", "21"]))
            .contains("0 classes have at least 21 training images")
    );
    let two = refused(&pixels("few-shot", &train, &test, &[]));
    assert!(
        two.contains("2 classes have at least 5 training images and a test image, and an episode draws 5"),
        "{two}"
    );
    assert!(two.contains("--ways"), "{two}");
    assert!(pixels("few-shot", &train, &test, &["--ways", "2"]).status.success());
    assert!(refused(&pixels("few-shot", &train, &test, &["--ways", "1"])).contains("ways"));
    assert!(refused(&pixels("linear", &train, &test, &["--label-fraction", "0"])).contains("label fraction"));
    let output = pixels("linear", &train, &test, &["--label-fraction", "0.5"]);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("50 % of labels"));
}

/// A run of an untrained ResNet-20 on the training images.
fn untrained(folders: &Folders) -> PathBuf {
    let out = folders.path("run");
    assert!(pretrain(&folders.path("train"), &out, &["epochs=0"]).output().unwrap().status.success());
    out
}

/// Stands for a run folder that cannot be written to: permissions do not stop root.
#[test]
fn a_result_that_cannot_be_stored_is_told_before_the_work_and_otherwise_printed() {
    let folders = Folders::new();
    let (train, test, out) = (folders.path("train"), folders.path("test"), untrained(&folders));
    let evaluate = |protocol: &str| {
        let command = ["eval", protocol, text(&out), "--train", text(&train), "--test", text(&test)];
        run(&command)
    };
    std::fs::write(out.join("eval"), "no folder").unwrap();
    for protocol in ["knn", "linear", "few-shot", "fine-tune", "all"] {
        let told = refused(&evaluate(protocol));
        assert!(told.contains("run/eval ") && !told.contains("features"), "{told}");
    }
    // What only the end can tell: the result is known nevertheless.
    std::fs::remove_file(out.join("eval")).unwrap();
    std::fs::create_dir(out.join("eval")).unwrap();
    std::os::unix::fs::symlink("elsewhere", out.join("eval/knn.json")).unwrap();
    let output = evaluate("knn");
    assert!(output.status.code() == Some(1) && said(&output).contains("knn.json"), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("k-NN top-1 "));
}

#[test]
fn a_network_is_fine_tuned_and_an_interrupted_sweep_goes_on() {
    let folders = Folders::new();
    let (train, test, out) = (folders.path("train"), folders.path("test"), untrained(&folders));
    let weights = || std::fs::read(crate::common::newest(&out).join("model.safetensors")).unwrap();
    let before = weights();
    let command = ["eval", "fine-tune", text(&out), "--train", text(&train), "--test", text(&test), "--json"];
    let short = ["--epochs", "2", "--batch", "8"];
    let result = json(&mochi(&command).args(short).output().unwrap());
    assert_eq!(
        (&result["protocol"], &result["epochs"], &result["batch"]),
        (&"fine-tune/1".into(), &2.into(), &8.into())
    );
    assert_eq!(result["sweep"].as_array().unwrap().len(), 3);
    assert!(result["top1_interval"][0].as_f64().unwrap() <= result["top1"].as_f64().unwrap());
    let stored = out.join("eval/fine-tune-epochs-2-batch-8.json");
    assert!(stored.exists() && !out.join("eval/fine-tune-epochs-2-batch-8.partial").exists());
    assert!(weights() == before, "the run is as it was");

    let kill_at = |file: &Path| {
        let mut child = mochi(&command).args(short).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = std::time::Instant::now();
        while !file.exists() && begun.elapsed().as_secs() < 60 {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    };
    // Killed in the first training: it goes on after the step that was kept.
    let network = out.join("eval/fine-tune-epochs-2-batch-8.partial.safetensors");
    kill_at(&network);
    let output = mochi(&command).args(short).output().unwrap();
    assert!(said(&output).contains("resumed after step 1 at learning rate 0.001"), "{}", said(&output));
    let mut again = json(&output);
    again["seconds"] = result["seconds"].clone();
    assert_eq!(again, result);
    assert!(!network.exists());

    // Killed after the first rate: it is not tried again. The point is one that no training would give.
    let partial = out.join("eval/fine-tune-epochs-2-batch-8.partial");
    kill_at(&partial);
    let mut found: serde_json::Value = serde_json::from_slice(&std::fs::read(&partial).unwrap()).unwrap();
    found["sweep"] = serde_json::json!([{"learning_rate": 0.001, "validation_top1": 101.0}]);
    std::fs::write(&partial, found.to_string()).unwrap();
    let output = mochi(&command).args(short).output().unwrap();
    assert!(said(&output).contains("known from an interrupted call: the learning rates 0.001"), "{}", said(&output));
    assert_eq!(json(&output)["learning_rate"], 0.001);
    assert!(!partial.exists());

    let few = json(
        &mochi(&command).args(short).args(["--label-fraction", "0.1", "--learning-rate", "0.01"]).output().unwrap(),
    );
    assert_eq!((few["train_images"].as_u64(), few["label_fraction"].as_f64()), (Some(4), Some(0.1)));
    // It was refused, at any number of images, unless a learning rate was given.
    let swept = json(&mochi(&command).args(short).args(["--label-fraction", "0.5"]).output().unwrap());
    assert_eq!((swept["labeled_images"].as_array().unwrap().len(), swept["sweep"].as_array().unwrap().len()), (20, 3));
    refused(&pixels("fine-tune", &train, &test, &[]));
    refused(&mochi(&command[..7]).args(["--epochs", "0"]).output().unwrap());
    assert!(
        refused(&mochi(&command[..7]).args(["--label-fraction", "0.01"]).output().unwrap())
            .contains("1 % of the training labels")
    );
}

#[test]
fn a_plan_evaluates_several_data_sets_whose_results_are_kept_apart() {
    let folders = Folders::new();
    images(&folders.path("other/train"), 3, 8);
    images(&folders.path("other/test"), 3, 4);
    let out = untrained(&folders);
    let plan = folders.path("eval.toml");
    let data = "[[data]]\ntrain = \"train\"\ntest = \"test\"\n[[data]]\nname = \"stripes\"\ntrain = \"other/train\"\ntest = \"other/test\"\n";
    let protocols = "[[protocol]]\nname = \"knn\"\n[[protocol]]\nname = \"linear\"\nepochs = 3\ndata = [\"stripes\"]\n\
                     [[protocol]]\nname = \"fine-tune\"\nepochs = 1\nbatch = 8\nlearning_rate = 0.01\ndata = [\"\"]\n";
    std::fs::write(&plan, format!("{data}{protocols}")).unwrap();
    let output = run(&["eval", "all", text(&out), "--plan", text(&plan)]);
    assert!(output.status.success(), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    let starts: Vec<&str> = lines.lines().map(|line| line.split(" top-1").next().unwrap()).collect();
    assert_eq!(starts, ["k-NN", "fine-tuning", "stripes: k-NN", "stripes: linear"], "{lines}");
    for name in ["knn", "fine-tune-epochs-1-batch-8-learning-rate-0.01", "knn-on-stripes", "linear-epochs-3-on-stripes"]
    {
        assert!(out.join("eval").join(format!("{name}.json")).exists(), "{name}");
    }
    // Report: the page of the run did not show the results of `mochi eval` before `mochi report`.
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("knn/2, on stripes") && page.contains("fine-tune/1"), "the page names the data set");

    // Without a name, other images replace the result, which is said.
    let (train, test) = (folders.path("other/train"), folders.path("other/test"));
    let command = ["eval", "knn", text(&out), "--train", text(&train), "--test", text(&test)];
    let named = mochi(&command).args(["--dataset", "stripes"]).output().unwrap();
    assert!(named.status.success() && !said(&named).contains("is replaced"), "{}", said(&named));
    let replaced = run(&command);
    assert!(said(&replaced).contains("eval/knn.json was of other images") && said(&replaced).contains("--dataset"));

    // More than the images allow is said as by the commands of one protocol.
    std::fs::write(&plan, format!("{data}[[protocol]]\nname = \"knn\"\nk = 1000\n")).unwrap();
    let told = said(&run(&["eval", "all", text(&out), "--plan", text(&plan)]));
    assert!(told.contains("-k 1000 exceeds"), "{told}");
    std::fs::write(&plan, format!("{data}[[protocol]]\nname = \"few-shot\"\nways = 20\nshots = 1\n")).unwrap();
    let error = refused(&run(&["eval", "all", text(&out), "--plan", text(&plan)]));
    assert!(
        error.contains("eval.toml: line 8: 2 classes have a training image") && error.contains("draws 20"),
        "{error}"
    );
    std::fs::write(&plan, format!("{data}[[protocol]]\nname = \"knn\"\nkk = 3\n")).unwrap();
    let error = refused(&run(&["eval", "all", text(&out), "--plan", text(&plan)]));
    assert!(error.contains("eval.toml: line 10: unknown key `kk`") && error.contains("hint: "), "{error}");
    let missing = data.replace("other/test", "other/tset");
    std::fs::write(&plan, format!("{missing}[[protocol]]\nname = \"knn\"\n")).unwrap();
    let error = refused(&run(&["eval", "all", text(&out), "--plan", text(&plan)]));
    assert!(
        error.contains("eval.toml: line 7: there is no ") && error.contains("start at the folder of the plan"),
        "{error}"
    );
    std::fs::write(&plan, format!("{data}[[protocol]]\nname = \"knn\"\nk = 0\n")).unwrap();
    let error = refused(&run(&["eval", "all", text(&out), "--plan", text(&plan)]));
    assert!(error.contains("eval.toml: line 8: invalid value for k"), "{error}");
    assert!(refused(&run(&["eval", "all", text(&out)])).contains("no labeled images are given"));
}
