//! An analysis as text.

use std::path::Path;

use mochi_data::display_source;
use mochi_eval::analysis::Analysis;
use mochi_eval::analysis::measure::{MEASURES, Measure};
use mochi_text::counted;

/// What the sample is, in a line.
pub fn sample(data: &Path, analysis: &Analysis) -> String {
    let Analysis { images, dataset_images, seed, classes, .. } = analysis;
    let images = match images == dataset_images {
        true => format!("all {}", counted(*images, "image")),
        false => format!("{images} of {} (sample of seed {seed})", counted(*dataset_images, "image")),
    };
    let classes = classes.map_or_else(|| "without classes".to_owned(), |classes| counted(classes, "class"));
    format!("{}: {images}, {classes}", display_source(data))
}

/// Heading of each column: the step, then every measure that some checkpoint has.
pub fn columns(analysis: &Analysis) -> Vec<String> {
    let measures = shown(analysis).into_iter().map(|measure| measure.column.to_owned());
    ["step".to_owned()].into_iter().chain(measures).collect()
}

/// A row for each checkpoint.
pub fn rows(analysis: &Analysis) -> Vec<Vec<String>> {
    let measures = shown(analysis);
    let row = |checkpoint: &mochi_eval::analysis::CheckpointAnalysis| {
        let cell = |measure: &&Measure| {
            let value = checkpoint.values.get(measure);
            value.map_or_else(|| "-".to_owned(), |value| number(measure, value))
        };
        [checkpoint.step.to_string()].into_iter().chain(measures.iter().map(cell)).collect()
    };
    analysis.checkpoints.iter().map(row).collect()
}

fn shown(analysis: &Analysis) -> Vec<&'static Measure> {
    let known = |measure: &&Measure| analysis.checkpoints.iter().any(|one| one.values.get(measure).is_some());
    MEASURES.into_iter().filter(known).collect()
}

fn number(measure: &Measure, value: f64) -> String {
    match measure.fraction {
        true => format!("{:.1}", 100.0 * value),
        false if value.abs() >= 10.0 => format!("{value:.1}"),
        false => format!("{value:.3}"),
    }
}

/// The sample, the table with a row for each measure and a column for each checkpoint, the findings, and where the page is.
pub fn text(data: &Path, analysis: &Analysis, page: &Path) -> String {
    let (columns, rows) = (columns(analysis), rows(analysis));
    let name_width = columns.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut lines = vec![sample(data, analysis), String::new()];
    // On a terminal the steps are side by side, as many as fit; the page and JSON have all.
    let kept = last_and_spread(rows.len(), 10);
    for (at, name) in columns.iter().enumerate() {
        let cells = kept.iter().filter_map(|&row| rows.get(row)?.get(at));
        let cells: Vec<String> = cells.map(|cell| format!("{cell:>8}")).collect();
        lines.push(format!("{name:<name_width$} {}", cells.concat()));
    }
    if kept.len() < rows.len() {
        lines.push(format!("({} of {}; the page has all)", kept.len(), counted(rows.len(), "checkpoint")));
    }
    lines.push(String::new());
    lines.extend(analysis.findings.iter().cloned());
    lines.push(format!("page: {}", page.display()));
    lines.join("\n")
}

/// At most `most` of `count` positions, evenly spaced, the first and the last among them.
fn last_and_spread(count: usize, most: usize) -> Vec<usize> {
    let shown = count.min(most);
    (0..shown).map(|i| i * count.saturating_sub(1) / shown.saturating_sub(1).max(1)).collect()
}
