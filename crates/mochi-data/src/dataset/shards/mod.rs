//! Tar shards: many images in few large files, on a disk or remote (HTTP, S3).
//!
//! Supported are the output of `mochi pack` (`dataset.json`, `000000.tar`, `000000.idx`, ...), a single shard, and a list in WebDataset's notation. All
//! of them become one table of (shard, offset, length). Any image can be read by itself, so order, resuming, fingerprint and handling of bad images
//! are the same as for other datasets.
//!
//! Local shards are read by position into the reader's buffer, without memory maps: a map needs `unsafe`, and kills the program by SIGBUS if a file
//! shrinks or its network file system disappears, while a read returns an error. The copy costs about as much as the page faults of a map.
//!
//! Remote shards are read in blocks ahead of the loader ([`stream`]). Their epochs are shuffled so that only a few blocks are needed at a time
//! ([`blocks`]).

mod address;
mod blocks;
mod files;
pub(crate) mod index;
mod join;
mod local;
mod lost;
pub(crate) mod manifest;
mod part;
mod place;
mod remote;
mod remote_files;
mod scan;
mod store;
pub(crate) mod stream;

#[cfg(feature = "remote")]
mod client;
#[cfg(not(feature = "remote"))]
#[path = "no_client.rs"]
mod client;

use std::path::Path;

use crate::cancel::Cancel;
use crate::dataset::Opened;
use crate::error::DataError;

pub use address::{Address, MOCHI_URL_QUERY, display_source};
pub(super) use local::{is_pattern, open_file, open_folder, open_pattern, tar_folder};
pub use lost::RemoteOptions;
pub(super) use remote::open as open_remote;
pub(crate) use store::Shards;

/// Opens the shards that `source` names if it is an address.
pub(super) fn open_address(source: &Path, cancel: &Cancel) -> Result<Option<Opened>, DataError> {
    match Address::read(source.to_str().unwrap_or_default())? {
        Some(address) => open_remote(&address, &RemoteOptions::default(), cancel).map(Some),
        None => Ok(None),
    }
}

/// Whether `source` is an address rather than a path: `http://`, `https://` or `s3://`.
pub fn is_remote(source: &Path) -> bool {
    source.to_str().is_some_and(|s| ["http://", "https://", "s3://"].iter().any(|scheme| s.starts_with(scheme)))
}
