//! Figures as files: of a run, of several runs, of a study, and those of the paper.

use std::path::{Path, PathBuf};

use mochi_ablate::{Cells, Finished, Plan, State, StudyFolder, Table};
use mochi_report::{WrittenFigures, write_figures, write_study_figures};
use mochi_run::{Protocol, RunFolder};
use serde_json::json;

use crate::run_page;

/// Where a test writes its figures: below `base`, or below `MOCHI_KEEP_FIGURES`, to be looked at.
fn place(base: &Path, test: &str) -> PathBuf {
    std::env::var_os("MOCHI_KEEP_FIGURES").map_or_else(|| base.to_owned(), PathBuf::from).join(test)
}

/// An analysis of three checkpoints.
fn analyze(run: &RunFolder) {
    let checkpoint = |step: u64| {
        let better = step as f64 / 100.0;
        json!({"step": step, "alignment": 0.4 - better / 10.0, "uniformity": -1.0 - better, "proxy_accuracy": 0.5 + better / 10.0,
            "proxy_accuracy_oracle": 0.6 + better / 10.0})
    };
    let checkpoints = [100, 200, 300].map(checkpoint);
    run.write_analysis(&json!({"classes": 10, "checkpoints": checkpoints})).unwrap();
}

/// Names without extension, each once, in the order of the files.
fn names(written: &WrittenFigures) -> Vec<String> {
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<String> = written.paths.iter().map(stem).collect();
    names.dedup();
    names
}

/// Each figure is there as PNG and as SVG, which need nothing else.
fn assert_whole(written: &WrittenFigures) {
    assert_eq!(written.paths.len(), 2 * names(written).len());
    for files in written.paths.chunks(2) {
        let [png, svg] = files else { panic!() };
        assert_eq!((png.extension(), svg.extension()), (Some("png".as_ref()), Some("svg".as_ref())));
        let svg = std::fs::read_to_string(svg).unwrap();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("<style>") && !svg.contains("var(") && !svg.contains("href") && !svg.contains("NaN"));
        let reader = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(png).unwrap())).read_info().unwrap();
        let width = format!("width=\"{}\" height=\"{}\"", reader.info().width / 3, reader.info().height / 3);
        assert!(svg.contains(&width), "{} is not of the size of its SVG", png.display());
    }
}

#[test]
fn a_run_has_its_charts_and_the_figures_of_the_paper() {
    let base = tempfile::tempdir().unwrap();
    let run = run_page::run(&base.path().join("run"), 240);
    let folder = place(base.path(), "a/run");
    let written = write_figures(&[run.path().to_owned()], &folder).unwrap();
    assert_whole(&written);
    let all = names(&written);
    assert_eq!(all[..2], ["overview", "loss-and-chance-level"]);
    let paper =
        ["paper-matching-probability-1", "paper-matching-probability-2", "paper-proxy-task", "paper-false-negatives"];
    assert_eq!(all[1 + run_page::charts()..], paper);
    let missing: Vec<(&str, &str)> = written.not_drawn.iter().map(|one| (one.name, one.needs.as_str())).collect();
    let needs = [
        ("class-oracle", "an analysis with classes"),
        ("alignment-uniformity", "an analysis with alignment and uniformity"),
    ];
    assert_eq!(missing, needs);
    assert_eq!(written.not_drawn[1].command, format!("mochi analyze {} DATA", run.path().display()));

    analyze(&run);
    let written = write_figures(&[run.path().to_owned()], &folder).unwrap();
    assert_eq!(written.not_drawn, []);
    let svg = std::fs::read_to_string(folder.join("paper-alignment-uniformity.svg")).unwrap();
    assert_eq!(svg.matches("<circle").count(), 4, "a dot for each checkpoint, and one more for the last");
    assert!(svg.contains(">run <"), "a single run has no number: {svg}");
    let svg = std::fs::read_to_string(folder.join("paper-class-oracle.svg")).unwrap();
    assert!(svg.contains("class oracle <tspan class=\"value\">90.0") && svg.contains("all negatives"), "{svg}");

    let empty = run_page::run(&base.path().join("empty"), 0);
    let error = write_figures(&[empty.path().to_owned()], &folder).unwrap_err();
    assert!(
        error.to_string().ends_with("empty has no records or results yet, so there is no figure to draw"),
        "{error}"
    );
    assert!(error.hint().is_some());
    let file = base.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(write_figures(&[run.path().to_owned()], &file).unwrap_err().hint().is_some());
}

