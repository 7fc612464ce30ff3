//! The state of training as one plain line for a pipe or a log file.

use super::snapshot::{Snapshot, rate};
use mochi_text::duration;

pub(super) fn render(s: &Snapshot) -> String {
    let epoch = (s.epoch + 1).min(s.epochs.max(1));
    let mut line = match s.iterations {
        true => format!("iteration {}/{}", s.step, s.steps),
        false => format!("epoch {epoch}/{} step {}/{}", s.epochs, s.step, s.steps),
    };
    line += &format!(" | {} images/s", rate(s.images_per_s));
    for row in &s.rows {
        line += &format!(" | {}", row.name);
        for (i, cell) in row.cells.iter().enumerate() {
            line += if i == 0 { " " } else { ", " };
            line += &cell.named();
        }
    }
    if let Some(eta) = s.eta_s {
        line += &format!(" | {} left", duration(eta));
    }
    line
}
