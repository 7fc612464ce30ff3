//! Page of an ablation study: accuracies by variant, differences to the baseline, the table, training curves over seeds, and the cells with their
//! commands.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mochi_ablate::plan::Axis;
use mochi_ablate::table::{Row as TableRow, Score};
use mochi_ablate::{Cells, Plan, State, StudyFolder, Table, Variant};
use mochi_figures::{Escaped, Figure, Row, rows};
use mochi_files::{shell_word, write_atomic};
use mochi_run::{MetricsLog, RunFolder};
use mochi_text::{counted, duration};

use crate::error::ReportError;
use crate::figures::WrittenFigures;
use crate::frame::push_figures;
use crate::name::{distinct, fits};
use crate::overlay::Line;
use crate::{figures, frame, matrix, overlay, paper, table};

/// Writes the page of a study to `out`, or to `report.html` in its folder, replacing an older one, and returns its path. `states[i]` is the state of
/// `cells.cells[i]`.
///
/// # Errors
/// The page cannot be written. A run that cannot be read has no curves.
pub fn write_study_page(
    study: &StudyFolder,
    plan: &Plan,
    cells: &Cells,
    states: &[State],
    table: &Table,
    out: Option<&Path>,
) -> Result<PathBuf, ReportError> {
    let [finished, all] = table.finished;
    let summary = format!(
        "ablation study: {} and {}, {finished} of {} finished",
        counted(table.rows.len(), "variant"),
        counted(plan.seeds.len(), "seed"),
        counted(all, "cell")
    );
    let mut page = frame::begin(&plan.name, &summary);
    let seeds = plan.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let [train, test] = plan.labeled.each_ref().map(|path| path.display().to_string());
    let images = plan.images.display().to_string();
    let facts = [("Images", &images), ("Labeled training images", &train), ("Test images", &test), ("Seeds", &seeds)];
    frame::push_facts(&mut page, facts.iter().map(|(term, value)| (*term, value.as_str())));
    push_figures(&mut page, "Accuracy", &accuracies(plan, table));
    matrix::push(&mut page, plan, table);
    push_table(&mut page, table);
    push_figures(&mut page, "Training", &curves(study, plan, cells));
    push_cells(&mut page, (study, out), plan, cells, states)?;
    page.push_str("<details><summary>The plan</summary><pre>");
    for line in plan.text.lines() {
        let _ = writeln!(page, "{}", Escaped(line));
    }
    page.push_str("</pre></details>\n");
    let text = format!(
        "Accuracy: a dot for each seed, a bar for their mean. Differences: to the first variant over equal seeds; the line is the 95 % interval of the \
         paired t-test. Curves: {}.",
        overlay::LEGEND
    );
    frame::end(&mut page, &text);
    match out {
        None => Ok(study.write_page(&page)?),
        Some(out) => {
            write_atomic(out, page.as_bytes())?;
            Ok(out.to_owned())
        }
    }
}

/// Writes the figures of a study as PNG and SVG files into `folder`, which is created if necessary: accuracies and differences by variant, curves over
/// training, and those of [`crate::PAPER_FIGURES`] that the study has the data of.
///
/// # Errors
/// [`ReportError::NoFigures`]; `folder` cannot be created or written to.
pub fn write_study_figures(
    study: &StudyFolder,
    plan: &Plan,
    cells: &Cells,
    table: &Table,
    folder: &Path,
) -> Result<WrittenFigures, ReportError> {
    let own = [accuracies(plan, table), curves(study, plan, cells)].concat();
    let (paper, not_drawn) = paper::of_study(plan, table);
    if own.is_empty() && paper.is_empty() {
        return Err(ReportError::NoFigures { folders: vec![study.path().to_owned()] });
    }
    let paper = paper.iter().map(|(name, figure)| (name.clone(), vec![figure]));
    let all: Vec<_> = figures::singles(&own).chain(paper).collect();
    Ok(WrittenFigures { paths: figures::write(&all, folder)?, not_drawn })
}

