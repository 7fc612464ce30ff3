//! What can be wrong with detections, ground truth and their files.

use std::path::{Path, PathBuf};

use mochi_files::FileError;

/// Why detections cannot be evaluated, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not JSON, or not of the expected form.
    #[error("{}{}: {detail}", path.display(), in_file(entry))]
    Form {
        /// The file.
        path: PathBuf,
        /// The entry as `jq` writes it, counted from 0: `.annotations[3]`, `.[3]`; empty for the file as a whole.
        entry: String,
        /// What was expected and what was found.
        detail: String,
        /// The next step.
        hint: &'static str,
    },
    /// A detection in memory is invalid.
    #[error("detection {index}: {detail}")]
    Detection {
        /// Its position in the slice, from 0.
        index: usize,
        /// What is wrong with it.
        detail: String,
    },
    /// An object of the ground truth is invalid.
    #[error("image {image}, object {object}: {detail}")]
    Object {
        /// The image's name.
        image: String,
        /// The object's position in the image, from 0.
        object: usize,
        /// What is wrong with it.
        detail: String,
    },
    /// The library that computes COCO's numbers refuses its input.
    #[error("cannot compute COCO's average precision: {detail}")]
    Engine {
        /// Its message.
        detail: String,
    },
}

fn in_file(entry: &str) -> String {
    if entry.is_empty() { String::new() } else { format!(", {entry}") }
}

impl MetricsError {
    /// An error of an entry of a file.
    pub(crate) fn form(path: &Path, entry: impl Into<String>, detail: impl Into<String>, hint: &'static str) -> Self {
        Self::Form { path: path.to_owned(), entry: entry.into(), detail: detail.into(), hint }
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Form { hint, .. } => Some((*hint).to_owned()),
            Self::Detection { .. } => Some("check what produced the detections".to_owned()),
            Self::Object { .. } => Some("check the annotations of this image".to_owned()),
            Self::Engine { .. } => Some("this is a defect, please report it with the two files".to_owned()),
        }
    }
}
