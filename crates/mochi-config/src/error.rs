//! What can be wrong with settings. All faults of a document are reported together, each with its key, where it was
//! written and what is expected there.

use std::fmt;
use std::path::PathBuf;

use crate::origin::Origin;

/// One fault of the settings.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A key that does not exist.
    #[error("unknown key `{key}` ({origin})")]
    UnknownKey {
        /// The key as written.
        key: String,
        /// Where it was written.
        origin: Origin,
        /// The key that was most likely meant.
        nearest: Option<&'static str>,
    },
    /// A value of the wrong type.
    #[error("`{key}` is {found} ({origin}): expected {expected}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// What was written, as TOML.
        found: String,
        /// What may be written.
        expected: String,
        /// Where it was written.
        origin: Origin,
    },
    /// A value of the right type outside its bounds or list.
    #[error("`{key}` is {found} ({origin}): expected {expected}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// What was written, as TOML.
        found: String,
        /// What may be written.
        expected: String,
        /// The word that was most likely meant, for a choice.
        nearest: Option<&'static str>,
        /// Where it was written.
        origin: Origin,
    },
    /// A value where a section is expected: `moco = 3`.
    #[error("`{section}` is {found} ({origin}): expected a section of keys")]
    NotASection {
        /// The section.
        section: String,
        /// What was written, as TOML.
        found: String,
        /// Where it was written.
        origin: Origin,
    },
    /// A preset that does not exist.
    #[error("there is no preset {name:?} ({origin})")]
    UnknownPreset {
        /// The name as written.
        name: String,
        /// Where it was written.
        origin: Origin,
        /// The preset that was most likely meant.
        nearest: Option<&'static str>,
    },
    /// `extends` that is no text.
    #[error("`extends` is {found} ({origin}): expected the name of a preset")]
    BadExtends {
        /// What was written, as TOML.
        found: String,
        /// Where it was written.
        origin: Origin,
    },
    /// A word of the command line without `=`.
    #[error("{word:?} is no setting: expected KEY=VALUE")]
    NotAnAssignment {
        /// The word.
        word: String,
    },
    /// A file that is no TOML.
    #[error("{origin}, line {line}: {message}")]
    Syntax {
        /// Which file.
        origin: Origin,
        /// Line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A file that cannot be read.
    #[error("cannot read the settings file {}: {message}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        message: String,
    },
    /// A run's `config.toml` without one of its keys.
    #[error("`{key}` is missing ({origin})")]
    Missing {
        /// The key.
        key: &'static str,
        /// Which file.
        origin: Origin,
    },
    /// A file of another format than this version of the program reads.
    #[error("`format` is {found} ({origin}): expected {expected}")]
    Format {
        /// The number as written, as TOML.
        found: String,
        /// The number that this version reads and writes.
        expected: i64,
        /// Which file.
        origin: Origin,
    },
    /// Values that cannot stand together, or not with this data set.
    #[error("{message}")]
    Conflict {
        /// The sentence.
        message: String,
        /// What to do.
        hint: String,
    },
}

impl Problem {
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Problem::UnknownKey { nearest: Some(key), .. } => Some(format!("did you mean `{key}`?")),
            Problem::OutOfRange { nearest: Some(word), .. } => Some(format!("did you mean {word:?}?")),
            Problem::UnknownPreset { nearest: Some(name), .. } => Some(format!("did you mean {name:?}?")),
            Problem::UnknownPreset { nearest: None, .. } => Some("`mochi presets` lists them".to_owned()),
            Problem::NotASection { section, .. } => Some(format!("write its keys as `{section}.KEY`")),
            Problem::NotAnAssignment { .. } => Some("for example moco.batch=128".to_owned()),
            Problem::Missing { .. } => Some("the file was changed by hand or by another version of mochi".to_owned()),
            Problem::Format { .. } => Some("use the version of mochi that wrote the file".to_owned()),
            Problem::Conflict { hint, .. } => Some(hint.clone()),
            _ => None,
        }
    }
}

/// Everything that is wrong with the settings, at least one fault.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// An error of these faults, or `Ok` where there are none.
    pub(crate) fn unless_empty(problems: Vec<Problem>) -> Result<(), ConfigError> {
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }

    /// Every fault, in the order of the layers.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The next step: of one fault its own; with several, each stands with its fault in the message already, and the hint is where to look.
    pub fn hint(&self) -> Option<String> {
        match self.problems.as_slice() {
            [problem] => problem.hint(),
            _ => Some("docs/reference/configuration.md lists every key with what it takes".to_owned()),
        }
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        ConfigError { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [problem] = self.problems.as_slice() {
            return write!(f, "{problem}");
        }
        write!(f, "{} settings cannot be used:", self.problems.len())?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
            if let Some(hint) = problem.hint() {
                write!(f, "; {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
