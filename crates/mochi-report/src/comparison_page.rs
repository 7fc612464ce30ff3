//! Page that compares several runs: results, the settings in which they differ, and curves.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::frame::push_figures;
use mochi_figures::Escaped;
use mochi_run::{MetricsLog, Record, RunFolder};
use mochi_text::counted;

use crate::error::ReportError;
use crate::name::numbered_name;
use crate::results::{self, Results};
use crate::settings::RunSettings;
use crate::{frame, overlay, results_table, table};

/// What the page shows of a run.
struct Compared {
    name: String,
    settings: RunSettings,
    records: Vec<Record>,
    results: Results,
}

/// The page of several runs as HTML, in their order.
///
/// # Errors
/// A path is not a run folder, or its settings or metrics cannot be read; [`ReportError::DifferentTasks`].
pub fn comparison_page(runs: &[PathBuf]) -> Result<String, ReportError> {
    let numbered = runs.iter().enumerate().map(|(index, path)| read(index + 1, path));
    let compared = numbered.collect::<Result<Vec<_>, _>>()?;
    check_tasks(runs, &compared)?;
    let runs = compared;
    let names = runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>().join(", ");
    let mut page = frame::begin(&format!("Comparison of {}", counted(runs.len(), "run")), &names);
    push_results(&mut page, &runs);
    push_settings(&mut page, &runs);
    let lines: Vec<_> = runs.iter().map(|run| (run.name.clone(), run.records.iter().collect())).collect();
    push_figures(&mut page, "Curves", &overlay::figures(&lines, ""));
    let left_out = runs.len().saturating_sub(overlay::LINES);
    let mut text = "The loss of runs with different negatives is not comparable.".to_owned();
    if left_out > 0 {
        let _ = write!(text, " The charts show the first {} runs.", overlay::LINES);
    }
    frame::end(&mut page, &text);
    Ok(page)
}

/// Refuses runs of different tasks, which have hardly a result, a setting or a curve in common.
fn check_tasks(paths: &[PathBuf], runs: &[Compared]) -> Result<(), ReportError> {
    let mut tasks = paths.iter().zip(runs).map(|(path, run)| (path.clone(), run.settings.task));
    let Some(first) = tasks.next() else { return Ok(()) };
    match tasks.find(|(_, task)| *task != first.1) {
        None => Ok(()),
        Some(other) => Err(ReportError::DifferentTasks { first, other }),
    }
}

fn read(number: usize, path: &Path) -> Result<Compared, ReportError> {
    let folder = RunFolder::read(path)?;
    let settings = RunSettings::read(&folder)?;
    let records = MetricsLog::read(&folder.metrics_path())?;
    let results = results::read(&folder);
    Ok(Compared { name: numbered_name(number, path), settings, records, results })
}

fn push_results(page: &mut String, runs: &[Compared]) {
    let mut protocols: Vec<String> = runs.iter().flat_map(|run| run.results.protocols()).map(str::to_owned).collect();
    protocols.sort();
    protocols.dedup();
    if protocols.is_empty() {
        return;
    }
    page.push_str("<h2>Evaluation, top-1 in %</h2>\n");
    let head: Vec<&str> = std::iter::once("").chain(protocols.iter().map(String::as_str)).collect();
    let rows = runs.iter().map(|run| {
        let cell = |protocol: &String| {
            // A run of no steps is an untrained encoder.
            let of = |subject| run.results.find(protocol, subject);
            of("trained").or_else(|| of("untrained")).map_or_else(|| "-".to_owned(), results_table::cell)
        };
        std::iter::once(format!("<b>{}</b>", Escaped(&run.name))).chain(protocols.iter().map(cell)).collect()
    });
    table::push(page, &head, rows);
}

/// A row for each key in which two runs differ.
fn push_settings(page: &mut String, runs: &[Compared]) {
    let Some(first) = runs.first() else { return };
    let value = |run: &Compared, key: &str| {
        run.settings
            .lines
            .iter()
            .find(|line| line.key == key)
            .map_or_else(|| "-".to_owned(), |line| line.value.to_string())
    };
    let values = |key: &'static str| (key, runs.iter().map(|run| value(run, key)).collect::<Vec<_>>());
    let all = first.settings.lines.iter().map(|line| values(line.key));
    let differing: Vec<_> = all.filter(|(_, values)| values.windows(2).any(|pair| pair[0] != pair[1])).collect();
    if differing.is_empty() {
        page.push_str("<p class=\"small\">Their settings are equal.</p>\n");
        return;
    }
    page.push_str("<h2>Settings in which they differ</h2>\n");
    let head: Vec<String> = std::iter::once(String::new()).chain((1..=runs.len()).map(|n| n.to_string())).collect();
    let rows = differing.into_iter().map(|(key, values)| {
        let values = values.iter().map(|value| table::code(value));
        std::iter::once(table::code(key)).chain(values).collect()
    });
    table::push(page, &head, rows);
}
