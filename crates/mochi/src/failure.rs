//! Results on stdout, and errors on stderr: `error: ` and one sentence, then `hint: ` and the next step.

use std::process::ExitCode;

use mochi_config::plan::Place;
use mochi_data::DataError;
use mochi_term::{color_wanted, printable_text, stop::STOPPED, write_stderr};
use mochi_train::TrainError;

/// An error with its hint.
#[derive(Debug)]
pub struct Failure {
    what: String,
    hint: Option<String>,
    /// Whether a stop signal ended it, which is not an error.
    stopped: bool,
    /// Whether another process prints it.
    silent: bool,
}

/// The result of a subcommand: the status to exit with.
pub type Outcome<T = ExitCode> = Result<T, Failure>;

impl Failure {
    /// An error of the command line itself.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: Some(hint.into()), stopped: false, silent: false }
    }

    /// The same with the place before it, and another hint unless a stop signal ended it.
    #[must_use]
    pub fn at(self, place: &str, hint: &str) -> Self {
        if self.stopped {
            self
        } else {
            Self { what: format!("{place}{}", self.what), hint: Some(hint.to_owned()), ..self }
        }
    }

    /// The same with the place before it, unless a stop signal ended it.
    #[must_use]
    pub fn within(self, place: &dyn std::fmt::Display) -> Self {
        if self.stopped { self } else { Self { what: format!("{place}: {}", self.what), ..self } }
    }

    /// An error of data that a plan file names.
    pub fn of_plan_data(error: DataError, place: &Place) -> Self {
        let missing = matches!(error, DataError::NotFound { .. });
        let failure = Self::from(error).within(place);
        match missing {
            true => Self {
                hint: Some("check the spelling; relative paths start at the folder of the plan".to_owned()),
                ..failure
            },
            false => failure,
        }
    }

    /// The end by a stop signal, which is not an error.
    pub fn stopped(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, stopped: true, silent: false }
    }

    /// Whether a stop signal ended it.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// What went wrong.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The same of one of several processes.
    #[must_use]
    pub fn of_rank(self, rank: usize) -> Self {
        if rank == 0 || self.silent { self } else { Self { what: format!("rank {rank}: {}", self.what), ..self } }
    }

    /// The same, not to be printed, because another process prints it.
    #[must_use]
    pub fn silent(self) -> Self {
        Self { silent: true, ..self }
    }

    /// Writes it to stderr. Returns the status to exit with.
    pub fn report(self) -> ExitCode {
        if self.silent {
            return if self.stopped { ExitCode::from(STOPPED) } else { ExitCode::FAILURE };
        }
        if self.stopped {
            write_stderr(&printable_text(&self.what));
            return ExitCode::from(STOPPED);
        }
        let (red, cyan, plain) = if color_wanted() { ("\x1b[1;31m", "\x1b[36m", "\x1b[0m") } else { ("", "", "") };
        write_stderr(&format!("{red}error:{plain} {}", printable_text(&self.what)));
        if let Some(hint) = self.hint {
            write_stderr(&format!("{cyan}hint:{plain} {}", printable_text(&hint)));
        }
        ExitCode::FAILURE
    }
}

macro_rules! from_error {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self { what: error.to_string(), hint: error.hint(), stopped: false, silent: false }
            }
        }
    )+};
}

from_error!(
    mochi_ablate::AblateError,
    mochi_annotations::AnnotationError,
    mochi_config::ConfigError,
    mochi_contrast::ContrastError,
    mochi_detection_metrics::MetricsError,
    mochi_eval::EvalError,
    mochi_files::FileError,
    mochi_registry::RegistryError,
    mochi_report::ReportError,
    mochi_run::RunError,
    mochi_system::LauncherError,
    mochi_tensor::TensorError,
);

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let stopped = matches!(error, DataError::Canceled);
        Self { stopped, silent: false, what: error.to_string(), hint: error.hint() }
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        let stopped = matches!(error, TrainError::Data(DataError::Canceled));
        Self { stopped, silent: false, what: error.to_string(), hint: error.hint() }
    }
}

/// Writes one JSON object to stdout.
///
/// # Errors
/// As [`print_line`].
pub fn print_json<T: serde::Serialize>(value: &T) -> Outcome<()> {
    let text = serde_json::to_string(value)
        .map_err(|e| Failure::new(format!("cannot write JSON: {e}"), "this is a defect, please report it"))?;
    write(&format!("{}\n", mochi_term::printable_json(&text)))
}

/// Writes a line, or several, to stdout.
///
/// # Errors
/// Where the system refuses, e.g. on a full disk. A reader that went away (`| head`) is no error.
pub fn print_line(text: &str) -> Outcome<()> {
    write(&format!("{}\n", mochi_term::printable_lines(text)))
}

fn write(text: &str) -> Outcome<()> {
    let hint = "free some space where stdout goes to, then repeat the command";
    mochi_term::write_stdout(text).map_err(|e| Failure::new(format!("cannot write to stdout: {e}"), hint))
}
