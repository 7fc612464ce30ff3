//! A `mochi` of its own for each step of a cell. What it writes to stderr goes to the cell's log; steps, warnings and errors also to ours, after the
//! cell's name.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use mochi_ablate::Lease;
use mochi_term::{Progress, StopFlag};
use rustix::process::{Pid, Signal, kill_process};

use crate::failure::{Failure, Outcome};
use crate::launch::WORKER;

/// How often stop signals and the lease are checked.
const TICK: Duration = Duration::from_millis(100);

/// Starts of the lines that are shown besides being logged: steps, and what goes wrong.
const SHOWN: [&str; 3] = ["epoch ", "warning: ", "error: "];

/// What the processes of a cell share.
pub struct Process<'a> {
    pub log: &'a Path,
    /// Name of the cell.
    pub label: &'a str,
    pub lease: &'a Lease,
    pub stop: &'a StopFlag,
    pub progress: &'a Progress,
}

/// How a process ended.
pub enum Ended {
    Success,
    /// A stop signal reached us, and it saved its state.
    Stopped,
    /// Another worker has taken over the cell.
    LostLease,
    /// With its last error, or the signal that ended it.
    Failure(String),
}

impl Process<'_> {
    /// Runs `mochi` with these arguments to its end; passes a stop signal on.
    pub fn run(&self, arguments: &[OsString]) -> Outcome<Ended> {
        let failed = |what: &str, error: std::io::Error| {
            let hint = "check the permissions of the study's folder and the limit of processes (ulimit -u)";
            Failure::new(format!("cannot {what}: {error}"), hint)
        };
        let mut log = File::options()
            .create(true)
            .append(true)
            .open(self.log)
            .map_err(|error| failed(&format!("write {}", self.log.display()), error))?;
        let program = std::env::current_exe().map_err(|error| failed("find this program", error))?;
        let mut child = Command::new(program)
            .args(arguments)
            // It ends with this process, even if that is killed.
            .env(WORKER, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C reaches us alone, and is passed on once: a second signal would end it without saving.
            .process_group(0)
            .spawn()
            .map_err(|error| failed("start a process", error))?;
        let (sender, lines) = channel();
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stderr);
                let mut bytes = Vec::new();
                while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
                    let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                    bytes.clear();
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let (mut error, mut signaled) = (None, false);
        loop {
            match lines.recv_timeout(TICK) {
                Ok(line) => {
                    // A full disk must not end the training.
                    let _ = writeln!(log, "{line}");
                    if let Some(text) = line.strip_prefix("error: ") {
                        error = Some(text.to_owned());
                    }
                    if SHOWN.iter().any(|start| line.starts_with(start)) {
                        self.progress.note(&format!("{}: {line}", self.label));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if !signaled && (self.stop.requested() || self.lease.lost()) {
                signaled = true;
                // It may have ended already.
                let _ = kill_process(Pid::from_child(&child), Signal::TERM);
            }
        }
        let status = child.wait().map_err(|error| failed("wait for a process", error))?;
        Ok(match () {
            () if self.lease.lost() => Ended::LostLease,
            () if status.success() => Ended::Success,
            () if self.stop.requested() => Ended::Stopped,
            () => Ended::Failure(error.unwrap_or_else(|| describe(status))),
        })
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (_, Some(9)) => "killed by signal 9, probably for lack of memory".to_owned(),
        (_, Some(signal)) => format!("killed by signal {signal}"),
        (Some(130), _) => "stopped by a signal".to_owned(),
        (Some(code), _) => format!("exited with status {code}"),
        _ => "ended for an unknown reason".to_owned(),
    }
}