/// For each protocol a figure of accuracies, and one of differences where there are any.
fn accuracies(plan: &Plan, table: &Table) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (index, protocol) in table.protocols.iter().enumerate() {
        let row = |row: &TableRow, of: &dyn Fn(&Score) -> Row| Row {
            name: plan.described(&row.labels),
            ..of(&row.scores[index])
        };
        let accuracy = |score: &Score| Row {
            name: String::new(),
            text: score.mean.map_or_else(|| "no result".to_owned(), |mean| format!("{mean:.2}")),
            values: score.by_seed.iter().map(|(_, score)| *score).collect(),
            mean: score.mean,
            interval: None,
        };
        let difference = |score: &Score| Row {
            name: String::new(),
            text: match (score.difference, score.p_adjusted) {
                (Some(d), Some(p)) => format!("{:+.2}, p {p:.3}", d.mean),
                (Some(d), None) => format!("{:+.2}", d.mean),
                (None, _) => "no result".to_owned(),
            },
            values: vec![],
            mean: score.difference.map(|d| d.mean),
            interval: score.difference.and_then(|d| d.interval),
        };
        let all: Vec<Row> = table.rows.iter().map(|r| row(r, &accuracy)).collect();
        let differences: Vec<Row> = table.rows.iter().skip(1).map(|r| row(r, &difference)).collect();
        let title = protocol.title().trim_end_matches(", %");
        figures.extend(rows(title, "%", &all, &[]));
        figures.extend(rows(&format!("{title}: difference to the baseline"), "points", &differences, &[0.0]));
    }
    figures
}

fn push_table(page: &mut String, of: &Table) {
    let mut lines = mochi_ablate::format::cells(of).into_iter();
    let head = lines.next().unwrap_or_default();
    page.push_str("<h2>Table</h2>\n");
    table::push(page, &head, lines.map(|line| line.iter().map(|cell| table::text(cell)).collect()));
    for note in mochi_ablate::format::notes(of) {
        let _ = writeln!(page, "<p class=\"small\">{}</p>", Escaped(&note));
    }
}

/// Metrics over training, a line per variant.
fn curves(study: &StudyFolder, plan: &Plan, cells: &Cells) -> Vec<Figure> {
    let records: Vec<_> = cells
        .cells
        .iter()
        .map(|cell| {
            let run = study.run(cell).ok().and_then(|path| RunFolder::read(&path).ok());
            run.and_then(|run| MetricsLog::read(&run.metrics_path()).ok()).unwrap_or_default()
        })
        .collect();
    // Names that would be cut to the same are bare values, and the figure says of what.
    let described: Vec<String> = cells.variants.iter().map(|variant| plan.described(&variant.labels)).collect();
    let fit = described.iter().all(|name| fits(name));
    let axes = if fit { String::new() } else { plan.axes.iter().map(Axis::title).collect::<Vec<_>>().join(", ") };
    let names = if fit { described } else { cells.variants.iter().map(Variant::name).collect() };
    let lines = distinct(&names).into_iter().enumerate().map(|(variant, name)| {
        let own = cells.cells.iter().zip(&records).filter(|(cell, _)| cell.variant == variant);
        Line { name, runs: own.map(|(_, records)| &records[..]).collect() }
    });
    overlay::figures(&lines.collect::<Vec<_>>(), &axes)
}

fn push_cells(
    page: &mut String,
    (study, out): (&StudyFolder, Option<&Path>),
    plan: &Plan,
    cells: &Cells,
    states: &[State],
) -> Result<(), ReportError> {
    let mut rows = Vec::new();
    for (cell, state) in cells.cells.iter().zip(states) {
        let run = study.run(cell)?;
        let state = match state {
            State::Finished(finished) => match finished.seconds {
                Some(seconds) => format!("finished in {}", duration(seconds)),
                None => "finished".to_owned(),
            },
            State::Failed(failed) => format!("failed: {}", failed.reason),
            State::Running(holder) => format!("running: {holder}"),
            State::Pending => match study.training(cell)? {
                None => "not trained".to_owned(),
                Some(training) if training.finished => "trained, results are missing".to_owned(),
                Some(training) => format!("stopped at step {}", training.step),
            },
        };
        let command = format!(
            "mochi pretrain {} --config {} {}",
            shell_word(&plan.images),
            shell_word(&study.base()),
            cell.arguments.iter().map(|a| shell_word(a.as_ref()).to_string()).collect::<Vec<_>>().join(" ")
        );
        let name = format!("{}, seed {}", plan.described(&cells.variants[cell.variant].labels), cell.seed);
        let name = Escaped(&name).to_string();
        let link = match link(study, out, &RunFolder::page_path(&run)) {
            Some(to) => format!("<a href=\"{}\">{name}</a>", Escaped(&to.display().to_string())),
            None => name,
        };
        rows.push(vec![link, table::text(&state), table::code(&command)]);
    }
    page.push_str("<details><summary>The cells</summary>");
    table::push(page, &["", "state", "command"], rows);
    page.push_str("</details>\n");
    Ok(())
}