#[test]
fn several_runs_share_the_axes_of_the_paper() {
    let base = tempfile::tempdir().unwrap();
    let runs = ["first", "second"].map(|name| {
        let run = run_page::run(&base.path().join(name), 40);
        analyze(&run);
        run.path().to_owned()
    });
    let folder = place(base.path(), "runs");
    let written = write_figures(&runs, &folder).unwrap();
    assert_whole(&written);
    assert_eq!(written.not_drawn, []);
    let all = names(&written);
    assert!(all.contains(&"paper-matching-probability-run-2-1".to_owned()) && all.contains(&"uniformity".to_owned()));
    for name in ["paper-proxy-task", "paper-alignment-uniformity", "paper-class-oracle", "paper-false-negatives"] {
        let svg = std::fs::read_to_string(folder.join(format!("{name}.svg"))).unwrap();
        assert!(svg.contains(">1 first <") && svg.contains(">2 second <"), "{name}: {svg}");
    }
}

/// A study over `axes`, with a result for every cell.
fn study(folder: &Path, axes: &str) -> (StudyFolder, Plan, Cells, Table) {
    let path = folder.join("plan.toml");
    let data = "[data]\nimages = \"a\"\ntrain = \"b\"\ntest = \"c\"\n";
    std::fs::write(&path, format!("seeds = [0, 1]\nevaluate = [\"knn\"]\n{data}{axes}")).unwrap();
    let plan = Plan::read(&path).unwrap();
    let study = StudyFolder::at(&folder.join("study")).unwrap();
    let cells = Cells::of(&plan).unwrap();
    let state = |at: usize| {
        State::Finished(Finished { scores: [(Protocol::Knn, 40.0 + at as f64)].into_iter().collect(), seconds: None })
    };
    let states: Vec<State> = (0..cells.cells.len()).map(state).collect();
    let table = Table::of(&plan, &cells, &states);
    (study, plan, cells, table)
}

#[test]
fn a_study_has_heat_maps_over_the_axes_of_the_paper() {
    let base = tempfile::tempdir().unwrap();
    let folder = place(base.path(), "study");
    let axes = "[[axis]]\nkey = \"negatives.pairs\"\nvalues = [0, 32, 64]\n\
                [[axis]]\nkey = \"moco.temperature\"\nvalues = [0.1, 0.2]\n\
                [[axis]]\nkey = \"negatives.query_mixes\"\nvalues = [0, 16]\n";
    let (folders, plan, cells, table) = study(base.path(), axes);
    let written = write_study_figures(&folders, &plan, &cells, &table, &folder).unwrap();
    assert_whole(&written);
    let all = names(&written);
    assert_eq!(all, ["k-nn-top-1", "k-nn-top-1-difference-to-the-baseline", "paper-mixes-1", "paper-mixes-2"]);
    let svg = std::fs::read_to_string(folder.join("paper-mixes-2.svg")).unwrap();
    assert!(svg.contains(": moco.temperature 0.2") && svg.matches("<rect class=\"cell\"").count() == 6, "{svg}");
    // Cells of the first seed are 40 to 51, those of the second 52 to 63; the last variant has 51 and 63.
    assert!(svg.contains("<text class=\"mid best\"") && svg.contains(">57.00<") && svg.contains("± 8.49 (2)"), "{svg}");
    let missing: Vec<&str> = written.not_drawn.iter().map(|one| one.name).collect();
    assert_eq!(missing, ["hard-negatives"]);
    assert_eq!(written.not_drawn[0].needs, "a grid over negatives.hardest and negatives.pairs");
}
