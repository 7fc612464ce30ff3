//! Retry policy of remote reads, and the error when bytes do not arrive.

use std::time::Duration;

use super::blocks::BLOCK_BYTES;
use crate::error::DataError;

/// Timeouts and retry policy for remote storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteOptions {
    /// Attempts per request, at least 1. Until the server has answered once, three at most.
    pub tries: u32,
    /// Pause after the first failed attempt; it doubles each time, up to 15 s.
    pub first_pause: Duration,
    /// Longest time to establish a connection.
    pub connect_timeout: Duration,
    /// Longest time of one attempt, which transfers at most 2 MiB unless an image is larger.
    pub timeout: Duration,
    /// No new attempt begins when this much time has passed since the first.
    pub time_limit: Duration,
    /// Bytes per request, unless an image is larger. The order of an epoch depends on it: do not change it within a run.
    pub block_bytes: u64,
}

impl Default for RemoteOptions {
    /// Eight attempts within three minutes, each at most a minute, ten seconds of it to connect.
    fn default() -> Self {
        Self {
            tries: 8,
            first_pause: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            time_limit: Duration::from_secs(180),
            block_bytes: BLOCK_BYTES,
        }
    }
}

/// Error of a remote read.
#[derive(Clone, Debug)]
pub(crate) enum Lost {
    /// The caller canceled the read.
    Canceled,
    /// The address or its environment cannot be used; nothing was requested.
    Unusable { address: String, detail: String },
    /// All attempts failed.
    Failed {
        url: String,
        tries: u32,
        /// Status or error of the last attempt.
        detail: String,
        /// Whether the server reports that the file does not exist.
        missing: bool,
    },
}

impl From<Lost> for DataError {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Canceled => Self::Canceled,
            Lost::Unusable { address, detail } => Self::Address { address, detail },
            Lost::Failed { url, tries, detail, missing } => Self::Remote { url, tries, detail, missing },
        }
    }
}
