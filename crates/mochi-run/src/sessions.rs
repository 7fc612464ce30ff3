//! `sessions.jsonl`: one line for each process that trained the run, so that a result can be traced to a command, a version and a machine.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::lines::{open_lines, read_lines};
use crate::metrics::append_line;

/// One process that trained a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// When it began to train, in UTC (RFC 3339).
    pub started: String,
    /// Steps that were done before.
    pub from_step: u64,
    /// Its command line; addresses without their secrets.
    pub command: Vec<String>,
    /// Version of the program.
    pub version: String,
    /// Version of libtorch.
    pub libtorch: String,
    /// Name of the processor, where the system tells.
    pub processor: Option<String>,
    /// Operating system and architecture.
    pub system: String,
    /// Threads that one operation may use.
    pub threads: usize,
}

impl Session {
    /// A session that begins now on this system.
    pub fn begin(from_step: u64) -> Session {
        Session {
            started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            from_step,
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            ..Session::default()
        }
    }

    /// Adds the session to the file, which is made where it is missing.
    ///
    /// # Errors
    /// [`RunError::File`], [`RunError::Unwritable`].
    pub fn append(&self, path: &Path) -> Result<(), RunError> {
        let mut file = open_lines(path, |_, _| Ok(true))?;
        append_line(&mut file, path, self)
    }

    /// Every session of a file; lines that are not sessions are left out.
    ///
    /// # Errors
    /// [`RunError::File`], [`RunError::LongLine`].
    pub fn read(path: &Path) -> Result<Vec<Session>, RunError> {
        let mut sessions = Vec::new();
        read_lines(path, |_, line| {
            sessions.extend(serde_json::from_slice::<Session>(line).ok());
            Ok(())
        })?;
        Ok(sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_added_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.jsonl");
        assert_eq!(Session::read(&path).unwrap(), []);
        let first = Session { processor: Some("a".into()), threads: 2, ..Session::begin(0) };
        let second = Session::begin(40);
        first.append(&path).unwrap();
        second.append(&path).unwrap();
        assert_eq!(Session::read(&path).unwrap(), [first.clone(), second]);
        assert!(first.started.ends_with('Z') && first.started.len() == 20);
    }
}
