//! What a person sees of a program, and how they stop it.
//!
//! | item | does |
//! |---|---|
//! | [`Progress`], [`Task`] | progress on stderr: redrawn in place on a terminal, a line now and then in a file |
//! | [`Snapshot`], [`Row`], [`Cell`] | the state of training at a step, as progress shows it |
//! | [`Pace`] | time left from the recent pace |
//! | [`printable`], [`printable_lines`], [`printable_text`], [`printable_json`] | texts without the characters that steer a terminal |
//! | [`write_stdout`], [`write_stderr`] | the results of a program, and everything else that it says |
//! | [`StopFlag`] | the first signal asks to stop, the second ends the process |
//!
//! ```
//! use mochi_term::printable;
//! assert_eq!(printable("cat\u{1b}[2J.jpg"), "cat\u{fffd}[2J.jpg");
//! ```
#![forbid(unsafe_code)]

mod output;
mod pace;
mod printable;
mod progress;
pub mod stop;

pub use output::{color_wanted, write_stderr, write_stdout};
pub use pace::Pace;
pub use printable::{printable, printable_json, printable_lines, printable_text};
pub use progress::{Cell, Progress, Row, Snapshot, Target, Task};
pub use stop::StopFlag;
