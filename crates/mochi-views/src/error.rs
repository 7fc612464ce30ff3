//! Reasons why an image is bad, and the errors of this crate.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Reason why an image is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BadReason {
    /// The file is empty.
    Empty,
    /// The data ends before the image does.
    Truncated,
    /// The data violates its format.
    Corrupt,
    /// The image has more pixels or bytes than the limits allow, for example a decompression bomb.
    Oversized,
    /// The file was removed after the dataset was opened.
    Vanished,
    /// The operating system could not read the file.
    Unreadable,
    /// The format is not supported.
    Unsupported,
    /// The decoder panicked because of a bug; the panic was caught.
    Panicked,
}

impl BadReason {
    /// The reason as a lower-case word, as in `bad-images.jsonl`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::Oversized => "oversized",
            Self::Vanished => "vanished",
            Self::Unreadable => "unreadable",
            Self::Unsupported => "unsupported",
            Self::Panicked => "panicked",
        }
    }
}

impl fmt::Display for BadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Error of decoding an image: why an image is bad.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct DecodeError {
    /// Reason of the failure.
    pub reason: BadReason,
    /// Message of the decoder or of the operating system.
    pub detail: String,
}

impl DecodeError {
    /// An error with this reason and message.
    pub fn new(reason: BadReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self.reason {
            BadReason::Unsupported => Some("convert the file to JPEG, PNG or WebP".into()),
            BadReason::Oversized => Some("shrink the image; decoding it needs too much memory".into()),
            _ => None,
        }
    }
}

/// A value of an augmentation pipeline is outside its valid range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {detail}")]
pub struct RangeError {
    /// Which value, e.g. "crop scale".
    pub what: &'static str,
    /// What is wrong with it.
    pub detail: String,
}
