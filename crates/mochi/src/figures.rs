//! What `--figures DIR` says on stderr: which figures of the paper are not drawn, and what they need.

use mochi_report::WrittenFigures;
use mochi_term::{printable, write_stderr};

/// Names the figures that were not drawn, with the command that makes what each needs.
pub fn tell_missing(written: &WrittenFigures) {
    for one in &written.not_drawn {
        write_stderr(&printable(&format!("paper-{} is not drawn: it needs {}", one.name, one.needs)));
        write_stderr(&printable(&format!("hint: {}", one.command)));
    }
}
