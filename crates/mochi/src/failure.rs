//! How an error reaches a person: `error: ` and one sentence, then `hint: ` and the next step.

use std::io::IsTerminal;
use std::process::ExitCode;

use mochi_data::DataError;
use mochi_train::TrainError;

/// Status after a stop signal.
const STOPPED: u8 = 130;

/// An error with its hint.
#[derive(Debug)]
pub struct Failure {
    what: String,
    hint: Option<String>,
    /// Whether a stop signal ended it, which is not an error.
    stopped: bool,
}

/// A verb's result: the status to leave with.
pub type Outcome<T = ExitCode> = Result<T, Failure>;

impl Failure {
    /// An error of the command line itself.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: Some(hint.into()), stopped: false }
    }

    /// Tells it on stderr; the status to leave with.
    pub fn report(self) -> ExitCode {
        if self.stopped {
            eprintln!("{}", self.what);
            return ExitCode::from(STOPPED);
        }
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let (red, cyan, plain) = if colour { ("\x1b[1;31m", "\x1b[36m", "\x1b[0m") } else { ("", "", "") };
        eprintln!("{red}error:{plain} {}", self.what);
        if let Some(hint) = self.hint {
            eprintln!("{cyan}hint:{plain} {hint}");
        }
        ExitCode::FAILURE
    }
}

macro_rules! from_error {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self { what: error.to_string(), hint: error.hint(), stopped: false }
            }
        }
    )+};
}

from_error!(
    mochi_config::ConfigError,
    mochi_contrast::ContrastError,
    mochi_eval::EvalError,
    mochi_files::FileError,
    mochi_report::ReportError,
    mochi_run::RunError,
    mochi_tensor::TensorError,
);

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self { stopped: matches!(error, DataError::Canceled), what: error.to_string(), hint: error.hint() }
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        let stopped = matches!(error, TrainError::Data(DataError::Canceled));
        Self { stopped, what: error.to_string(), hint: error.hint() }
    }
}

/// One JSON object on stdout.
pub fn print_json<T: serde::Serialize>(value: &T) -> Outcome<()> {
    let text = serde_json::to_string(value)
        .map_err(|e| Failure::new(format!("cannot write JSON: {e}"), "this is a defect, please report it"))?;
    print_line(&text);
    Ok(())
}

/// A line on stdout; a reader that went away (`| head`) is no error.
pub fn print_line(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}
