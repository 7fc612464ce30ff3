//! Blocks of one epoch, requested ahead of the readers and dropped after their last image was read.
//!
//! The epoch's order determines when each block is first needed. When a reader needs a block, this block and the next [`AHEAD_BLOCKS`] are requested
//! at once; the reader waits only if its block has not arrived. Each block counts its remaining images and is dropped at zero. Memory therefore holds
//! the window of [`blocks`](super::blocks), the images that the loader has started, and [`AHEAD_BYTES`].
//!
//! A failed download ends the epoch. It is not treated as a bad image, because a replacement would make training depend on the network.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mochi_views::decode::MAX_FILE_BYTES;
use mochi_views::{BadReason, DecodeError};

use super::blocks::{self, BLOCK_BYTES, Block, WINDOW, block_of};
use super::client::Request;
use super::lost::Lost;
use super::part::Part;
use super::remote_files::Remote;
use super::store::{Reach, Shards};
use crate::cancel::Cancel;
use crate::read_error::ReadError;

/// Number of blocks that are requested ahead of the readers.
const AHEAD_BLOCKS: usize = 16;
/// Size of these blocks.
const AHEAD_BYTES: u64 = AHEAD_BLOCKS as u64 * BLOCK_BYTES;
/// Interval at which a waiting reader checks for cancellation.
const TICK: Duration = Duration::from_millis(100);

/// The blocks of one epoch.
pub(crate) struct Stream {
    shards: Arc<Shards>,
    /// Rank of each block in the epoch.
    turns: Vec<u32>,
    /// The blocks in the order of their first use.
    sequence: Vec<u32>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    slots: HashMap<usize, Slot>,
    /// Number of remaining images of each block.
    left: Vec<u32>,
    /// Number of blocks of the sequence that were requested.
    begun: usize,
    lost: Option<Lost>,
}

enum Slot {
    Requested { _request: Option<Request> },
    Here(Arc<Vec<u8>>),
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Number of the next blocks, given their lengths in bytes, that are requested ahead.
fn ahead(lengths: impl Iterator<Item = u64>) -> usize {
    let mut bytes = 0u64;
    let fits = |length: &u64| {
        bytes = bytes.saturating_add(*length);
        bytes <= AHEAD_BYTES
    };
    lengths.take(AHEAD_BLOCKS).take_while(fits).count()
}

fn storage(lost: Lost) -> ReadError {
    ReadError::Storage(lost.into())
}

impl Shards {
    /// An order of the epoch that suits the storage; `None` if any order is equally good.
    pub(crate) fn order(&self, seed: u64, epoch: u64) -> Option<Vec<u32>> {
        self.remote().map(|remote| blocks::order(&remote.blocks, WINDOW, seed, epoch))
    }

    fn remote(&self) -> Option<&Remote> {
        match &self.reach {
            Reach::Local(_) => None,
            Reach::Remote(remote) => Some(remote),
        }
    }
}

impl Stream {
    /// For `images` in the order in which they will be read; `None` for shards on a disk.
    pub(crate) fn new(shards: &Arc<Shards>, images: impl Iterator<Item = u32>) -> Option<Self> {
        let blocks = &shards.remote()?.blocks;
        let mut left = vec![0u32; blocks.len()];
        let mut turns = vec![u32::MAX; blocks.len()];
        let mut sequence = Vec::new();
        for image in images {
            let block = block_of(blocks, image);
            if let (Some(left), Some(turn)) = (left.get_mut(block), turns.get_mut(block)) {
                if *left == 0 {
                    *turn = sequence.len() as u32;
                    sequence.push(block as u32);
                }
                *left += 1;
            }
        }
        let shared = Arc::new(Shared { state: Mutex::new(State { left, ..State::default() }), ..Shared::default() });
        Some(Self { shards: shards.clone(), turns, sequence, shared })
    }

