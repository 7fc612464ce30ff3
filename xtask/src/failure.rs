//! Error of a command: one sentence that says what failed, and a hint with the next step.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// Result of a command, with the exit code of the process.
pub(crate) type Outcome<T = ExitCode> = Result<T, Failure>;

/// Error of a command, printed as `error: ...` and, if there is a next step, `hint: ...`.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    hint: Option<String>,
}

impl Failure {
    /// Error with one sentence.
    pub(crate) fn new(what: impl Into<String>) -> Failure {
        Failure { what: what.into(), hint: None }
    }

    /// Adds a hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// The sentence, without the hint.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Error of a file operation: "cannot VERB PATH: reason".
    pub(crate) fn io(verb: &str, path: &Path, error: &std::io::Error) -> Failure {
        let failure = Failure::new(format!("cannot {verb} {}: {error}", path.display()));
        match error.kind() {
            std::io::ErrorKind::StorageFull => failure.hint("free disk space, then run the command again"),
            std::io::ErrorKind::PermissionDenied => failure.hint("run the command as the owner of this folder"),
            _ => failure,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Failure {
        Failure::new(format!("{error}")).hint("`cargo xtask help` lists the commands and their options")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_hint_on_its_own_line() {
        let plain = Failure::new("no python3 on the PATH");
        assert_eq!(plain.to_string(), "error: no python3 on the PATH");
        let hinted = plain.hint("install it: sudo apt-get install -y python3");
        assert_eq!(
            hinted.to_string(),
            "error: no python3 on the PATH\nhint: install it: sudo apt-get install -y python3"
        );
    }
}
