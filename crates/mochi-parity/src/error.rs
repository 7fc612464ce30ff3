//! Errors: a file that cannot be compared.

use mochi_contrast::ContrastError;
use mochi_tensor::{TchError, TensorError};
use std::path::PathBuf;

/// What stops a comparison before there is a number.
#[derive(Debug, thiserror::Error)]
pub enum ParityError {
    /// The command line.
    #[error("{0}")]
    Usage(String),
    /// The file lacks what the script writes, or has it in another shape.
    #[error("{}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// The script that writes such files.
        script: &'static str,
    },
    /// The engine, or the file's format.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The loss.
    #[error(transparent)]
    Contrast(#[from] ContrastError),
}

impl ParityError {
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage(_) => Some("mochi-parity resnet FILE, or mochi-parity loss FILE; --help tells more".into()),
            Self::File { script, .. } => Some(format!("write the file again: python {script} --out FILE")),
            Self::Tensor(TensorError::Version { .. })
            | Self::Contrast(ContrastError::Tensor(TensorError::Version { .. })) => {
                Some("unset LIBTORCH, run `cargo xtask setup` and build again".into())
            }
            Self::Tensor(_) | Self::Contrast(_) => {
                Some("the file must be one that resnet_reference.py or mochi_reference.py wrote whole".into())
            }
        }
    }
}

impl From<TchError> for ParityError {
    fn from(error: TchError) -> Self {
        Self::Tensor(error.into())
    }
}

impl From<lexopt::Error> for ParityError {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}
