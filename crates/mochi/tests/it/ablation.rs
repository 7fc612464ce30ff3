//! `mochi ablate` through the binary.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::common::{TINY, images, json, mochi, newest, said};

/// A plan of two variants, MoCo v2 and MoCHi, on 2 x 20 images.
struct Study {
    root: tempfile::TempDir,
}

impl Study {
    fn new(seeds: &str) -> Study {
        let study = Study { root: tempfile::tempdir().unwrap() };
        images(&study.path("train"), 5, 8);
        images(&study.path("test"), 5, 3);
        study.plan(seeds, "");
        study
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn plan(&self, seeds: &str, more: &str) {
        let base: Vec<String> = TINY
            .iter()
            .map(|setting| setting.split_once('=').unwrap())
            .filter(|(key, _)| !key.starts_with("negatives.pairs"))
            .map(|(key, value)| {
                let text = value.parse::<f64>().is_err();
                if text { format!("{key} = \"{value}\"\n") } else { format!("{key} = {value}\n") }
            })
            .collect();
        let plan = format!(
            "name = \"Tiny study\"\nseeds = {seeds}\nevaluate = [\"knn\", \"linear\", \"few-shot\"]\n[data]\nimages = \"train\"\ntrain = \"train\"\ntest = \"test\"\n\
             [base]\nextends = \"small-mochi\"\n{}[[axis]]\nkey = \"negatives.pairs\"\nvalues = [0, 16]\n{more}",
            base.concat()
        );
        std::fs::write(self.path("plan.toml"), plan).unwrap();
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = mochi(&["ablate"]);
        command.arg(self.path("plan.toml")).arg("--out").arg(self.path("study")).args(more);
        command
    }

    fn run(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    /// How often a cell's training ended, by log.
    fn trained(&self) -> Vec<usize> {
        let logs = std::fs::read_dir(self.path("study/logs")).unwrap().map(|entry| entry.unwrap().path());
        logs.map(|log| std::fs::read_to_string(log).unwrap().matches(" steps in ").count()).collect()
    }
}

fn ends_well(output: &Output) {
    assert!(output.status.success(), "{}", said(output));
}

#[test]
fn a_plan_is_trained_once_and_grows() {
    let study = Study::new("[0]");
    let planned = study.run(&["--dry-run"]);
    ends_well(&planned);
    let planned = String::from_utf8(planned.stdout).unwrap();
    assert!(planned.starts_with("0, seed 0: about ") && planned.contains("\n16, seed 0: about "), "{planned}");
    assert!(!study.path("study").exists(), "nothing is written");

    let table = json(&study.run(&["--json"]));
    assert_eq!((&table["name"], &table["finished"]), (&"Tiny study".into(), &serde_json::json!([2, 2])));
    assert_eq!(table["rows"][1]["labels"], serde_json::json!(["16"]));
    let top1 = |row: usize, protocol: usize| table["rows"][row]["scores"][protocol]["mean"].as_f64().unwrap();
    assert!((0.0..=100.0).contains(&top1(0, 0)) && (0.0..=100.0).contains(&top1(1, 1)));
    let difference = table["rows"][1]["scores"][0]["difference"]["mean"].as_f64().unwrap();
    assert!((difference - (top1(1, 0) - top1(0, 0))).abs() < 1e-9);
    assert_eq!(study.trained(), [1, 1]);
    let markdown = std::fs::read_to_string(study.path("study/table.md")).unwrap();
    assert!(markdown.starts_with("| negatives.pairs | k-NN top-1, % |"), "{markdown}");

    let page = std::fs::read_to_string(study.path("study/report.html")).unwrap();
    assert!(
        page.contains("<h1>Tiny study</h1>") && page.contains("Proxy task"),
        "figures of accuracies and of training"
    );

    // Somebody evaluates a cell on other images: it is evaluated again, not trained.
    let cell = std::fs::read_dir(study.path("study/cells")).unwrap().next().unwrap().unwrap().path();
    let mut swapped = mochi(&["eval", "knn"]);
    swapped.arg(&cell).arg("--train").arg(study.path("test")).arg("--test").arg(study.path("train"));
    ends_well(&swapped.output().unwrap());
    let repaired = json(&study.run(&["--json"]));
    assert_eq!(repaired["rows"][1]["scores"], table["rows"][1]["scores"]);
    assert_eq!(study.trained().iter().sum::<usize>(), 3, "a resumed run that has ended says how many steps it has");

    // Nothing is trained twice, and another seed only adds its cells.
    let again = study.run(&[]);
    ends_well(&again);
    assert!(said(&again).contains("0 cells to train or to evaluate"), "{}", said(&again));
    assert_eq!(study.trained().iter().sum::<usize>(), 3);
    study.plan("[0, 1]", "");
    ends_well(&study.run(&[]));
    assert_eq!(study.trained().iter().sum::<usize>(), 5);
    let figures = study.path("figures");
    let latex = study.run(&["--table", "latex", "--figures", figures.to_str().unwrap()]);
    let told = said(&latex);
    assert!(String::from_utf8(latex.stdout).unwrap().contains("\\begin{tabular}{lllllllllll}\n"));
    assert!(figures.join("k-nn-top-1.png").is_file() && figures.join("k-nn-top-1.svg").is_file(), "{told}");
    let missing =
        "paper-mixes is not drawn: it needs a grid over negatives.pairs and negatives.query_mixes\nhint: mochi ablate";
    assert!(told.contains(missing), "{told}");

    // The page needs no images.
    let written = std::fs::read_to_string(study.path("study/report.html")).unwrap();
    assert!(written.contains("4 of 4 cells finished"), "{written}");
    std::fs::remove_file(study.path("study/report.html")).unwrap();
    for data in ["train", "test"] {
        std::fs::remove_dir_all(study.path(data)).unwrap();
    }
    let report = |arguments: &[&str]| {
        let output = mochi(&["report"]).args(arguments).current_dir(study.root.path()).output().unwrap();
        ends_well(&output);
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(report(&["study"]), "study/report.html\n");
    let of_folder = std::fs::read_to_string(study.path("study/report.html")).unwrap();
    let figures_of =
        |page: &str| -> Vec<String> { page.lines().filter(|l| l.contains("<svg")).map(str::to_owned).collect() };
    assert_eq!(figures_of(&of_folder), figures_of(&written), "the page that mochi ablate wrote");
    std::fs::create_dir(study.path("runs")).unwrap();
    std::fs::rename(study.path("study"), study.path("runs/tiny-study")).unwrap();
    let printed = report(&["plan.toml", "--out", "page.html", "--figures", "of-report"]);
    assert!(printed.starts_with("page.html\nof-report/k-nn-top-1.png\n"), "{printed}");
    let page = std::fs::read_to_string(study.path("page.html")).unwrap();
    assert_eq!(figures_of(&page), figures_of(&written));
    assert_eq!(page.matches("<a href=\"runs/tiny-study/cells/").count(), 4, "{page}");
}

#[test]
fn a_failed_cell_is_shown_and_does_not_stop_the_rest() {
    let study = Study::new("[0]");
    ends_well(&study.run(&["--dry-run"]));
    // What the first cell's run folder would be is taken by something else.
    let plan = mochi_ablate::Plan::read(&study.path("plan.toml")).unwrap();
    let id = mochi_ablate::Cells::of(&plan).unwrap().cells[0].id.clone();
    let taken = study.path("study/cells").join(format!("taken-{id}"));
    ends_well(&study.run(&["--table", "text"]));
    assert!(!study.path("study").exists(), "nothing is written");
    std::fs::create_dir_all(&taken).unwrap();
    for file in ["plan.toml", "base.toml"] {
        std::fs::write(study.path("study").join(file), "").unwrap();
    }
    std::fs::write(taken.join("photo.jpg"), "").unwrap();
    let output = study.run(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.contains("1 of 2 cells finished") && text.contains("Failed: 0, seed 0: "), "{text}");
    assert!(text.contains("is not empty and not a run"), "{text}");
    assert!(said(&output).contains("hint: once the cause is removed, `mochi ablate "), "{}", said(&output));

    std::fs::remove_file(taken.join("photo.jpg")).unwrap();
    let output = study.run(&[]);
    assert_eq!(output.status.code(), Some(1), "not without a request");
    ends_well(&study.run(&["--retry-failed"]));
    assert_eq!(study.trained().iter().sum::<usize>(), 2);
}

#[test]
fn a_stopped_study_goes_on_and_two_workers_share_one() {
    let study = Study::new("[0, 1]");
    let mut first = study.command(&[]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    // The folder shows each cell that has ended while the command goes on.
    assert!(lines.any(|line| line.unwrap().contains("[2/4] ")));
    let table = std::fs::read_to_string(study.path("study/table.txt")).unwrap();
    assert!(table.contains("1 of 4 cells finished") && study.path("study/report.html").is_file(), "{table}");
    assert!(lines.any(|line| line.unwrap().contains(": epoch 1/2 step 1/")));
    let kill = Command::new("kill").args(["-TERM", &first.id().to_string()]).status().unwrap();
    assert!(kill.success());
    lines.for_each(drop);
    assert_eq!(first.wait().unwrap().code(), Some(130));
    assert!(leases(&study.path("study")).is_empty());

    // The process that trains ends with a worker that is killed, and saves what it has.
    let mut first = study.command(&[]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("about")));
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(!processes_of(&study.path("study")).is_empty());
    first.kill().unwrap();
    first.wait().unwrap();
    let begun = std::time::Instant::now();
    while !processes_of(&study.path("study")).is_empty() {
        assert!(begun.elapsed().as_secs() < 30, "{:?}", processes_of(&study.path("study")));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }

    let [a, b] = [study.command(&[]), study.command(&[])]
        .map(|mut command| command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    for worker in [a, b] {
        let output = worker.wait_with_output().unwrap();
        ends_well(&output);
    }
    assert_eq!(study.trained(), [1, 1, 1, 1], "each cell once");
    assert!(leases(&study.path("study")).is_empty());
}

/// Reports: a cell that was stopped and evaluated by hand was never trained to its end; a study that was moved had no finished cell; and a cell that only
/// lacks results was charged its whole training, so that `hours` kept it from being evaluated.
#[test]
fn a_half_trained_cell_is_trained_on_and_a_moved_study_keeps_its_cells() {
    let study = Study::new("[0]");
    let plan = std::fs::read_to_string(study.path("plan.toml")).unwrap();
    let checkpoints = "checkpoint.every_steps = 5\ncheckpoint.keep_last = 2\n[[axis]]";
    std::fs::write(study.path("plan.toml"), plan.replace("[[axis]]", checkpoints)).unwrap();
    ends_well(&study.run(&[]));
    let cell = std::fs::read_dir(study.path("study/cells")).unwrap().next().unwrap().unwrap().path();
    // The state after a stop: the newest checkpoint is not the last one, and the results are of that.
    let last = newest(&cell);
    std::fs::remove_dir_all(&last).unwrap();
    assert_ne!(newest(&cell), last);
    let [train, test] = ["train", "test"].map(|name| study.path(name));
    let mut by_hand = mochi(&["eval", "all", "--protocols", "knn,linear,few-shot"]);
    by_hand.arg(&cell).arg("--train").arg(&train).arg("--test").arg(&test);
    ends_well(&by_hand.output().unwrap());
    assert_eq!(json(&study.run(&["--table", "text", "--json"]))["finished"], serde_json::json!([1, 2]));
    let trained = study.trained().iter().sum::<usize>();
    ends_well(&study.run(&[]));
    assert_eq!(study.trained().iter().sum::<usize>(), trained + 1);
    assert_eq!(newest(&cell), last);

    // A cell that only lacks a result is not charged its training time.
    std::fs::remove_file(cell.join("eval/knn.json")).unwrap();
    let planned = study.run(&["--dry-run"]);
    let planned = String::from_utf8(planned.stdout).unwrap();
    assert!(planned.contains("seed 0: about 0s"), "{planned}");
    ends_well(&study.run(&[]));

    let moved = tempfile::tempdir().unwrap();
    for name in ["plan.toml", "train", "test", "study"] {
        std::fs::rename(study.path(name), moved.path().join(name)).unwrap();
    }
    let mut table = mochi(&["ablate", "--table", "text", "--json"]);
    table.arg(moved.path().join("plan.toml")).arg("--out").arg(moved.path().join("study"));
    assert_eq!(json(&table.output().unwrap())["finished"], serde_json::json!([2, 2]));
}

/// The commands of processes that name a cell of the study.
fn processes_of(study: &Path) -> Vec<String> {
    let cells = study.join("cells").display().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    commands.map(|text| String::from_utf8_lossy(&text).into_owned()).filter(|text| text.contains(&cells)).collect()
}

fn leases(study: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(study.join("leases")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_plan_that_cannot_work_is_refused_before_any_training() {
    let study = Study::new("[0]");
    let refused = |more: &str, part: &str| {
        study.plan("[0]", more);
        let output = study.run(&[]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(part) && text.contains("\nhint: "), "{text}");
    };
    refused("[[axis]]\nkey = \"moco.quee\"\nvalues = [1]\n", "variant \"0, 1\": unknown key `moco.quee` (");
    refused("[[axis]]\nkey = \"moco.batch\"\nvalues = [8, 400]\n", "variant \"0, 400\": ");
    refused("[data]\n", "plan.toml: ");
    study.plan("[0]", "");
    std::fs::remove_dir_all(study.path("test")).unwrap();
    let output = study.run(&[]);
    let text = said(&output);
    assert!(text.contains("plan.toml: line 7: there is no ") && output.status.code() == Some(1), "{text}");
    assert!(text.contains("hint: check the spelling; relative paths start at the folder of the plan"), "{text}");
    assert!(!study.path("study").exists());
}

#[test]
fn detectors_start_from_the_encoders_of_the_cells() {
    let study = Study::new("[0]");
    crate::detector::voc(&study.path("boxes"));
    let settings: Vec<String> = crate::detector::TINY
        .iter()
        .filter(|setting| !setting.starts_with("model.arch") && !setting.starts_with("model.stem"))
        .map(|setting| setting.replacen('=', " = ", 1) + "\n")
        .collect();
    let plan = |iterations: &str| {
        study.plan("[0]", &format!("[detection]\nimages = \"boxes\"\n{}", settings.concat()));
        let text = std::fs::read_to_string(study.path("plan.toml")).unwrap();
        let text =
            text.replace("[\"knn\", \"linear\", \"few-shot\"]", "[\"knn\", \"detection-ap50\", \"detection-ap\"]");
        std::fs::write(study.path("plan.toml"), text.replace("iterations = 3", iterations)).unwrap();
    };
    plan("iterations = 3");
    let table = json(&study.run(&["--json"]));
    assert_eq!(table["protocols"], serde_json::json!(["knn", "detection-ap50", "detection-ap"]));
    assert_eq!(table["finished"], serde_json::json!([2, 2]));
    for row in 0..2 {
        let mean = |protocol: usize| table["rows"][row]["scores"][protocol]["mean"].as_f64().unwrap();
        assert!((0.0..=100.0).contains(&mean(1)) && mean(2) <= mean(1), "{table}");
    }
    let detectors =
        || std::fs::read_dir(study.path("study/detectors")).unwrap().map(|d| d.unwrap().path()).collect::<Vec<_>>();
    let cells = std::fs::read_dir(study.path("study/cells")).unwrap().count();
    assert_eq!((detectors().len(), cells), (2, 2));
    for detector in detectors() {
        let config = std::fs::read_to_string(detector.join("config.toml")).unwrap();
        assert!(config.contains("study/cells/"), "its backbone is a cell's: {config}");
    }
    let markdown = std::fs::read_to_string(study.path("study/table.md")).unwrap();
    assert!(markdown.contains("| k-NN top-1, % |") && markdown.contains("| box AP50, % |"), "{markdown}");
    // Nothing is trained twice; other settings of detection only train detectors.
    let trained = study.trained().iter().sum::<usize>();
    ends_well(&study.run(&[]));
    assert_eq!(study.trained().iter().sum::<usize>(), trained);
    plan("iterations = 2");
    ends_well(&study.run(&[]));
    assert_eq!(detectors().len(), 4);
    // What cannot work is said before the first cell: masks of objects that have none, images that are not there.
    let before = std::fs::read_to_string(study.path("plan.toml")).unwrap();
    std::fs::write(study.path("plan.toml"), before.replace("\"detection-ap\"]", "\"segmentation-ap\"]")).unwrap();
    let text = said(&study.run(&[]));
    let wanted =
        "\"segmentation-ap\" needs masks, and the objects of split train have none\nhint: name images with masks, or";
    assert!(text.contains("plan.toml: line ") && text.contains(wanted), "{text}");
    std::fs::write(study.path("plan.toml"), before).unwrap();
    std::fs::remove_dir_all(study.path("boxes/ImageSets")).unwrap();
    let output = study.run(&[]);
    let text = said(&output);
    assert!(
        output.status.code() == Some(1)
            && text.contains("plan.toml: line ")
            && text.contains("paths in [detection] start at"),
        "{text}"
    );
    let eval = ["eval", "all", "pixels", "--train", "a", "--test", "b", "--protocols", "detection-ap"];
    assert!(said(&mochi(&eval).output().unwrap()).contains("unknown protocol \"detection-ap\""));
}
