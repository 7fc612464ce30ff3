//! What `--figures DIR` says on stderr: which figures of the paper are not drawn, and what they need.

use mochi_report::WrittenFigures;
use mochi_term::{printable, write_stderr};

/// Names the figures that were not drawn, and after those that need the same command that command.
pub fn tell_missing(written: &WrittenFigures) {
    let mut left = written.not_drawn.iter().peekable();
    while let Some(one) = left.next() {
        write_stderr(&printable(&format!("paper-{} is not drawn: it needs {}", one.name, one.needs)));
        if left.peek().is_none_or(|next| next.command != one.command) {
            write_stderr(&printable(&format!("hint: {}", one.command)));
        }
    }
}
