//! Dataset report as text: terms left, values right, one bar per bin.

use std::fmt::{Display, Write as _};
use std::path::Path;

use mochi_data::dataset_report::{Bin, DatasetReport, Severity, Spread};
use mochi_data::display_source;
use mochi_text::counted;

/// Cells of the longest bar.
const BAR: usize = 32;

/// The whole table, without the last line break.
pub fn table(data: &Path, report: &DatasetReport, page: Option<&Path>) -> String {
    let mut text = format!("{} ({})\n\n", display_source(data), report.kind);
    for (name, value) in rows(report) {
        let _ = writeln!(text, "{name:<16} {value}");
    }
    if let Some(sizes) = &report.sizes {
        push_bars(&mut text, "short side, px", &sizes.short_sides);
        push_bars(&mut text, "aspect ratio", &sizes.aspect_ratios);
    }
    let bad = &report.bad.list;
    if !bad.is_empty() {
        text.push_str("\nbad images\n");
        for image in bad.iter().take(10) {
            let _ = writeln!(text, "  {}: {} ({})", printable(&image.name), image.reason, image.detail);
        }
        if bad.len() > 10 {
            let _ = writeln!(text, "  and {} more; --json lists all", bad.len() - 10);
        }
    }
    if !report.issues.is_empty() {
        text.push('\n');
    }
    for issue in &report.issues {
        let word = match issue.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let _ = writeln!(text, "{word}: {}\n  hint: {}", issue.message, issue.hint);
    }
    if let Some(page) = page {
        let _ = writeln!(text, "\npage: {}", page.display());
    }
    text.truncate(text.trim_end().len());
    text
}

/// Terms and values, for the table and the page.
pub fn rows(report: &DatasetReport) -> Vec<(&'static str, String)> {
    let mut rows = vec![("images", report.images.to_string())];
    let bad = &report.bad;
    rows.push(match bad.count {
        0 => ("bad", "none".to_owned()),
        n => {
            let reasons = counts(bad.by_reason.iter());
            (
                "bad",
                format!("{n} ({:.2} %; a run fails above {:.2} %): {reasons}", bad.fraction * 100.0, bad.limit * 100.0),
            )
        }
    });
    if report.skipped.files() > 0 {
        rows.push(("skipped", report.skipped.to_string()));
    }
    if let Some(classes) = &report.classes {
        rows.push((
            "classes",
            format!("{}; {}", classes.count, spread(&classes.images, |n| format!("{} each", counted(n, "image")))),
        ));
    }
    if report.readable > 0 {
        rows.push(("formats", counts(report.formats.iter())));
        let bits = match report.bits.keys().next() {
            Some(bits) if report.bits.len() == 1 => format!("{bits} bit"),
            _ => counts(report.bits.iter().map(|(bits, count)| (format!("{bits} bit"), count))),
        };
        let color_types = report.color_types.iter().map(|(color_type, count)| (color_type.as_str(), count));
        rows.push(("stored as", format!("{}; {bits}", counts(color_types))));
        rows.push(("grayscale", format!("{} of {}", report.grayscale_images, report.readable)));
    }
    if let Some(sizes) = &report.sizes {
        let pixels = |n| format!("{n} px");
        rows.push(("width", spread(&sizes.width, pixels)));
        rows.push(("height", spread(&sizes.height, pixels)));
        rows.push(("small", format!("{} smaller than a view of {} px", sizes.smaller_than_view, sizes.view)));
        if let Some(bytes) = &sizes.file_bytes {
            let kb = |bytes: u64| format!("{:.1}", bytes as f64 / 1e3);
            let (middle, least, most) = (kb(bytes.median), kb(bytes.min), kb(bytes.max));
            let all = sizes.total_bytes as f64 / 1e6;
            rows.push(("files", format!("median {middle} kB, {least} to {most}; {all:.1} MB in total")));
        }
    }
    if let Some(channels) = &report.channels {
        let three = |values: [f64; 3]| format!("[{:.4}, {:.4}, {:.4}]", values[0], values[1], values[2]);
        rows.push(("mean", three(channels.mean)));
        rows.push(("std", three(channels.std)));
    }
    let duplicates = &report.duplicates;
    let found = |redundant: usize, groups: usize| match groups {
        0 => "none".to_owned(),
        n => format!("{redundant} in {}", counted(n, "group")),
    };
    rows.push(("exact duplicates", found(duplicates.redundant_exact, duplicates.exact.len())));
    let low_detail = match duplicates.low_detail {
        0 => String::new(),
        n => format!("; {n} not compared (too little detail)"),
    };
    let near = found(duplicates.redundant_near, duplicates.near.len());
    rows.push((
        "near duplicates",
        format!("{near} within {} of {} bits{low_detail}", duplicates.near_bits, duplicates.hash_bits),
    ));
    let speed = &report.speed;
    let mut pace = format!("{:.0} images/s on {}", speed.images_per_s, counted(speed.threads, "thread"));
    if let (Some(images), Some(mb)) = (speed.decoded_per_s_per_thread, speed.decoded_mb_per_s_per_thread) {
        let _ = write!(pace, "; decoding alone: {images:.0} images/s ({mb:.1} MB/s) per thread");
    }
    rows.push(("speed", pace));
    rows
}

/// A name may hold anything, a line break too.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// "JPEG 30, PNG 2", the most first.
fn counts<'a, N: Display>(of: impl Iterator<Item = (N, &'a usize)>) -> String {
    let mut of: Vec<(N, &usize)> = of.collect();
    of.sort_by(|a, b| b.1.cmp(a.1));
    of.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// `224 px`, `median 224 px, 96 to 640`: `with_unit` writes the median.
fn spread(spread: &Spread, with_unit: impl Fn(u64) -> String) -> String {
    let Spread { min, median, max } = spread;
    let middle = with_unit(*median);
    if min == max { middle } else { format!("median {middle}, {min} to {max}") }
}

fn push_bars(text: &mut String, title: &str, bins: &[Bin]) {
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
    let names = bins.iter().map(|bin| bin.label.chars().count()).max().unwrap_or(0);
    let _ = writeln!(text, "\n{title}");
    for bin in bins {
        let cells = (bin.count * BAR).div_ceil(most);
        let bar = "█".repeat(cells);
        let _ = writeln!(text, "  {:>names$}  {bar:<BAR$} {}", bin.label, bin.count);
    }
}
