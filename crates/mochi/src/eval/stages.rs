//! Progress of an evaluation: one line per stage.

use mochi_eval::Stage;
use mochi_term::{Progress, Task};

/// The line of the current stage.
pub struct Stages {
    progress: Progress,
    protocol: &'static str,
    current: Option<(Stage, usize, Task)>,
}

impl Stages {
    /// No line yet.
    pub fn new(progress: &Progress, protocol: &'static str) -> Self {
        Self { progress: progress.clone(), protocol, current: None }
    }

    /// Moves the line forward; a new stage, or one that starts again, gets a new line.
    pub fn update(&mut self, now: mochi_eval::Progress) {
        let fresh = self.current.as_ref().is_none_or(|(stage, done, _)| *stage != now.stage || now.done < *done);
        if fresh {
            self.finish();
            let task = self.progress.task(&format!("{}: {}", self.protocol, now.stage), now.total as u64);
            self.current = Some((now.stage, 0, task));
        }
        if let Some((_, done, task)) = &mut self.current {
            task.advance(now.done.saturating_sub(*done) as u64);
            *done = now.done;
        }
    }

    /// Ends the line.
    pub fn finish(&mut self) {
        if let Some((_, _, task)) = self.current.take() {
            task.finish();
        }
    }
}
