//! Running other programs: with captured output, or quietly with a progress line.

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome};

/// A finished program: its exit status and its output, stdout and stderr in the order of writing.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
}

impl Finished {
    /// The last `count` non-empty lines.
    pub(crate) fn tail(&self, count: usize) -> String {
        let lines: Vec<&str> = self.output.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }
}

/// The first executable file of that name on the PATH.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0))
}

/// Error of a program that cannot be started.
pub(crate) fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot start {}: {error}", command.get_program().to_string_lossy()))
}

/// Runs a short program and captures its output.
pub(crate) fn capture(command: &mut Command) -> Outcome<Finished> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| not_started(command, &error))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok(Finished { status: output.status, output: text })
}

/// Runs a program that writes to the output of this one.
pub(crate) fn status(command: &mut Command) -> Outcome<ExitStatus> {
    command.status().map_err(|error| not_started(command, &error))
}

/// Runs a long program quietly: its output is captured, and a progress line shows the elapsed time and the size of `watched`.
pub(crate) fn quiet(command: &mut Command, label: &str, watched: Option<&Path>) -> Outcome<Finished> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| not_started(command, &error))?;
    let (send, lines) = mpsc::channel();
    let streams: [Option<Box<dyn Read + Send>>; 2] =
        [child.stdout.take().map(|s| Box::new(s) as _), child.stderr.take().map(|s| Box::new(s) as _)];
    for stream in streams.into_iter().flatten() {
        let send = send.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
    }
    drop(send);

    let mut pulse = Pulse::new(label, watched);
    let mut output = String::new();
    loop {
        match lines.recv_timeout(Duration::from_millis(250)) {
            Ok(line) => {
                output.push_str(&line);
                output.push('\n');
            }
            Err(mpsc::RecvTimeoutError::Timeout) => pulse.beat(),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    pulse.end();
    let status = child.wait().map_err(|error| not_started(command, &error))?;
    Ok(Finished { status, output })
}

/// Progress line: redrawn on a terminal, repeated at intervals in a pipe.
struct Pulse<'a> {
    label: &'a str,
    watched: Option<&'a Path>,
    started: Instant,
    last: Instant,
    terminal: bool,
}

impl<'a> Pulse<'a> {
    fn new(label: &'a str, watched: Option<&'a Path>) -> Pulse<'a> {
        let now = Instant::now();
        Pulse { label, watched, started: now, last: now, terminal: std::io::stderr().is_terminal() }
    }

    fn beat(&mut self) {
        let every = if self.terminal { Duration::from_millis(900) } else { Duration::from_secs(15) };
        if self.last.elapsed() < every {
            return;
        }
        self.last = Instant::now();
        let mut line = format!("{} ... {}", self.label, duration(self.started.elapsed()));
        if let Some(folder) = self.watched {
            line.push_str(&format!(", {}", bytes(folder_bytes(folder))));
        }
        let mut out = std::io::stderr().lock();
        let _ = if self.terminal { write!(out, "\r{line}\x1b[K") } else { writeln!(out, "{line}") };
        let _ = out.flush();
    }

    fn end(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}

/// Bytes in all files below a folder. Files that cannot be read are ignored.
fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => folder_bytes(&entry.path()),
            Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |m| m.len()),
            _ => 0,
        })
        .sum()
}

/// A number of bytes for people: "1.2 GB", "517 MB".
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{:.0} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

/// A duration for people: "0.4 s", "42 s", "3 min 05 s".
pub(crate) fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", span.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_people_say_them() {
        assert_eq!(bytes(12), "12 bytes");
        assert_eq!(bytes(530_604_548), "531 MB");
        assert_eq!(bytes(1_234_000_000), "1.2 GB");
        assert_eq!(duration(Duration::from_millis(412)), "0.4 s");
        assert_eq!(duration(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn a_quiet_program_keeps_both_streams_and_its_status() {
        let finished =
            quiet(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]), "", None).expect("sh runs");
        assert_eq!(finished.status.code(), Some(3));
        let mut lines: Vec<&str> = finished.output.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["err", "out"]);
    }

    #[test]
    fn the_tail_skips_empty_lines() {
        let finished = capture(Command::new("sh").args(["-c", "printf 'a\\n\\nb\\nc\\n\\n'"])).expect("sh runs");
        assert_eq!(finished.tail(2), "b\nc");
        assert_eq!(finished.tail(9), "a\nb\nc");
    }
}
