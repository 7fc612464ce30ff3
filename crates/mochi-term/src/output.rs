//! stdout for results, stderr for everything else.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// Writes to stdout at once. A reader that went away (`| head`) is no error; a disk that is full is one.
///
/// # Errors
/// What the system says, also of what was written before and is only reported now.
pub fn write_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a line to stderr, whose texts have passed [`printable_text`](crate::printable_text). Where stderr is closed, e.g. after the end of a session, nobody
/// can be told.
pub fn write_stderr(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Color unless `NO_COLOR` is set to anything (<https://no-color.org>) or stderr is no terminal.
pub fn color_wanted() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
