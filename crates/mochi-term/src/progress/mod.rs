//! Progress on stderr: on a terminal a block or a bar that is redrawn in place (`indicatif` draws it), in a file plain lines now and then.
//!
//! [`Progress`] may be shared between threads. Every text passes [`printable_text`](crate::printable_text).

mod block;
mod line;
mod snapshot;
mod task;

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{color_wanted, printable, printable_text};
pub use snapshot::{Cell, Row, Snapshot};
pub use task::Task;

/// Least time between two redraws of a terminal.
const REDRAW: Duration = Duration::from_millis(100);
/// Least time between two lines in a file, except for the first of an epoch.
const LINE: Duration = Duration::from_secs(10);

/// Where progress goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A terminal: redrawn in place.
    Terminal,
    /// Plain lines, now and then.
    Lines,
    /// Nowhere; warnings and notes only.
    Quiet,
}

impl Target {
    /// [`Terminal`](Target::Terminal) where stderr is one that can move its cursor, else [`Lines`](Target::Lines).
    pub fn detect() -> Target {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if io::stderr().is_terminal() && !dumb { Target::Terminal } else { Target::Lines }
    }
}

/// Progress, warnings and notes on stderr. Cheap to clone; all clones write to the same place.
#[derive(Clone)]
pub struct Progress(Arc<Shared>);

struct Shared {
    target: Target,
    color: bool,
    /// Draws on the terminal; hidden for other targets.
    bars: MultiProgress,
    state: Mutex<State>,
}

struct State {
    out: Box<dyn Write + Send>,
    block: Option<ProgressBar>,
    /// When progress was last written.
    last: Option<Instant>,
    epoch: Option<u64>,
}

impl State {
    fn due(&self, gap: Duration) -> bool {
        self.last.is_none_or(|last| last.elapsed() >= gap)
    }
}

impl Progress {
    /// Progress on stderr.
    pub fn new(target: Target, color: bool) -> Progress {
        let draw = match target {
            Target::Terminal => ProgressDrawTarget::stderr_with_hz(10),
            Target::Lines | Target::Quiet => ProgressDrawTarget::hidden(),
        };
        Progress::to(target, color, draw, Box::new(io::stderr()))
    }

    /// As stderr and the environment suggest.
    pub fn detect() -> Progress {
        Progress::new(Target::detect(), color_wanted())
    }

    /// Nothing at all: for the ranks of a run that are not the first.
    pub fn silent() -> Progress {
        Progress::to(Target::Quiet, false, ProgressDrawTarget::hidden(), Box::new(io::sink()))
    }

    fn to(target: Target, color: bool, draw: ProgressDrawTarget, out: Box<dyn Write + Send>) -> Progress {
        let state = Mutex::new(State { out, block: None, last: None, epoch: None });
        Progress(Arc::new(Shared { target, color, bars: MultiProgress::with_draw_target(draw), state }))
    }

    /// Shows the state of training. May be called at every step: what comes too soon is not shown, except the last
    /// step and, in a file, the first of an epoch.
    pub fn update(&self, snapshot: &Snapshot) {
        let last_step = snapshot.step >= snapshot.steps;
        self.with(|state| {
            match self.0.target {
                Target::Terminal if last_step || state.due(REDRAW) => {
                    let text = block::render(snapshot, width(), self.0.color);
                    let add = || self.0.bars.add(ProgressBar::no_length().with_style(style("{msg}")));
                    let bar = state.block.get_or_insert_with(add);
                    bar.set_message(text);
                    bar.tick();
                }
                Target::Lines if last_step || state.epoch != Some(snapshot.epoch) || state.due(LINE) => {
                    state.epoch = Some(snapshot.epoch);
                    self.write(state, &printable(&line::render(snapshot)));
                }
                _ => return,
            }
            state.last = Some(Instant::now());
        });
    }

    /// Work in a known number of parts.
    pub fn task(&self, title: &str, total: u64) -> Task {
        Task::new(self.clone(), title, Some(total), 0, Instant::now())
    }

    /// Work in an unknown number of parts, of which some are done since `started`: shown as a count.
    pub fn search(&self, title: &str, done: u64, started: Instant) -> Task {
        Task::new(self.clone(), title, None, done, started)
    }

    /// Writes a warning.
    pub fn warning(&self, text: &str) {
        self.say("warning:", |style| style.yellow().bold(), text);
    }

    /// Writes the next step for the user, below a warning.
    pub fn hint(&self, text: &str) {
        self.say("  hint:", |style| style.cyan(), text);
    }

    /// Writes a text.
    pub fn note(&self, text: &str) {
        self.with(|state| self.write(state, &printable_text(text)));
    }

    /// Ends the block: it stays as it was drawn last, and what comes next is written below it.
    pub fn finish(&self) {
        self.with(|state| {
            if let Some(block) = state.block.take() {
                // Written as ordinary lines: the next line would be drawn over a bar that has ended.
                let text = block.message();
                block.finish_and_clear();
                let _ = self.0.bars.println(text);
            }
            state.last = None;
            state.epoch = None;
        });
    }

    fn say(&self, word: &str, style: impl FnOnce(console::Style) -> console::Style, text: &str) {
        let word = style(console::Style::new().force_styling(self.0.color)).apply_to(word);
        let line = format!("{word} {}", printable_text(text));
        self.with(|state| self.write(state, &line));
    }

    /// Writes a whole line, above what is drawn.
    fn write(&self, state: &mut State, line: &str) {
        // An error cannot be reported if stderr is closed.
        let _ = match self.0.target {
            Target::Terminal => self.0.bars.println(line),
            Target::Lines | Target::Quiet => state.out.write_all(format!("{line}\n").as_bytes()),
        };
    }

    fn with(&self, act: impl FnOnce(&mut State)) {
        // A thread that panicked while it wrote leaves half a line, nothing worse.
        act(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants; one that cannot be read would show the default.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()).progress_chars("━━─")
}

fn width() -> usize {
    console::Term::stderr().size_checked().map_or(80, |(_, columns)| usize::from(columns))
}

#[cfg(test)]
mod tests;
