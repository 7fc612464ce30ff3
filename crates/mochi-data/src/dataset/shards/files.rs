//! Files of local shards, read by position.

use std::fs::File;
use std::path::PathBuf;
use std::sync::OnceLock;

use mochi_views::{BadReason, DecodeError};

use super::place::Place;
use crate::read_error::ReadError;

/// Number of shards that are kept open. Others are opened for each read, because the limit of open files is often 1,024.
const KEPT_OPEN: usize = 256;

/// The files of a dataset.
#[derive(Debug)]
pub(super) struct Files {
    paths: Vec<PathBuf>,
    open: Vec<OnceLock<File>>,
}

impl Files {
    pub(super) fn new(paths: Vec<PathBuf>) -> Self {
        let open = (0..paths.len().min(KEPT_OPEN)).map(|_| OnceLock::new()).collect();
        Self { paths, open }
    }

    pub(super) fn read(&self, place: Place, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
        let shard = place.shard as usize;
        let Some(path) = self.paths.get(shard) else {
            return Err(DecodeError::new(BadReason::Vanished, "the shard is unknown").into());
        };
        let refused = |error: std::io::Error| match ReadError::of(path, error) {
            ReadError::Image(DecodeError { reason, detail }) => {
                DecodeError::new(reason, format!("shard {}: {detail}", path.display())).into()
            }
            storage => storage,
        };
        // Not cleared first, so that only added bytes are filled with zeros.
        bytes.resize(place.length as usize, 0);
        let opened;
        let file = match self.open.get(shard) {
            Some(slot) => match slot.get() {
                Some(file) => file,
                None => {
                    let file = File::open(path).map_err(refused)?;
                    slot.get_or_init(|| file)
                }
            },
            None => {
                opened = File::open(path).map_err(refused)?;
                &opened
            }
        };
        read_at(file, bytes, place.offset).map_err(refused)
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    // A separate handle, because the position belongs to the handle.
    let mut file = file.try_clone()?;
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}
