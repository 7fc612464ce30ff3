//! How a chore fails: one sentence that says what and where, and where there is one, the next step.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// What every chore returns; the code is the process's own unless a program that it ran decided otherwise.
pub(crate) type Outcome<T = ExitCode> = Result<T, Failure>;

/// A chore that could not be done. Printed as `error: ...` and, where there is a next step, `hint: ...`.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure described by one sentence.
    pub(crate) fn new(what: impl Into<String>) -> Failure {
        Failure { what: what.into(), hint: None }
    }

    /// The same failure with the step that mends it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// A failed file operation: "could not VERB PATH: reason".
    pub(crate) fn io(verb: &str, path: &Path, error: &std::io::Error) -> Failure {
        let failure = Failure::new(format!("could not {verb} {}: {error}", path.display()));
        match error.kind() {
            std::io::ErrorKind::StorageFull => failure.hint("free some space on that disk and run it again"),
            std::io::ErrorKind::PermissionDenied => failure.hint("run it as the user who owns this folder"),
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
        Failure::new(format!("{error}")).hint("`cargo xtask help` lists the chores and their options")
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
