//! A dataset with objects as text: terms and values, classes, problems.

use std::path::Path;

use mochi_annotations::{Dataset, Problem, Rule, Statistics};
use mochi_data::BadImage;
use mochi_term::printable_text;
use mochi_text::{aligned, counted};

/// Problems of a kind that the table names.
const NAMED: usize = 3;
/// Bad images that the table names.
const BAD_NAMED: usize = 10;

/// Terms and values, for the table and the page.
pub fn rows(dataset: &Dataset, statistics: &Statistics) -> Vec<(&'static str, String)> {
    let Statistics { images, empty_images, objects, masks, crowds, difficult, sizes, most_objects, .. } = statistics;
    let left_out = |rule| match dataset.problems.count_of(rule) {
        0 => String::new(),
        count => format!("; {count} left out"),
    };
    let each = *objects as f64 / (*images).max(1) as f64;
    let mut rows = vec![
        ("images", format!("{images}{}", left_out(Rule::SkipImage))),
        ("no objects", counted(empty_images, "image")),
        ("objects", format!("{objects}{}", left_out(Rule::SkipObject))),
        ("per image", format!("{each:.1}, at most {most_objects}")),
        ("sizes", format!("{} small, {} medium, {} large", sizes.small, sizes.medium, sizes.large)),
    ];
    for (name, count) in [("masks", masks), ("crowds", crowds), ("difficult", difficult)] {
        if *count > 0 {
            rows.push((name, format!("{count} of {objects}")));
        }
    }
    rows.push(("classes", statistics.classes.len().to_string()));
    rows
}

/// What is done about a kind of problem.
pub fn rule(rule: Rule) -> &'static str {
    match rule {
        Rule::Keep => "used",
        Rule::SkipObject => "object left out",
        Rule::SkipImage => "image left out",
    }
}

/// The file and the object.
pub fn place(problem: &Problem) -> String {
    match &problem.object {
        Some(object) => format!("{}, {object}", problem.file),
        None => problem.file.clone(),
    }
}

/// The whole table, without the last line break.
pub fn table(
    folder: &Path,
    dataset: &Dataset,
    statistics: &Statistics,
    bad: &[BadImage],
    page: Option<&Path>,
) -> String {
    let mut lines = vec![format!("{} ({}, split {})", folder.display(), dataset.format, dataset.split), String::new()];
    lines.extend(rows(dataset, statistics).iter().map(|(name, value)| format!("{name:<16} {value}")));
    let head = ["class", "objects", "share", "images"].map(str::to_owned).to_vec();
    let mut classes = vec![head];
    for class in &statistics.classes {
        let share = class.objects as f64 / statistics.objects.max(1) as f64;
        classes.push(vec![
            class.name.clone(),
            class.objects.to_string(),
            format!("{:.1} %", share * 100.0),
            class.images.to_string(),
        ]);
    }
    lines.push(String::new());
    lines.extend(aligned(&classes));
    if !dataset.problems.is_empty() {
        lines.extend([String::new(), "problems".to_owned()]);
    }
    for (kind, found) in dataset.problems.by_kind() {
        lines.push(format!("  {}: {} ({})", found.count, kind.explanation(), rule(kind.rule())));
        for problem in found.examples.iter().take(NAMED) {
            let detail = if problem.detail.is_empty() { String::new() } else { format!(": {}", problem.detail) };
            lines.push(format!("    {}{detail}", place(problem)));
        }
        if found.count > NAMED as u64 {
            lines.push(format!(
                "    and {} more; --json has the first {}",
                found.count - NAMED as u64,
                found.examples.len()
            ));
        }
    }
    if !bad.is_empty() {
        lines.extend([
            String::new(),
            format!("bad images: {} (another image takes the place of one in training)", bad.len()),
        ]);
        let shown = bad.iter().take(BAD_NAMED);
        lines.extend(shown.map(|image| format!("  {}: {} ({})", image.name, image.reason, image.detail)));
        if bad.len() > BAD_NAMED {
            lines.push(format!("  and {} more; --json has all", bad.len() - BAD_NAMED));
        }
    }
    if let Some(page) = page {
        lines.extend([String::new(), format!("page: {}", page.display())]);
    }
    // Names may hold anything, a line break too.
    lines.iter().map(|line| printable_text(line).into_owned()).collect::<Vec<_>>().join("\n")
}
