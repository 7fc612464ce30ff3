//! The state of training as a block of lines for a terminal. Every line fits the width: what does not is cut.

use console::Style;

use super::snapshot::{Row, Snapshot, percent, rate};
use mochi_text::duration;

pub(super) fn render(s: &Snapshot, width: usize, color: bool) -> String {
    let plain = || Style::new().force_styling(color);
    let dim = |text: &str| plain().dim().apply_to(text).to_string();
    let bold = |text: String| plain().bold().apply_to(text).to_string();

    let epoch = (s.epoch + 1).min(s.epochs.max(1));
    let step = |word| format!("{} {}/{}", dim(word), bold(s.step.to_string()), s.steps);
    let head = match s.iterations {
        true => step("iteration"),
        false => format!("{} {}/{}  {}", dim("epoch"), bold(epoch.to_string()), s.epochs, step("step")),
    };

    let done = if s.steps == 0 { 1.0 } else { s.step as f64 / s.steps as f64 };
    let left = s.eta_s.map_or(String::new(), |eta| format!("  {} left", duration(eta)));
    let tail = format!(" {:>5}  {} images/s{left}", percent(done), rate(s.images_per_s));

    let name_width = s.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let row = |row: &Row| {
        let mut line = dim(&format!("{:name_width$}", row.name));
        for cell in &row.cells {
            line += "  ";
            if !cell.label.is_empty() {
                line += &format!("{} ", dim(cell.label));
            }
            let value = if cell.warn { plain().yellow() } else { plain().bold() };
            line += &value.apply_to(&cell.value).to_string();
        }
        line
    };
    let mut lines = vec![head, bar(done, width, &tail, color)];
    lines.extend(s.rows.iter().map(row));
    let lines: Vec<String> = lines.iter().map(|line| fit(line, width)).collect();
    lines.join("\n")
}

/// A bar and its tail; without the bar where the width has no ten cells for it.
fn bar(done: f64, width: usize, tail: &str, color: bool) -> String {
    let cells = width.saturating_sub(console::measure_text_width(tail) + 1).min(40);
    if cells < 10 {
        return tail.trim_start().to_owned();
    }
    let filled = ((done.clamp(0.0, 1.0) * cells as f64) as usize).min(cells);
    let style = Style::new().force_styling(color);
    let (full, rest) = ("━".repeat(filled), "─".repeat(cells - filled));
    format!("{}{}{tail}", style.clone().green().apply_to(full), style.dim().apply_to(rest))
}

/// One cell less than the width: a full row would wrap on some terminals.
fn fit(line: &str, width: usize) -> String {
    console::truncate_str(line, width.saturating_sub(1).max(1), "…").into_owned()
}
