//! Errors of the engine.

use crate::LoadReport;
use std::path::PathBuf;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum TensorError {
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(String),
    /// The libtorch that was loaded is not the pinned one.
    #[error("libtorch {found} was loaded from {}, but this program was built for {expected}", .folder.display())]
    Version {
        /// Version found next to the library.
        found: String,
        /// Version that the program was built for.
        expected: &'static str,
        /// The installation's folder.
        folder: PathBuf,
    },
    /// CUDA was asked for and is not available.
    #[error("CUDA was asked for, but {0}")]
    NoCuda(String),
    /// A name that no device has.
    #[error("\"{0}\" is not a device; expected auto, cpu, cuda or cuda:N")]
    UnknownDevice(String),
    /// Ranks could not meet, or a collective failed because one of them is gone or late.
    #[error("{0}")]
    Collective(String),
    /// A weights file could not be read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    File {
        /// "read" or "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A weights file is damaged or holds a type that is not supported.
    #[error("{} is not a usable weight file: {reason}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The tensors of a file are not those of the network.
    #[error("the weights do not fit the network: {0}")]
    Load(Box<LoadReport>),
    /// Names or shapes of stored tensors do not fit the network.
    #[error("the weights do not fit the network: {0}")]
    Mismatch(String),
}

impl TensorError {
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Version { .. } => Some("unset LIBTORCH, run `cargo xtask setup` and build again".into()),
            Self::NoCuda(_) => {
                Some("run `cargo xtask setup --cuda`, or set compute.device=cpu; `mochi doctor` tells more".into())
            }
            Self::UnknownDevice(_) => Some("set compute.device to one of them".into()),
            Self::Format { .. } => {
                Some("copy or download the file again; of a checkpoint, an earlier one can be resumed from".into())
            }
            Self::Mismatch(_) | Self::Load(_) => Some(
                "check that model.arch, model.stem and model.dim are those that the weights were trained with".into(),
            ),
            Self::Collective(_) => Some(
                "check that every process was started with the same command, and that MASTER_ADDR and MASTER_PORT can be reached from each machine"
                    .into(),
            ),
            Self::Torch(_) | Self::File { .. } => None,
        }
    }
}

impl TensorError {
    /// A comparison as an error, if anything differs.
    pub(crate) fn of_report(report: LoadReport) -> Result<(), Self> {
        if report.fits() { Ok(()) } else { Err(Self::Load(Box::new(report))) }
    }
}

impl From<tch::TchError> for TensorError {
    fn from(error: tch::TchError) -> Self {
        let text = error.to_string();
        // The C++ back trace does not help a reader of a log.
        Self::Torch(text.lines().next().unwrap_or("unknown error").to_owned())
    }
}