/// Where the page of a cell is, from the page of the study, if there is one in a folder below: an absolute path would lead nowhere on another machine.
fn link(study: &StudyFolder, out: Option<&Path>, page: &Path) -> Option<PathBuf> {
    if !page.is_file() {
        return None;
    }
    let page = std::path::absolute(page).ok()?;
    let folder = match out {
        None => std::path::absolute(study.path()).ok()?,
        Some(out) => std::path::absolute(out).ok()?.parent()?.to_owned(),
    };
    page.strip_prefix(&folder).ok().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_study_has_a_page_with_figures_and_its_failures() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        let text = "name = \"a < b\"\nseeds = [0, 1]\n[data]\nimages = \"a\"\ntrain = \"b\"\ntest = \"c\"\n\
                    [[axis]]\nkey = \"negatives.pairs\"\nvalues = [0, 32]\n";
        std::fs::write(&path, text).unwrap();
        let plan = Plan::read(&path).unwrap();
        let study = StudyFolder::at(&folder.path().join("study")).unwrap();
        study.write_plan(&plan).unwrap();
        let cells = Cells::of(&plan).unwrap();
        let finished = |score: f64| {
            let scores = mochi_run::Protocol::DEFAULT.map(|protocol| (protocol, score));
            State::Finished(mochi_ablate::Finished { scores: BTreeMap::from(scores), seconds: Some(60.0) })
        };
        let failed = State::Failed(mochi_ablate::Failed { reason: "no <memory>".into(), log: "x".into() });
        let states = [finished(40.0), finished(41.0), finished(42.0), failed];
        let table = Table::of(&plan, &cells, &states);
        let page = write_study_page(&study, &plan, &cells, &states, &table, None).unwrap();
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains("<h1>a &lt; b</h1>") && page.contains("3 of 4 cells finished"));
        assert_eq!(page.matches("<svg").count(), 4, "accuracy and difference of two protocols; no run has records");
        assert_eq!(page.matches("<circle").count(), 6);
        assert!(page.contains("[[axis]]\nkey = "), "the plan has its lines");
        assert!(page.contains("failed: no &lt;memory&gt;") && !page.contains("<memory>"));
        assert!(page.contains("negatives.pairs=32 seed=1</code>"), "the command of a cell");
        assert!(page.contains("<td>pairs = 32, seed 0</td>"), "no link to a page that is not there");
        let out = folder.path().join("elsewhere.html");
        std::fs::create_dir_all(study.run(&cells.cells[3]).unwrap()).unwrap();
        std::fs::write(study.run(&cells.cells[3]).unwrap().join("report.html"), "").unwrap();
        assert_eq!(write_study_page(&study, &plan, &cells, &states, &table, Some(&out)).unwrap(), out);
        let elsewhere = std::fs::read_to_string(out).unwrap();
        let link = format!("<a href=\"study/cells/{}/report.html\">pairs = 32, seed 1</a>", cells.cells[3].folder);
        assert!(elsewhere.contains(&link), "{elsewhere}");
        let out = folder.path().join("pages/page.html");
        std::fs::create_dir(folder.path().join("pages")).unwrap();
        write_study_page(&study, &plan, &cells, &states, &table, Some(&out)).unwrap();
        assert!(!std::fs::read_to_string(out).unwrap().contains("<a href"));
        // Figures and cells name the key of a value.
        assert_eq!(page.matches("<text x=\"8\" y=\"38\">pairs = 0 <tspan").count(), 2, "{page}");
        assert!(page.contains("<td>pairs = 32, seed 1</td>"), "{page}");
    }
}
