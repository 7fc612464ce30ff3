//! The blocks of one epoch, fetched ahead of the readers and let go when their last image was read.
//!
//! The epoch's order says which blocks are wanted and when first. Whenever a reader comes to a block, that one and the next [`AHEAD`] are
//! asked for, all at once; the reader waits only if its own is not there yet. Each block counts the images still to be read from it and is
//! dropped at zero. In memory are therefore the window of [`blocks`](super::blocks), what the loader has begun, and [`AHEAD`] blocks.
//!
//! What does not come in spite of all tries ends the epoch: it is no bad image, and to put another in its place would make the run
//! depend on the network's moods.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::blocks::{self, Block, WINDOW, block_of};
use super::client::Request;
use super::remote::{Lost, Remote};
use super::{Reach, Shards};
use crate::decode::MAX_FILE_BYTES;
use crate::error::{BadReason, DataError, DecodeError};

/// Blocks asked for beyond those that readers have come to (32 MiB).
const AHEAD: usize = 16;
/// How often a waiting reader looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(100);

/// The blocks of one epoch.
pub(crate) struct Stream {
    shards: Arc<Shards>,
    /// For each block its turn among those of the epoch.
    turns: Vec<u32>,
    /// The blocks in the order in which they are wanted first.
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
    /// How many of the sequence were asked for.
    begun: usize,
    lost: Option<Lost>,
}

enum Slot {
    Coming { _request: Option<Request> },
    Here(Arc<Vec<u8>>),
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shards {
    /// An order of the epoch that suits the way the bytes are come by; `None` where any order is as good.
    pub(crate) fn order(&self, seed: u64, epoch: u64) -> Option<Vec<u32>> {
        match &self.reach {
            Reach::Local(_) => None,
            Reach::Remote(remote) => Some(blocks::order(&remote.blocks, WINDOW, seed, epoch)),
        }
    }

    fn remote(&self) -> Option<&Remote> {
        match &self.reach {
            Reach::Local(_) => None,
            Reach::Remote(remote) => Some(remote),
        }
    }
}

impl Stream {
    /// For the images of `order` from position `first` on; `None` for shards on a disk.
    pub(crate) fn new(shards: &Arc<Shards>, order: Option<&[u32]>, first: usize) -> Option<Self> {
        let blocks = &shards.remote()?.blocks;
        let mut left = vec![0u32; blocks.len()];
        let mut turns = vec![u32::MAX; blocks.len()];
        let mut sequence = Vec::new();
        for position in first..shards.len() {
            let image = order.map_or(Some(position as u32), |o| o.get(position).copied());
            let Some(block) = image.map(|i| block_of(blocks, i)) else { continue };
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

    /// Reads an image of the epoch, or any other; waits for its block if need be, until `stop`, which a loss sets.
    pub(crate) fn read(&self, image: u32, bytes: &mut Vec<u8>, stop: &AtomicBool) -> Result<(), DecodeError> {
        let index = image as usize;
        let place = self.shards.place(index)?;
        let Some(remote) = self.shards.remote() else { return self.shards.read(index, bytes) };
        let block = block_of(&remote.blocks, image);
        match self.wait(remote, block, stop)? {
            Some(data) => {
                let Some(Block { begin, .. }) = remote.blocks.get(block) else { return self.shards.read(index, bytes) };
                let from = (place.offset - begin) as usize;
                let Some(found) = data.get(from..from + place.length as usize) else {
                    return Err(DecodeError::new(BadReason::Truncated, "its block is too short"));
                };
                bytes.clear();
                bytes.extend_from_slice(found);
            }
            // Not of this epoch any more: it stands in for a bad one.
            None => match remote.read(place) {
                Ok(read) => *bytes = read,
                Err(lost) => return Err(give_up(&mut lock(&self.shared), lost, stop)),
            },
        }
        self.shards.check(index, bytes)
    }

    fn wait(&self, remote: &Remote, block: usize, stop: &AtomicBool) -> Result<Option<Arc<Vec<u8>>>, DecodeError> {
        let mut state = lock(&self.shared);
        self.ask(remote, &mut state, block);
        loop {
            if let Some(lost) = state.lost.clone() {
                return Err(give_up(&mut state, lost, stop));
            }
            match state.slots.get(&block) {
                Some(Slot::Here(data)) => return Ok(Some(data.clone())),
                Some(Slot::Coming { .. }) => {}
                None => return Ok(None),
            }
            if stop.load(Ordering::Relaxed) {
                return Err(DecodeError::new(BadReason::Unreadable, "reading was stopped"));
            }
            state = self.shared.arrived.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Asks for all blocks up to `AHEAD` beyond this one that were not asked for yet.
    fn ask(&self, remote: &Remote, state: &mut State, block: usize) {
        let turn = self.turns.get(block).map_or(0, |&turn| turn as usize);
        let end = if turn < self.sequence.len() { (turn + 1 + AHEAD).min(self.sequence.len()) } else { 0 };
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
                    // Let go meanwhile.
                    Ok(_) => {}
                    Err(lost) => state.lost = Some(lost),
                }
                drop(state);
                shared.arrived.notify_all();
            };
            let name = remote.shards.get(shard as usize).map_or("", |s| s);
            match remote.client.begin(name, begin..begin + length, then) {
                // The answer cannot overtake this: it needs the lock that is held here.
                Ok(request) => {
                    state.slots.insert(next, Slot::Coming { _request: Some(request) });
                }
                Err(lost) => state.lost = Some(lost),
            }
        }
    }

    /// Counts an image of the epoch as dealt with; its block goes with the last.
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

    /// The loss that ended the epoch, if one did.
    pub(crate) fn lost(&self) -> Option<DataError> {
        lock(&self.shared).lost.clone().map(DataError::from)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Requests hold the shared state themselves: they are given up here.
        lock(&self.shared).slots.clear();
    }
}

fn give_up(state: &mut State, lost: Lost, stop: &AtomicBool) -> DecodeError {
    let error = DecodeError::new(BadReason::Unreadable, lost.to_string());
    state.lost.get_or_insert(lost);
    stop.store(true, Ordering::Relaxed);
    error
}

#[cfg(all(test, feature = "remote"))]
#[path = "stream_tests.rs"]
mod tests;
