//! Long work in parts, of a known number or not: a bar on a terminal, a line now and then in a file.

use std::time::Instant;

use indicatif::ProgressBar;
use mochi_text::duration;

use super::{LINE, Progress, Target, style};
use crate::{Pace, printable};

/// Work that is being done; its bar goes when it is finished or dropped.
pub struct Task {
    progress: Progress,
    title: String,
    /// `None` where it is unknown.
    total: Option<u64>,
    done: u64,
    started: Instant,
    pace: Pace,
    bar: ProgressBar,
}

impl Task {
    pub(super) fn new(progress: Progress, title: &str, total: Option<u64>, done: u64, started: Instant) -> Task {
        progress.finish();
        let template =
            if total.is_some() { "{prefix}  {bar:40.green/dim} {percent:>3} %{msg}" } else { "{prefix}: {pos} so far" };
        let bar = ProgressBar::new(total.unwrap_or(0)).with_style(style(template));
        let bar = progress.0.bars.add(bar.with_prefix(printable(title).into_owned()));
        let mut task =
            Task { progress, title: printable(title).into_owned(), total, done, started, pace: Pace::start(done), bar };
        task.show();
        task
    }

    /// Records that this many parts more are done.
    pub fn advance(&mut self, parts: u64) {
        self.reach(self.done.saturating_add(parts));
    }

    /// Records that so many parts are done by now.
    pub fn reach(&mut self, done: u64) {
        self.done = done;
        self.pace.reach(done);
        self.show();
    }

    /// Ends the work with a line that says how long it took.
    pub fn finish(self) {
        self.bar.finish_and_clear();
        if self.progress.0.target != Target::Quiet {
            let took = self.started.elapsed().as_secs_f64();
            // "in 0s" says nothing.
            let took = if took < 0.5 { String::new() } else { format!(" in {}", duration(took)) };
            self.progress.note(&format!("{}: {}{took}", self.title, self.done));
        }
    }

    fn show(&mut self) {
        let left = self.total.and_then(|total| self.pace.left(total.saturating_sub(self.done)));
        // In the first second a pace is a guess.
        let left = left.filter(|left| !left.is_zero() && self.started.elapsed().as_secs() > 0);
        let left = left.map_or(String::new(), |left| format!("  {} left", duration(left.as_secs_f64())));
        match self.progress.0.target {
            Target::Terminal => {
                self.bar.set_message(left);
                self.bar.set_position(self.done);
            }
            Target::Lines => self.progress.with(|state| {
                if state.due(LINE) {
                    let line = match self.total {
                        Some(total) => format!("{}: {}/{total}{left}", self.title, self.done),
                        None => format!("{}: {} so far", self.title, self.done),
                    };
                    self.progress.write(state, &line);
                    state.last = Some(Instant::now());
                }
            }),
            Target::Quiet => {}
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.progress.with(|state| state.last = None);
    }
}
