//! Errors of reading an image, caused by the image or by the storage.

use std::io;
use std::path::Path;

use crate::error::DataError;
use mochi_views::{BadReason, DecodeError};

/// Error of reading an image.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The image is bad; other images can be read.
    #[error(transparent)]
    Image(#[from] DecodeError),
    /// The storage failed, for example the network, the disk, or because of too many open files. The image may be good.
    #[error(transparent)]
    Storage(DataError),
}

/// Errors of Linux that concern the storage as a whole and have no stable [`io::ErrorKind`].
const STORAGE: [i32; 8] = [
    EIO, 19,  // ENODEV
    23,  // ENFILE
    24,  // EMFILE
    107, // ENOTCONN
    108, // ESHUTDOWN
    112, // EHOSTDOWN
    121, // EREMOTEIO
];
const EIO: i32 = 5;

impl ReadError {
    /// Classifies an error of the operating system from reading `path`.
    pub(crate) fn of(path: &Path, error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let storage = matches!(
            error.kind(),
            Kind::HostUnreachable
                | Kind::NetworkUnreachable
                | Kind::NetworkDown
                | Kind::TimedOut
                | Kind::StaleNetworkFileHandle
                | Kind::OutOfMemory
        ) || error.raw_os_error().is_some_and(|code| STORAGE.contains(&code));
        if storage {
            return Self::Storage(DataError::Io { path: path.into(), source: error });
        }
        let reason = match error.kind() {
            Kind::NotFound => BadReason::Vanished,
            Kind::UnexpectedEof => BadReason::Truncated,
            _ => BadReason::Unreadable,
        };
        Self::Image(DecodeError::new(reason, error.to_string()))
    }

    /// Treats an unreadable disk block (EIO) as a bad image, so that a run continues up to its limit of bad images.
    pub(crate) fn tolerating_bad_blocks(self) -> Self {
        match self {
            Self::Storage(DataError::Io { source, .. }) if source.raw_os_error() == Some(EIO) => {
                Self::Image(DecodeError::new(BadReason::Unreadable, source.to_string()))
            }
            other => other,
        }
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Image(error) => error.hint(),
            Self::Storage(error) => error.hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // House review H6.4.
    #[test]
    fn h6_4_a_lost_disk_or_network_is_not_a_bad_image() {
        let of = |code| ReadError::of(Path::new("x"), io::Error::from_raw_os_error(code));
        for code in [5, 12, 19, 23, 24, 107, 108, 110, 112, 113, 116, 121] {
            assert!(matches!(of(code), ReadError::Storage(DataError::Io { .. })), "{code}: {}", of(code));
        }
        for (code, reason) in [(2, BadReason::Vanished), (13, BadReason::Unreadable), (40, BadReason::Unreadable)] {
            assert!(matches!(of(code), ReadError::Image(e) if e.reason == reason), "{code}");
        }
        assert!(matches!(of(5).tolerating_bad_blocks(), ReadError::Image(e) if e.reason == BadReason::Unreadable));
        assert!(matches!(of(24).tolerating_bad_blocks(), ReadError::Storage(_)));
    }
}
