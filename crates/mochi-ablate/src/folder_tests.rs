//! States of cells.

use std::time::Duration;

use super::*;
use crate::Cells;

/// A study of two cells whose plan is `place/plan.toml`, in `place/study`.
struct Study {
    plan: Plan,
    cells: Cells,
    folder: StudyFolder,
    leases: Leases,
}

impl Study {
    fn new(place: &Path) -> Study {
        Study::with_data(place, "train = \"b\"\ntest = \"c\"\n")
    }

    /// `labeled`: the plan's labeled images.
    fn with_data(place: &Path, labeled: &str) -> Study {
        let path = place.join("plan.toml");
        let axis = "[[axis]]\nkey = \"moco.queue\"\nvalues = [64, 128]\n";
        std::fs::write(&path, format!("[data]\nimages = \"a\"\n{labeled}{axis}")).unwrap();
        let plan = Plan::read(&path).unwrap();
        let (cells, folder) = (Cells::of(&plan).unwrap(), StudyFolder::at(&place.join("study")).unwrap());
        let leases = Leases::new(folder.leases(), Duration::from_secs(60));
        Study { plan, cells, folder, leases }
    }

    /// The first cell.
    fn cell(&self) -> &Cell {
        &self.cells.cells[0]
    }

    fn state(&self) -> State {
        self.folder.state(self.cell(), &self.plan, &self.leases).unwrap()
    }

    fn is_finished(&self) -> bool {
        matches!(self.state(), State::Finished(_))
    }

    /// Makes the first cell's run with a checkpoint.
    fn checkpoint(&self, step: u64, finished: bool) {
        self.folder.write_plan(&self.plan).unwrap();
        let run = self.folder.run(self.cell()).unwrap();
        let checkpoint = run.join(format!("checkpoints/step-{step}"));
        std::fs::create_dir_all(&checkpoint).unwrap();
        let state = serde_json::json!({"finished": finished, "elapsed_s": 1.0});
        std::fs::write(checkpoint.join("state.json"), state.to_string()).unwrap();
        std::fs::write(run.join("config.toml"), "").unwrap();
    }

    /// Writes the first cell's results of a step on labeled images, training and test.
    fn evaluate(&self, step: u64, [train, test]: [&str; 2]) {
        let eval = self.folder.run(self.cell()).unwrap().join("eval");
        std::fs::create_dir_all(&eval).unwrap();
        let result = serde_json::json!({"top1": 40.5, "step": step, "train": train, "test": test}).to_string();
        for protocol in &self.plan.evaluate {
            std::fs::write(eval.join(format!("{}.json", protocol.name())), &result).unwrap();
        }
    }

    /// Trains and evaluates the first cell as a worker does.
    fn finish(&self) {
        self.checkpoint(100, true);
        self.folder.record_trained(self.cell(), &self.plan).unwrap();
        let found = self.plan.labeled.each_ref().map(|path| path.to_str().unwrap());
        self.evaluate(100, found);
        self.folder.add_seconds(self.cell(), 10.0).unwrap();
    }
}

#[test]
fn the_state_of_a_cell_follows_from_its_folder() {
    let place = tempfile::tempdir().unwrap();
    let study = Study::new(place.path());
    let (folder, cell) = (&study.folder, study.cell());
    assert!(!folder.path().exists(), "nothing is written before the first cell");
    folder.write_plan(&study.plan).unwrap();
    assert_eq!(study.state(), State::Pending);

    let lease = study.leases.acquire(&cell.id).unwrap().unwrap();
    assert!(matches!(study.state(), State::Running(_)));
    drop(lease);
    let failed = Failed { reason: "no memory".into(), log: folder.log(cell) };
    folder.record_failure(cell, &failed).unwrap();
    assert_eq!(study.state(), State::Failed(failed));
    // Report: a worker that took the lease of a cell at which another one had just failed ran it again.
    assert!(!folder.is_open(cell, &study.plan).unwrap());
    folder.forget_failure(cell).unwrap();
    folder.forget_failure(cell).unwrap();
    assert_eq!(study.state(), State::Pending);

    // Its folder keeps its name when the labels of the plan change.
    let run = folder.path().join("cells").join(format!("another-name-{}", cell.id));
    std::fs::create_dir_all(&run).unwrap();
    assert_eq!(folder.run(cell).unwrap(), run);
    let other = &study.cells.cells[1];
    assert_eq!(folder.run(other).unwrap(), folder.path().join("cells").join(&other.folder));

    study.finish();
    std::fs::write(run.join("eval/linear.json"), "{\"top").unwrap();
    assert_eq!(study.state(), State::Pending, "a torn result counts as missing");
    assert_eq!(folder.missing(cell, &study.plan).unwrap(), [Protocol::Linear]);
    study.finish();
    let scores = BTreeMap::from([(Protocol::Knn, 40.5), (Protocol::Linear, 40.5)]);
    assert_eq!(study.state(), State::Finished(Finished { scores, seconds: Some(20.0) }));
    assert_eq!(folder.missing(cell, &study.plan).unwrap(), []);
}

