//! Page that compares several runs: results, the settings in which they differ, and curves. Runs that differ in their seed only are one row of results, with
//! mean and standard deviation, and one line with a band.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mochi_ablate::format::over_seeds;
use mochi_figures::Escaped;
use mochi_run::{MetricsLog, Record, RunFolder};
use mochi_text::counted;

use crate::error::ReportError;
use crate::frame::push_figures;
use crate::name::name_of;
use crate::overlay::Line;
use crate::results::{self, Evaluation, Results};
use crate::seed_groups::{SeedGroup, seed_groups};
use crate::settings::RunSettings;
use crate::{frame, overlay, results_table, table};

/// What the page shows of a run.
struct Compared {
    name: String,
    settings: RunSettings,
    records: Vec<Record>,
    results: Results,
}

/// The page of several runs as HTML, in their order. Runs that differ in their seed only are shown together.
///
/// # Errors
/// A path is not a run folder, or its settings or metrics cannot be read; [`ReportError::DifferentTasks`].
pub fn comparison_page(runs: &[PathBuf]) -> Result<String, ReportError> {
    let compared = runs.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    check_tasks(runs, &compared)?;
    let named: Vec<_> = runs.iter().cloned().zip(compared.iter().map(|run| &run.settings)).collect();
    let groups = seed_groups(&named);
    let of = |group: &SeedGroup| -> Vec<&Compared> { group.runs.iter().filter_map(|&run| compared.get(run)).collect() };
    let groups: Vec<(&SeedGroup, Vec<&Compared>)> = groups.iter().map(|group| (group, of(group))).collect();
    let names = groups.iter().map(|(group, _)| group.name.as_str()).collect::<Vec<_>>().join("; ");
    let mut page = frame::begin(&format!("Comparison of {}", counted(runs.len(), "run")), &names);
    push_members(&mut page, &groups);
    push_results(&mut page, &groups);
    push_settings(&mut page, &groups);
    let mut lines = Vec::new();
    for (group, runs) in &groups {
        lines.push(Line { name: group.short.clone(), runs: runs.iter().map(|run| &run.records[..]).collect() });
    }
    push_figures(&mut page, "Curves", &overlay::figures(&lines, ""));
    let mut text = "The loss of runs with different negatives is not comparable.".to_owned();
    if groups.iter().any(|(_, runs)| runs.len() > 1) {
        let _ = write!(text, " Of several seeds, {}.", overlay::LEGEND);
    }
    if groups.len() > overlay::LINES {
        let _ = write!(text, " The charts show the first {} runs or groups of seeds.", overlay::LINES);
    }
    frame::end(&mut page, &text);
    Ok(page)
}

/// Which runs a group is of.
fn push_members(page: &mut String, groups: &[(&SeedGroup, Vec<&Compared>)]) {
    for (group, runs) in groups.iter().filter(|(_, runs)| runs.len() > 1) {
        let names = runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>().join(", ");
        let _ = writeln!(page, "<p class=\"small\">{}: {}.</p>", Escaped(&group.name), Escaped(&names));
    }
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

fn read(path: &Path) -> Result<Compared, ReportError> {
    let folder = RunFolder::read(path)?;
    let settings = RunSettings::read(&folder)?;
    let records = MetricsLog::read(&folder.metrics_path())?;
    let results = results::read(&folder);
    Ok(Compared { name: name_of(path), settings, records, results })
}

fn push_results(page: &mut String, groups: &[(&SeedGroup, Vec<&Compared>)]) {
    let runs = groups.iter().flat_map(|(_, runs)| runs);
    let mut protocols: Vec<String> = runs.flat_map(|run| run.results.protocols()).map(str::to_owned).collect();
    protocols.sort();
    protocols.dedup();
    if protocols.is_empty() {
        return;
    }
    let seeds = if groups.iter().any(|(_, runs)| runs.len() > 1) { ": mean ± sd (seeds)" } else { "" };
    let _ = writeln!(page, "<h2>Evaluation, top-1 in %{seeds}</h2>");
    let head: Vec<&str> = std::iter::once("").chain(protocols.iter().map(String::as_str)).collect();
    let rows = groups.iter().map(|(group, runs)| {
        let cells = protocols.iter().map(|protocol| cell(protocol, runs));
        std::iter::once(format!("<b>{}</b>", Escaped(&group.name))).chain(cells).collect()
    });
    table::push(page, &head, rows);
}

/// The result of a run, or those of several seeds: mean, standard deviation and number, and the result of each.
fn cell(protocol: &str, runs: &[&Compared]) -> String {
    // A run of no steps is an untrained encoder.
    let result = |run: &&Compared| -> Option<(u64, Evaluation)> {
        let of = |subject| run.results.find(protocol, subject);
        Some((run.settings.seed, of("trained").or_else(|| of("untrained"))?.clone()))
    };
    let results: Vec<_> = runs.iter().filter_map(result).collect();
    match (&results[..], runs.len()) {
        ([], _) => "-".to_owned(),
        ([(_, only)], 1) => results_table::cell(only),
        (several, _) => {
            let values: Vec<f64> = several.iter().map(|(_, result)| result.top1).collect();
            let each = several.iter().map(|(seed, result)| format!("seed {seed}: {:.2}", result.top1));
            let each = each.collect::<Vec<_>>().join(", ");
            format!("<span><b>{}</b> <span class=\"small\">{each}</span></span>", over_seeds(&values))
        }
    }
}

/// A row for each key in which two groups differ.
fn push_settings(page: &mut String, groups: &[(&SeedGroup, Vec<&Compared>)]) {
    let Some(first) = groups.first().and_then(|(_, runs)| runs.first()) else { return };
    let of_run = |run: &Compared, key: &str| {
        let line = run.settings.lines.iter().find(|line| line.key == key);
        line.map_or_else(|| "-".to_owned(), |line| line.value.to_string())
    };
    // The seeds of a group, or estimates that its runs do not share.
    let of_group = |runs: &[&Compared], key: &str| {
        let mut values: Vec<String> = runs.iter().map(|run| of_run(run, key)).collect();
        values.dedup();
        values.join(", ")
    };
    let values = |key: &'static str| (key, groups.iter().map(|(_, runs)| of_group(runs, key)).collect::<Vec<_>>());
    let all = first.settings.lines.iter().map(|line| values(line.key));
    let differing: Vec<_> = all.filter(|(_, values)| values.windows(2).any(|pair| pair[0] != pair[1])).collect();
    if differing.is_empty() {
        let but = if groups.iter().any(|(_, runs)| runs.len() > 1) { " but for the seed" } else { "" };
        let _ = writeln!(page, "<p class=\"small\">Their settings are equal{but}.</p>");
        return;
    }
    page.push_str("<h2>Settings in which they differ</h2>\n");
    let head: Vec<String> = std::iter::once(String::new()).chain((1..=groups.len()).map(|n| n.to_string())).collect();
    let rows = differing.into_iter().map(|(key, values)| {
        let values = values.iter().map(|value| table::code(value));
        std::iter::once(table::code(key)).chain(values).collect()
    });
    table::push(page, &head, rows);
}
