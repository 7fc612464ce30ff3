//! The time of the whole check, and a command that ends with it.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::command;
use crate::failure::Outcome;

/// Between two looks at a running command.
const TICK: Duration = Duration::from_millis(50);
/// How long the output of an ended command is waited for: a process that it left behind may hold the pipe.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Time that the rows share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    begun: Instant,
    limit: Duration,
}

impl Budget {
    /// A budget that begins now.
    pub(super) fn of(limit: Duration) -> Budget {
        Budget { begun: Instant::now(), limit }
    }

    /// Time that is left.
    pub(super) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.begun.elapsed())
    }

    /// Time since the beginning.
    pub(super) fn spent(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// What became of a command.
#[derive(Debug)]
pub(super) struct Ran {
    /// `None` if it was stopped because the time ran out.
    pub(super) status: Option<ExitStatus>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ran {
    /// The sentence of the error: what follows `error: `, otherwise the last line.
    pub(super) fn complaint(&self) -> String {
        let lines = || self.stderr.lines().map(str::trim).filter(|line| !line.is_empty());
        let named = lines().find_map(|line| line.strip_prefix("error: "));
        named.or_else(|| lines().next_back()).unwrap_or("it printed no error").to_owned()
    }
}

/// Runs a command, and kills it when the time is over.
pub(super) fn run_within(budget: &Budget, command: &mut Command) -> Outcome<Ran> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| command::not_started(command, &error))?;
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let status = wait(&mut child, budget).map_err(|error| command::not_started(command, &error))?;
    let text = |receiver: Receiver<String>| receiver.recv_timeout(LAST_WORDS).unwrap_or_default();
    Ok(Ran { status, stdout: text(stdout), stderr: text(stderr) })
}

fn wait(child: &mut Child, budget: &Budget) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if budget.left().is_zero() {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(TICK);
    }
}

/// Reads a stream to its end in a thread.
fn collect(stream: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What was read before an error is kept.
            let _ = stream.read_to_end(&mut bytes);
        }
        let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(budget: Duration, script: &str) -> Ran {
        run_within(&Budget::of(budget), Command::new("sh").args(["-c", script])).expect("sh runs")
    }

    #[test]
    fn a_command_is_stopped_when_the_time_is_over() {
        let begun = Instant::now();
        let ran = shell(Duration::from_millis(200), "exec sleep 60");
        assert!(ran.status.is_none() && begun.elapsed() < Duration::from_secs(30));
        let ran = shell(Duration::from_secs(60), "echo out; echo err >&2; exit 3");
        assert_eq!(ran.status.and_then(|status| status.code()), Some(3));
        assert_eq!((ran.stdout.as_str(), ran.complaint().as_str()), ("out\n", "err"));
        assert!(Budget::of(Duration::ZERO).left().is_zero());
    }

    #[test]
    fn the_complaint_is_the_sentence_of_the_error() {
        let ran = shell(Duration::from_secs(60), "echo 'error: no device\nhint: get one' >&2; exit 1");
        assert_eq!(ran.complaint(), "no device");
        assert_eq!(shell(Duration::from_secs(60), "exit 1").complaint(), "it printed no error");
    }
}
