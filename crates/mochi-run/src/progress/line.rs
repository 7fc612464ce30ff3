//! Where training stands, as one plain line for a pipe or a log file.

use super::snapshot::{Snapshot, duration, percent, rate};

pub(super) fn render(s: &Snapshot) -> String {
    let mut line = format!(
        "epoch {}/{} step {}/{} | {} images/s | loss {:.3} of {:.3}",
        (s.epoch + 1).min(s.epochs.max(1)),
        s.epochs,
        s.step,
        s.steps,
        rate(s.images_per_s),
        s.loss,
        s.loss_ceiling
    );
    line += &format!(" | proxy accuracy {}", percent(s.accuracy_real));
    if let Some(accuracy) = s.accuracy_with_synthetic {
        line += &format!(", with synthetic {}", percent(accuracy));
    }
    line += &format!(" | queue {}", percent(s.queue_fill));
    line += &format!(" | waiting for data {} | lr {:.2e}", percent(s.data_wait_share), s.learning_rate);
    if let Some(eta) = s.eta_s {
        line += &format!(" | {} left", duration(eta));
    }
    if !s.phase.is_empty() {
        line += &format!(" | {}", s.phase);
    }
    line
}
