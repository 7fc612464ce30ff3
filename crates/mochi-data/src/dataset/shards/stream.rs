//! The blocks of one epoch, requested ahead of the readers and dropped when their last image was read.
//!
//! The epoch's order says which blocks are needed and when first. Whenever a reader comes to a block, that one and the next
//! [`AHEAD_BLOCKS`] are requested, all at once; the reader waits only if its own has not arrived. Each block counts the images still to be
//! read from it and is dropped at zero. In memory are therefore the window of [`blocks`](super::blocks), what the loader has begun, and
//! [`AHEAD_BYTES`].
//!
//! A failed download ends the epoch. It is not a corrupt image: substituting another image would make training depend on the network.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::blocks::{self, BLOCK_BYTES, Block, WINDOW, block_of};
use super::client::Request;
use super::lost::Lost;
use super::part::Part;
use super::remote_files::Remote;
use super::store::{Reach, Shards};
use crate::cancel::Cancel;
use crate::decode::MAX_FILE_BYTES;
use crate::error::{BadReason, DecodeError};
use crate::read_error::ReadError;

/// Blocks requested beyond those that readers have come to.
const AHEAD_BLOCKS: usize = 16;
/// Bytes of them.
const AHEAD_BYTES: u64 = AHEAD_BLOCKS as u64 * BLOCK_BYTES;
/// How often a waiting reader checks whether to stop.
const TICK: Duration = Duration::from_millis(100);

/// The blocks of one epoch.
pub(crate) struct Stream {
    shards: Arc<Shards>,
    /// For each block its rank among those of the epoch.
    turns: Vec<u32>,
    /// The blocks in the order in which they are needed first.
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
    /// For each block the images still to be read.
    left: Vec<u32>,
    /// How many of the sequence were requested.
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

fn storage(lost: Lost) -> ReadError {
    ReadError::Storage(lost.into())
}

impl Shards {
    /// An order of the epoch that suits how the bytes are reached; `None` where any order is as good.
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

    /// Reads an image of the epoch, or any other; waits for its block if need be, until `stop`.
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
            // No longer held: it replaces a bad image.
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

    /// How many blocks of the sequence are to be requested when a reader has come to number `turn` of it.
    fn due(&self, remote: &Remote, turn: usize) -> usize {
        if turn >= self.sequence.len() {
            return 0;
        }
        let (mut end, mut bytes) = (turn + 1, 0);
        for &block in self.sequence.iter().skip(end).take(AHEAD_BLOCKS) {
            bytes += remote.blocks.get(block as usize).map_or(0, |block| block.length);
            if bytes > AHEAD_BYTES {
                break;
            }
            end += 1;
        }
        end
    }

    /// Requests all blocks up to those ahead of this one that were not requested yet.
    fn request(&self, remote: &Remote, state: &mut State, block: usize) {
        let end = self.due(remote, self.turns.get(block).map_or(usize::MAX, |&turn| turn as usize));
        while state.begun < end {
            let next = self.sequence.get(state.begun).map_or(0, |&b| b as usize);
            state.begun += 1;
            let Some(&Block { shard, begin, length, .. }) = remote.blocks.get(next) else { continue };
            // A single image that is too large to be read at all.
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
                    // Dropped meanwhile.
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
                // The answer cannot overtake this: it needs the lock that is held here.
                Ok(request) => {
                    state.slots.insert(next, Slot::Requested { _request: Some(request) });
                }
                Err(lost) => {
                    state.lost.get_or_insert(lost);
                }
            }
        }
    }

    /// Counts an image of the epoch as finished; its block is dropped with the last.
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
        // Requests hold the shared state themselves: they are abandoned here.
        lock(&self.shared).slots.clear();
    }
}

#[cfg(all(test, feature = "remote"))]
#[path = "stream_tests.rs"]
mod tests;
