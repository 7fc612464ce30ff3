//! What can go wrong with the index.

use std::path::PathBuf;

/// A failure of the index.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A folder whose settings cannot be read.
    #[error("cannot read the settings of the run {}: {reason}", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// An expression names something that is no column.
    #[error("unknown column `{name}`")]
    UnknownColumn {
        /// The name.
        name: String,
        /// The most similar column.
        nearest: Option<String>,
    },
    /// SQLite refuses an expression.
    #[error("invalid expression `{expression}`: {reason}")]
    Expression {
        /// As it was given.
        expression: String,
        /// SQLite's message.
        reason: String,
    },
    /// The index cannot be read or written.
    #[error("cannot use the index {}: {source}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
}

impl RegistryError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            RegistryError::Folder { .. } => "name a folder that holds runs, e.g. runs".to_owned(),
            RegistryError::NotARun { path, .. } => {
                format!("`mochi config {}` tells what is wrong with them", path.display())
            }
            RegistryError::UnknownColumn { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            RegistryError::UnknownColumn { nearest: None, .. } => {
                "columns are the keys of the settings, and path, preset, step, elapsed_s, loss, knn, linear, few_shot"
                    .to_owned()
            }
            RegistryError::Expression { .. } => {
                "write a condition as in SQL, e.g. 'negatives.pairs > 0 and knn > 40'".to_owned()
            }
            RegistryError::Index { path, .. } => {
                format!("delete {}: it is made again from the run folders", path.display())
            }
        })
    }
}
