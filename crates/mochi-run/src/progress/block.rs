//! Where training stands, as a block of lines for a terminal. Every line fits the width: what does not is cut.

use console::Style;

use super::snapshot::{Snapshot, duration, percent, rate};

pub(super) fn render(s: &Snapshot, width: usize, colour: bool) -> Vec<String> {
    let plain = || Style::new().force_styling(colour);
    let dim = |text: &str| plain().dim().apply_to(text).to_string();
    let bold = |text: String| plain().bold().apply_to(text).to_string();

    let epoch = (s.epoch + 1).min(s.epochs.max(1));
    let mut head = format!("{} {}/{}", dim("epoch"), bold(epoch.to_string()), s.epochs);
    head += &format!("  {} {}/{}", dim("step"), bold(s.step.to_string()), s.steps);
    if !s.phase.is_empty() {
        head += &format!("  {}", plain().cyan().apply_to(&s.phase));
    }

    let done = if s.steps == 0 { 1.0 } else { s.step as f64 / s.steps as f64 };
    let left = s.eta_s.map_or(String::new(), |eta| format!("  {} left", duration(eta)));
    let tail = format!(" {:>5}  {} images/s{left}", percent(done), rate(s.images_per_s));

    let loss = format!("{} {}", bold(format!("{:.3}", s.loss)), dim(&format!("of {:.3} at chance", s.loss_ceiling)));
    let mut proxy = bold(percent(s.accuracy_real));
    if let Some(accuracy) = s.accuracy_with_synthetic {
        proxy += &format!("  {} {}", dim("with synthetic"), bold(percent(accuracy)));
    }
    // Over a tenth of the time waiting: more threads would pay.
    let wait = plain();
    let wait = if s.data_wait_share > 0.1 { wait.yellow() } else { wait };
    let feed = format!(
        "{} {}  {} {}",
        percent(s.queue_fill),
        dim("filled"),
        dim("waiting for data"),
        wait.apply_to(percent(s.data_wait_share))
    );
    let lines = [
        head,
        bar(done, width, &tail, colour),
        format!("{}  {loss}  {} {:.2e}", dim("loss "), dim("lr"), s.learning_rate),
        format!("{}  {proxy}", dim("proxy")),
        format!("{}  {feed}", dim("queue")),
    ];
    lines.into_iter().map(|line| fit(&line, width)).collect()
}

/// A bar that leaves room for its tail; none where there is no room for ten cells.
pub(super) fn bar(done: f64, width: usize, tail: &str, colour: bool) -> String {
    let cells = width.saturating_sub(console::measure_text_width(tail) + 1).min(40);
    if cells < 10 {
        return tail.trim_start().to_owned();
    }
    let filled = ((done.clamp(0.0, 1.0) * cells as f64) as usize).min(cells);
    let style = Style::new().force_styling(colour);
    let (full, rest) = ("━".repeat(filled), "─".repeat(cells - filled));
    format!("{}{}{tail}", style.clone().green().apply_to(full), style.dim().apply_to(rest))
}

/// One cell short of the width: a full row would wrap on some terminals.
pub(super) fn fit(line: &str, width: usize) -> String {
    console::truncate_str(line, width.saturating_sub(1).max(1), "…").into_owned()
}
