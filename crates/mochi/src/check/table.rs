//! Dataset report as text: terms left, values right, one bar per bin.

use std::fmt::{Display, Write as _};
use std::path::Path;

use mochi_data::display_source;
use mochi_data::survey::{Bin, Spread, Survey, Weight};

/// Cells of the longest bar.
const BAR: usize = 32;

/// The whole table, without the last line break.
pub fn table(data: &Path, survey: &Survey, page: Option<&Path>) -> String {
    let mut text = format!("{} ({})\n\n", display_source(data), survey.kind);
    for (name, value) in rows(survey) {
        let _ = writeln!(text, "{name:<16} {value}");
    }
    if let Some(sizes) = &survey.sizes {
        push_bars(&mut text, "short side, px", &sizes.short_sides);
        push_bars(&mut text, "aspect ratio", &sizes.shapes);
    }
    let bad = &survey.bad.list;
    if !bad.is_empty() {
        text.push_str("\nbad images\n");
        for image in bad.iter().take(10) {
            let _ = writeln!(text, "  {}: {} ({})", printable(&image.name), image.reason, image.detail);
        }
        if bad.len() > 10 {
            let _ = writeln!(text, "  and {} more; --json lists all", bad.len() - 10);
        }
    }
    if !survey.findings.is_empty() {
        text.push('\n');
    }
    for finding in &survey.findings {
        let word = match finding.weight {
            Weight::Breaks => "error",
            Weight::Doubtful => "warning",
            Weight::Note => "note",
        };
        let _ = writeln!(text, "{word}: {}\n  hint: {}", finding.what, finding.hint);
    }
    if let Some(page) = page {
        let _ = writeln!(text, "\npage: {}", page.display());
    }
    text.truncate(text.trim_end().len());
    text
}

/// Terms and values, for the table and the page.
pub fn rows(survey: &Survey) -> Vec<(&'static str, String)> {
    let mut rows = vec![("images", survey.images.to_string())];
    let bad = &survey.bad;
    rows.push(match bad.count {
        0 => ("bad", "none".to_owned()),
        n => {
            let reasons = counts(bad.by_reason.iter());
            (
                "bad",
                format!("{n} ({:.2} %; a run fails above {:.2} %): {reasons}", bad.share * 100.0, bad.limit * 100.0),
            )
        }
    });
    if survey.skipped.files() > 0 {
        rows.push(("skipped", survey.skipped.to_string()));
    }
    if let Some(classes) = &survey.classes {
        rows.push(("classes", format!("{}; {}", classes.count, spread(&classes.images, "images"))));
    }
    if survey.readable > 0 {
        rows.push(("formats", counts(survey.formats.iter())));
        let bits = match survey.bits.keys().next() {
            Some(bits) if survey.bits.len() == 1 => format!("{bits} bit"),
            _ => counts(survey.bits.iter().map(|(bits, count)| (format!("{bits} bit"), count))),
        };
        let colours = survey.colours.iter().map(|(colour, count)| (colour.as_str(), count));
        rows.push(("stored as", format!("{}; {bits}", counts(colours))));
        rows.push(("grayscale", format!("{} of {}", survey.grey_pictures, survey.readable)));
    }
    if let Some(sizes) = &survey.sizes {
        rows.push(("width", spread(&sizes.width, "px")));
        rows.push(("height", spread(&sizes.height, "px")));
        rows.push(("small", format!("{} smaller than a view of {} px", sizes.smaller_than_view, sizes.view)));
        if let Some(bytes) = &sizes.file_bytes {
            let kb = |bytes: u64| format!("{:.1}", bytes as f64 / 1e3);
            let (middle, least, most) = (kb(bytes.median), kb(bytes.min), kb(bytes.max));
            let all = sizes.total_bytes as f64 / 1e6;
            rows.push(("files", format!("median {middle} kB, {least} to {most}; {all:.1} MB in total")));
        }
    }
    if let Some(channels) = &survey.channels {
        let three = |values: [f64; 3]| format!("[{:.4}, {:.4}, {:.4}]", values[0], values[1], values[2]);
        rows.push(("mean", three(channels.mean)));
        rows.push(("std", three(channels.std)));
    }
    let copies = &survey.duplicates;
    let found = |redundant: usize, groups: usize| match groups {
        0 => "none".to_owned(),
        1 => format!("{redundant} in 1 group"),
        n => format!("{redundant} in {n} groups"),
    };
    rows.push(("duplicates", found(copies.redundant_exact, copies.exact.len())));
    let flat = match copies.too_flat {
        0 => String::new(),
        n => format!("; {n} not compared (too little detail)"),
    };
    let near = found(copies.redundant_near, copies.near.len());
    rows.push(("near duplicates", format!("{near} within {} of {} bits{flat}", copies.near_bits, copies.of_bits)));
    let speed = &survey.speed;
    let mut pace = format!("{:.0} images/s on {} threads", speed.images_per_s, speed.threads);
    if let (Some(images), Some(mb)) = (speed.decoded_per_s_per_thread, speed.decoded_mb_per_s_per_thread) {
        let _ = write!(pace, "; one thread decodes {images:.0} images/s, {mb:.1} MB/s");
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

fn spread(spread: &Spread, unit: &str) -> String {
    let Spread { min, median, max } = spread;
    if min == max { format!("{median} {unit}") } else { format!("median {median} {unit}, {min} to {max}") }
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