#[test]
fn a_folder_with_something_else_is_no_study() {
    let place = tempfile::tempdir().unwrap();
    let study = Study::new(place.path());
    study.folder.write_plan(&study.plan).unwrap();
    StudyFolder::at(study.folder.path()).unwrap();
    let error = StudyFolder::at(place.path()).unwrap_err();
    assert!(matches!(error, AblateError::NotAStudy { .. }), "a folder with somebody's plan.toml is not one");
    let other = place.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("photo.jpg"), "").unwrap();
    assert!(matches!(StudyFolder::at(&other), Err(AblateError::NotAStudy { .. })));
}

/// Report: after Ctrl-C in a cell and `mochi eval all CELL` on the plan's images, the cell was never resumed and was in the table.
#[test]
fn an_evaluated_cell_whose_training_has_not_ended_is_pending() {
    let place = tempfile::tempdir().unwrap();
    let study = Study::new(place.path());
    let found = study.plan.labeled.clone().map(|path| path.to_str().unwrap().to_owned());
    let found = found.each_ref().map(String::as_str);
    study.checkpoint(50, false);
    study.evaluate(50, found);
    assert_eq!(study.state(), State::Pending);
    assert!(study.folder.is_open(study.cell(), &study.plan).unwrap());
    assert_eq!(study.folder.missing(study.cell(), &study.plan).unwrap(), study.plan.evaluate);
    // Trained to the end, its results are those of an earlier step.
    study.checkpoint(100, true);
    assert_eq!(study.state(), State::Pending);
    assert_eq!(study.folder.missing(study.cell(), &study.plan).unwrap(), study.plan.evaluate);
    study.evaluate(100, found);
    assert!(study.is_finished() && !study.folder.is_open(study.cell(), &study.plan).unwrap());
    // `mochi resume CELL --from 50`, stopped at step 70, sets the last checkpoint aside.
    std::fs::remove_dir_all(study.folder.run(study.cell()).unwrap().join("checkpoints/step-100")).unwrap();
    study.checkpoint(70, false);
    assert_eq!(study.state(), State::Pending);
}

/// Report: a study that was moved or downloaded had no finished cell, and two machines with other mounts replaced each other's results for ever.
#[test]
fn a_study_that_was_moved_keeps_its_results() {
    let [here, there] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let study = Study::new(here.path());
    study.finish();
    let moved = Study::new(there.path());
    std::fs::rename(here.path().join("study"), there.path().join("study")).unwrap();
    assert!(moved.is_finished());
    assert_ne!(moved.plan.labeled, study.plan.labeled);
    // The machine that has it now evaluates: the results count on both.
    let found = moved.plan.labeled.each_ref().map(|path| path.to_str().unwrap());
    moved.folder.record_trained(moved.cell(), &moved.plan).unwrap();
    moved.evaluate(100, found);
    assert!(moved.is_finished());
    std::fs::rename(there.path().join("study"), here.path().join("study")).unwrap();
    assert!(study.is_finished());
    // A copy without the checkpoints, which are its largest files.
    let run = study.folder.run(study.cell()).unwrap();
    std::fs::remove_dir_all(run.join("checkpoints")).unwrap();
    assert!(study.is_finished());
    let all = &study.plan.evaluate;
    assert_eq!(&study.folder.missing(study.cell(), &study.plan).unwrap(), all, "it would have to be trained again");
}

#[test]
fn results_of_other_images_do_not_count() {
    let place = tempfile::tempdir().unwrap();
    let study = Study::new(place.path());
    study.finish();
    let found = study.plan.labeled.clone().map(|path| path.to_str().unwrap().to_owned());
    let [train, test] = found.each_ref().map(String::as_str);
    study.evaluate(100, [test, train]);
    assert_eq!(study.state(), State::Pending);
    study.evaluate(100, [train, test]);
    assert!(study.is_finished());
    let other = Study::with_data(place.path(), "train = \"b\"\ntest = \"d\"\n");
    assert_eq!(other.cell().id, study.cell().id);
    assert_eq!(other.state(), State::Pending, "other labeled images of the plan");
    let written = format!("train = \"./b\"\ntest = \"{test}\"\n");
    assert!(!Study::with_data(place.path(), &written).is_finished(), "./b does not exist, so it is another path");
    std::fs::create_dir(place.path().join("b")).unwrap();
    assert!(Study::with_data(place.path(), &written).is_finished(), "the same folders, written in another way");
}

/// Report: where one of the two sets was an address, the other one was not compared either.
#[test]
fn beside_an_address_a_path_is_compared_as_well() {
    let place = tempfile::tempdir().unwrap();
    let study = Study::with_data(place.path(), "train = \"https://host/a.tar?sig=TOP\"\ntest = \"c\"\n");
    let test = study.plan.labeled[1].to_str().unwrap();
    study.checkpoint(100, true);
    study.folder.record_trained(study.cell(), &study.plan).unwrap();
    for (found, counts) in [
        (["https://host/a.tar?sig=***", test], true),
        (["https://host/a.tar?sig=***", "/other"], false),
        (["https://host/b.tar?sig=***", test], false),
    ] {
        study.evaluate(100, found);
        assert_eq!(study.is_finished(), counts, "{found:?}");
    }
    let cell = std::fs::read_to_string(study.folder.run(study.cell()).unwrap().join("cell.json")).unwrap();
    assert!(cell.contains("https://host/a.tar") && !cell.contains("TOP"), "{cell}");
}
