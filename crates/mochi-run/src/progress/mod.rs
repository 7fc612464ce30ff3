//! What a person sees meanwhile, on stderr: on a terminal one block redrawn in place, in a pipe plain lines.
//!
//! [`Progress`] may be shared between threads; everything it prints goes out in one write under one lock, so that a
//! warning never tears the block and the block never flickers.

mod block;
mod line;
mod snapshot;
mod task;

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use snapshot::Snapshot;
pub use task::Task;

/// Redraws of the terminal are at least this far apart.
const REDRAW: Duration = Duration::from_millis(100);
/// Lines in a pipe are at least this far apart, a new epoch aside.
const LINE: Duration = Duration::from_secs(10);

/// Where the progress goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One block, redrawn in place.
    Terminal,
    /// Plain lines, now and then.
    Lines,
    /// Nothing but warnings and notes.
    Quiet,
}

impl Target {
    /// A terminal where stderr is one that can move its cursor, else lines.
    pub fn detect() -> Target {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if io::stderr().is_terminal() && !dumb { Target::Terminal } else { Target::Lines }
    }
}

/// Colour unless `NO_COLOR` is set to anything (<https://no-color.org>) or stderr is no terminal.
pub fn colour_wanted() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The one voice on stderr. Cheap to clone; all clones speak in turn.
#[derive(Clone)]
pub struct Progress(Arc<Mutex<State>>);

struct State {
    target: Target,
    colour: bool,
    out: Box<dyn Write + Send>,
    /// Width of the terminal in cells; asked anew at each redraw, it may be resized.
    width: fn() -> usize,
    /// Lines of the block as it stands on the terminal.
    drawn: Vec<String>,
    last: Option<Instant>,
    epoch: Option<u64>,
}

impl Progress {
    /// Progress on stderr.
    pub fn new(target: Target, colour: bool) -> Progress {
        Progress::to(target, colour, Box::new(io::stderr()), stderr_width)
    }

    /// As stderr and the environment suggest.
    pub fn detect() -> Progress {
        Progress::new(Target::detect(), colour_wanted())
    }

    fn to(target: Target, colour: bool, out: Box<dyn Write + Send>, width: fn() -> usize) -> Progress {
        Progress(Arc::new(Mutex::new(State { target, colour, out, width, drawn: Vec::new(), last: None, epoch: None })))
    }

    /// Shows where training stands. May be called at every step: what comes too soon is passed over, except the last
    /// step and, in a pipe, the first of an epoch.
    pub fn update(&self, snapshot: &Snapshot) {
        self.with(|state| {
            let last_step = snapshot.step >= snapshot.steps;
            match state.target {
                Target::Terminal if last_step || state.due(REDRAW) => {
                    let block = block::render(snapshot, (state.width)(), state.colour);
                    state.redraw(block);
                }
                Target::Lines if last_step || state.epoch != Some(snapshot.epoch) || state.due(LINE) => {
                    state.epoch = Some(snapshot.epoch);
                    state.line(&line::render(snapshot));
                }
                _ => return,
            }
            state.last = Some(Instant::now());
        });
    }

    /// Work of a known number of parts, shown as one line.
    pub fn task(&self, title: &str, total: u64) -> Task {
        Task::new(self.clone(), title, Some(total), 0, Instant::now())
    }

    /// Work of which nobody knows how much it is, shown as a count: so many parts are done since `started`.
    pub fn search(&self, title: &str, done: u64, started: Instant) -> Task {
        Task::new(self.clone(), title, None, done, started)
    }

    /// A warning, above the block.
    pub fn warning(&self, text: &str) {
        self.with(|state| {
            let line = format!("{} {text}", state.style("warning:", |style| style.yellow().bold()));
            state.line(&line);
        });
    }

    /// The step to take, under a warning.
    pub fn hint(&self, text: &str) {
        self.with(|state| {
            let line = format!("  {} {text}", state.style("hint:", |style| style.cyan()));
            state.line(&line);
        });
    }

    /// Something worth knowing, above the block.
    pub fn note(&self, text: &str) {
        self.with(|state| state.line(text));
    }

    /// Leaves the block as it stands; what comes next starts below it.
    pub fn finish(&self) {
        self.with(|state| {
            state.drawn.clear();
            state.last = None;
            state.epoch = None;
        });
    }

    fn with(&self, speak: impl FnOnce(&mut State)) {
        // A thread that panicked while it spoke leaves the words half said, nothing worse.
        speak(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl State {
    fn due(&self, gap: Duration) -> bool {
        self.last.is_none_or(|last| last.elapsed() >= gap)
    }

    fn style(&self, text: &str, style: impl FnOnce(console::Style) -> console::Style) -> String {
        style(console::Style::new().force_styling(self.colour)).apply_to(text).to_string()
    }

    /// Draws the block over the last one in a single write; an empty block leaves nothing of it.
    fn redraw(&mut self, block: Vec<String>) {
        let mut text = self.to_top_of_block();
        push_block(&mut text, &block);
        if block.is_empty() && !self.drawn.is_empty() {
            text.push_str("\x1b[J");
        }
        self.drawn = block;
        self.say(&text);
    }

    /// A whole line, above the block where there is one.
    fn line(&mut self, line: &str) {
        let mut text = self.to_top_of_block();
        text.push_str(line);
        text.push_str(if self.drawn.is_empty() { "\n" } else { "\x1b[K\n" });
        push_block(&mut text, &self.drawn);
        self.say(&text);
    }

    /// Up over the drawn lines. A terminal made narrower since has broken them into more rows than were drawn.
    fn to_top_of_block(&self) -> String {
        let width = (self.width)().max(1);
        let rows: usize = self.drawn.iter().map(|line| console::measure_text_width(line).div_ceil(width).max(1)).sum();
        if rows == 0 { String::new() } else { format!("\r\x1b[{rows}A") }
    }

    fn say(&mut self, text: &str) {
        // Nobody is left to be told that stderr is closed.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

/// Each line cleared to its end as it is drawn and the rest of the screen after the last: nothing blinks.
fn push_block(text: &mut String, block: &[String]) {
    for line in block {
        text.push_str(line);
        text.push_str("\x1b[K\n");
    }
    if !block.is_empty() {
        text.push_str("\x1b[J");
    }
}

fn stderr_width() -> usize {
    console::Term::stderr().size_checked().map_or(80, |(_, columns)| usize::from(columns))
}

#[cfg(test)]
mod tests;
