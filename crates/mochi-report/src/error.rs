//! Why there is no page.

use mochi_config::ConfigError;
use mochi_run::RunError;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The run folder or its metrics cannot be read, or the page cannot be written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The run's settings cannot be read.
    #[error(transparent)]
    Settings(#[from] ConfigError),
}

impl ReportError {
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            ReportError::Run(error) => error.hint(),
            ReportError::Settings(error) => error.hint(),
        }
    }
}
