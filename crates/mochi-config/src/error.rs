//! Configuration errors. All problems of all layers are reported together, each with its key, its source and the expected value.

use std::fmt;
use std::path::PathBuf;

use crate::choice::Task;
use crate::origin::Origin;
use crate::schema::Schema;

/// One problem of a configuration.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A key that does not exist.
    #[error("unknown key `{key}` ({origin})")]
    UnknownKey {
        /// The key as written.
        key: String,
        /// Where it was written.
        origin: Origin,
        /// The most similar key.
        nearest: Option<&'static str>,
        /// The page that lists every key.
        page: &'static str,
    },
    /// A value of the wrong type.
    #[error("invalid value for `{key}` ({origin}): expected {expected}, got {found}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// The value as written, in TOML.
        found: String,
        /// The accepted values.
        expected: String,
        /// Where it was written.
        origin: Origin,
    },
    /// A value of the right type outside its range or list.
    #[error("invalid value for `{key}` ({origin}): expected {expected}, got {found}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// The value as written, in TOML.
        found: String,
        /// The accepted values.
        expected: String,
        /// The most similar accepted name.
        nearest: Option<&'static str>,
        /// Where it was written.
        origin: Origin,
    },
    /// A value instead of a section: `moco = 3`.
    #[error("invalid value for the section `{section}` ({origin}): expected keys, got {found}")]
    NotASection {
        /// The section.
        section: String,
        /// The value as written, in TOML.
        found: String,
        /// Where it was written.
        origin: Origin,
    },
    /// A preset that does not exist.
    #[error("unknown preset {name:?} ({origin})")]
    UnknownPreset {
        /// The name as written.
        name: String,
        /// Where it was written.
        origin: Origin,
        /// The most similar preset.
        nearest: Option<&'static str>,
        /// The other task that has a preset of this name.
        of: Option<Task>,
    },
    /// A settings file or a run's `config.toml` of another task.
    #[error("{origin} has the settings of {}, expected those of {}", found.run(), expected.run())]
    OtherTask {
        /// The file.
        origin: Origin,
        /// Its task.
        found: Task,
        /// The task whose settings are read.
        expected: Task,
    },
    /// A value of `extends` that is not a text.
    #[error("invalid value for `extends` ({origin}): expected the name of a preset, got {found}")]
    BadExtends {
        /// The value as written, in TOML.
        found: String,
        /// Where it was written.
        origin: Origin,
    },
    /// An argument of the command line without `=`.
    #[error("invalid argument {word:?}: expected KEY=VALUE")]
    NotAnAssignment {
        /// The argument.
        word: String,
    },
    /// Text that is not TOML.
    #[error("invalid TOML ({origin}, line {line}): {message}")]
    Syntax {
        /// The file.
        origin: Origin,
        /// Line, from 1.
        line: usize,
        /// The parser's message.
        message: String,
    },
    /// A file that cannot be read: it does not exist, is no regular file, is too large or is not UTF-8.
    #[error("{message}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The path and the reason.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A run's `config.toml` without one of its keys.
    #[error("missing key `{key}` ({origin})")]
    Missing {
        /// The key.
        key: &'static str,
        /// The file.
        origin: Origin,
    },
    /// A `config.toml` in another format than this version reads.
    #[error("{origin} was written by {} Mochi, config format {found}; this one reads {expected}", age(found, *expected))]
    Format {
        /// The number as written.
        found: toml::Value,
        /// The number that this version reads and writes.
        expected: i64,
        /// The file.
        origin: Origin,
    },
    /// Values that contradict each other, the dataset or the machine.
    #[error("{message}")]
    Conflict {
        /// What contradicts what.
        message: String,
        /// What to do.
        hint: String,
    },
}

/// Which version wrote a format, seen from one that reads `expected`.
fn age(found: &toml::Value, expected: i64) -> &'static str {
    match found.as_integer() {
        Some(found) if found < expected => "an older",
        Some(_) => "a newer",
        None => "another",
    }
}

impl Problem {
    /// The key or section that it is about, if it is about one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Problem::UnknownKey { key, .. } => Some(key),
            Problem::WrongType { key, .. } | Problem::OutOfRange { key, .. } | Problem::Missing { key, .. } => {
                Some(key)
            }
            Problem::NotASection { section, .. } => Some(section),
            Problem::UnknownPreset { .. } | Problem::BadExtends { .. } => Some("extends"),
            _ => None,
        }
    }

    /// What to do about it, if there is anything to suggest.
    pub fn hint(&self) -> Option<String> {
        match self {
            Problem::UnknownKey { nearest: None, page, .. } => Some(format!("{page} lists every key")),
            Problem::UnknownKey { nearest: Some(key), .. } => Some(format!("did you mean `{key}`?")),
            Problem::OutOfRange { nearest: Some(word), .. } => Some(format!("did you mean {word:?}?")),
            Problem::UnknownPreset { of: Some(task), .. } => Some(format!("it is a preset of `{}`", task.command())),
            Problem::OtherTask { expected, .. } => {
                Some(format!("give a run or a settings file of `{}`", expected.command()))
            }
            Problem::UnknownPreset { nearest: Some(name), .. } => Some(format!("did you mean {name:?}?")),
            Problem::UnknownPreset { nearest: None, .. } => Some("run `mochi presets` to list them".to_owned()),
            Problem::NotASection { section, .. } => Some(format!("write its keys as `{section}.KEY`")),
            Problem::NotAnAssignment { .. } => Some("write for example optimizer.learning_rate=0.01".to_owned()),
            Problem::Missing { .. } => {
                Some("restore the file; it was edited or written by another version of mochi".to_owned())
            }
            Problem::Format { .. } => Some("use the version of Mochi that wrote the file".to_owned()),
            Problem::Unreadable { hint, .. } => hint.clone(),
            Problem::Conflict { hint, .. } => Some(hint.clone()),
            _ => None,
        }
    }
}

/// Every problem of a configuration, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigError {
    problems: Vec<Problem>,
    /// The page that lists every key.
    page: &'static str,
}

impl ConfigError {
    /// An error of a problem and those of another error.
    pub(crate) fn first(schema: &Schema, problem: Problem, others: Option<ConfigError>) -> ConfigError {
        let others = others.into_iter().flat_map(|error| error.problems);
        ConfigError { problems: std::iter::once(problem).chain(others).collect(), page: schema.page }
    }

    /// An error of these problems, or `Ok` if there are none.
    pub(crate) fn unless_empty(schema: &Schema, problems: Vec<Problem>) -> Result<(), ConfigError> {
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems, page: schema.page }) }
    }

    /// Every problem, in the order of the layers.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What to do: the hint of a single problem, or a pointer to the reference (the message then contains each problem's hint).
    pub fn hint(&self) -> Option<String> {
        match self.problems.as_slice() {
            [problem] => problem.hint(),
            _ => Some(format!("see {} for every key and its values", self.page)),
        }
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        // A single problem has a hint of its own.
        ConfigError { problems: vec![problem], page: "docs/reference" }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [problem] = self.problems.as_slice() {
            return write!(f, "{problem}");
        }
        write!(f, "invalid configuration ({} problems):", self.problems.len())?;
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
