//! Long work in parts, of a known number or not: one line on a terminal, a line now and then in a pipe.

use std::time::Instant;

use super::snapshot::{duration, percent};
use super::{LINE, Progress, REDRAW, State, Target, block};

/// Work under way; its line goes when it is finished or dropped.
pub struct Task {
    progress: Progress,
    title: String,
    /// `None` while nobody knows.
    total: Option<u64>,
    done: u64,
    started: Instant,
}

impl Task {
    pub(super) fn new(progress: Progress, title: &str, total: Option<u64>, done: u64, started: Instant) -> Task {
        progress.finish();
        let task = Task { progress, title: title.to_owned(), total, done, started };
        task.show();
        task
    }

    /// This many parts more are done.
    pub fn advance(&mut self, parts: u64) {
        self.reach(self.done.saturating_add(parts));
    }

    /// So many parts are done by now.
    pub fn reach(&mut self, done: u64) {
        self.done = done;
        self.show();
    }

    /// Ends the work with a line that says how long it took.
    pub fn finish(self) {
        let took = duration(self.started.elapsed().as_secs_f64());
        let line = format!("{}: {} in {took}", self.title, self.done);
        self.progress.with(|state| {
            if state.target == Target::Terminal {
                state.redraw(Vec::new());
            }
            if state.target != Target::Quiet {
                state.line(&line);
            }
        });
    }

    fn show(&self) {
        self.progress.with(|state| {
            let Some(total) = self.total else { return self.show_count(state) };
            let share = if total == 0 { 1.0 } else { self.done as f64 / total as f64 };
            let elapsed = self.started.elapsed().as_secs_f64();
            // In the first second a rate is a guess.
            let known = self.done > 0 && self.done < total && elapsed > 1.0;
            let left =
                if known { format!("  {} left", duration(elapsed * (1.0 / share - 1.0))) } else { String::new() };
            match state.target {
                Target::Terminal if self.done >= total || state.due(REDRAW) => {
                    let width = (state.width)();
                    let tail = format!(" {:>5}{left}", percent(share));
                    let room = width.saturating_sub(console::measure_text_width(&self.title) + 2);
                    let line = format!("{}  {}", self.title, block::bar(share, room, &tail, state.colour));
                    state.redraw(vec![block::fit(&line, width)]);
                }
                Target::Lines if state.due(LINE) => {
                    state.line(&format!("{}: {}/{total}{left}", self.title, self.done));
                }
                _ => return,
            }
            state.last = Some(Instant::now());
        });
    }
}

impl Task {
    fn show_count(&self, state: &mut State) {
        let line = format!("{}: {} so far", self.title, self.done);
        match state.target {
            Target::Terminal if state.due(REDRAW) => {
                let width = (state.width)();
                state.redraw(vec![block::fit(&line, width)]);
            }
            Target::Lines if state.due(LINE) => state.line(&line),
            _ => return,
        }
        state.last = Some(Instant::now());
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.progress.with(|state| {
            if state.target == Target::Terminal && !state.drawn.is_empty() {
                state.redraw(Vec::new());
            }
            state.last = None;
        });
    }
}