    /// Reads an image of the epoch, or any other image. Waits for its block if necessary, until `stop`.
    pub(crate) fn read(&self, image: u32, bytes: &mut Vec<u8>, stop: &Cancel) -> Result<(), ReadError> {
        let index = image as usize;
        let place = self.shards.place(index)?;
        let Some(remote) = self.shards.remote() else { return self.shards.read(index, bytes) };
        let block = block_of(&remote.blocks, image);
        match self.wait(remote, block, stop).map_err(storage)? {
            Some(data) => {
                let Some(Block { begin, .. }) = remote.blocks.get(block) else { return self.shards.read(index, bytes) };
                let from = (place.offset - begin) as usize;
                let Some(found) = data.get(from..from + place.length as usize) else {
                    return Err(DecodeError::new(BadReason::Truncated, "its block is too short").into());
                };
                bytes.clear();
                bytes.extend_from_slice(found);
            }
            // The block was dropped: the image replaces a bad image.
            None => *bytes = remote.read(place, stop).map_err(storage)?,
        }
        Ok(self.shards.check(index, bytes)?)
    }

    fn wait(&self, remote: &Remote, block: usize, stop: &Cancel) -> Result<Option<Arc<Vec<u8>>>, Lost> {
        let mut state = lock(&self.shared);
        self.request(remote, &mut state, block);
        loop {
            if let Some(lost) = state.lost.clone() {
                return Err(lost);
            }
            match state.slots.get(&block) {
                Some(Slot::Here(data)) => return Ok(Some(data.clone())),
                Some(Slot::Requested { .. }) => {}
                None => return Ok(None),
            }
            if stop.requested() {
                return Err(Lost::Canceled);
            }
            state = self.shared.arrived.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Number of blocks of the sequence to request when a reader needs block `turn` of the sequence.
    fn due(&self, remote: &Remote, turn: usize) -> usize {
        if turn >= self.sequence.len() {
            return 0;
        }
        let next = self.sequence.iter().skip(turn + 1);
        turn + 1 + ahead(next.map(|&block| remote.blocks.get(block as usize).map_or(0, |block| block.length)))
    }

    /// Requests this block and those ahead of it, as far as they were not requested yet.
    fn request(&self, remote: &Remote, state: &mut State, block: usize) {
        let end = self.due(remote, self.turns.get(block).map_or(usize::MAX, |&turn| turn as usize));
        while state.begun < end {
            let next = self.sequence.get(state.begun).map_or(0, |&b| b as usize);
            state.begun += 1;
            let Some(&Block { shard, begin, length, .. }) = remote.blocks.get(next) else { continue };
            // A single image that exceeds the size limit.
            if length > MAX_FILE_BYTES {
                continue;
            }
            let shared = self.shared.clone();
            let then = move |answer| {
                let mut state = lock(&shared);
                match answer {
                    Ok(data) if state.slots.contains_key(&next) => {
                        state.slots.insert(next, Slot::Here(Arc::new(data)));
                    }
                    // The stream was dropped in the meantime.
                    Ok(_) | Err(Lost::Canceled) => {}
                    Err(lost) => {
                        state.lost.get_or_insert(lost);
                    }
                }
                drop(state);
                shared.arrived.notify_all();
            };
            let name = remote.shards.get(shard as usize).map_or("", |s| s);
            match remote.client.begin(name, Part::Range(begin..begin + length), then) {
                // The response cannot be processed before this, because it needs the lock that is held here.
                Ok(request) => {
                    state.slots.insert(next, Slot::Requested { _request: Some(request) });
                }
                Err(lost) => {
                    state.lost.get_or_insert(lost);
                }
            }
        }
    }

    /// Counts an image of the epoch as finished. Its block is dropped after its last image.
    pub(crate) fn done(&self, image: u32) {
        let Some(remote) = self.shards.remote() else { return };
        let block = block_of(&remote.blocks, image);
        let mut state = lock(&self.shared);
        let Some(left) = state.left.get_mut(block) else { return };
        *left = left.saturating_sub(1);
        if *left == 0 {
            state.slots.remove(&block);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Requests own the shared state, so they are abandoned here.
        lock(&self.shared).slots.clear();
    }
}

#[cfg(all(test, feature = "remote"))]
#[path = "stream_tests.rs"]
mod tests;
