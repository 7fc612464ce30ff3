//! Data loader: batches of views over all epochs of a run, made ahead of time by worker threads.
//!
//! ```text
//! next position ─> coordinator (one or two) ─> pool of `threads` workers, one image each ─> ready, by position ─> next()
//!        ^                                                                                          │
//!        └────── at most `prefetch` batches begun and not yet taken; recycle() returns their buffers ─┘
//! ```
//!
//! The image at a position and every random number are functions of (seed, epoch, position). Batches are therefore equal for any number of threads
//! and processes, and [`LoaderOptions::start`] continues exactly at any position. A view is written directly into the memory that [`Memory`]
//! provides. The next epoch starts while the last batches of the previous one are still being made.

mod batch;
mod cache;
mod epoch;
mod health;
mod memory;
mod options;
mod signals;
mod work;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::dataset::Dataset;
use crate::error::{BadImage, DataError};

pub use batch::Batch;
pub use cache::CacheOptions;
pub(crate) use cache::reduce;
use epoch::Epoch;
use health::Health;
pub(crate) use health::allowed_bad;
pub use memory::{Heap, Memory};
pub use options::{LoaderOptions, Order, Position, Shard};
use signals::{Signals, lock};
pub(crate) use work::shrink_to;
use work::{Assembled, Job, panic_message};

/// Interval at which a wait checks for cancellation.
const TICK: Duration = Duration::from_millis(100);

/// Data loader; see the module documentation. Dropping it stops its threads.
pub struct Loader<M: Memory = Heap> {
    shared: Arc<Shared<M>>,
    next: Position,
    ended: bool,
    coordinators: Vec<std::thread::JoinHandle<()>>,
}

struct Shared<M: Memory> {
    job: Job<M>,
    pool: rayon::ThreadPool,
    /// Number of batches per epoch.
    batches: usize,
    state: Mutex<State<M::Buffer>>,
    changed: Condvar,
    /// Shared with [`Job`]: number of finished images, and whether to stop.
    signals: Arc<Signals>,
}

struct State<B> {
    /// The next batch to start.
    begin: Position,
    /// The epoch of that batch, once it has started.
    epoch: Option<Arc<Epoch>>,
    /// Number of batches that were started and not yet taken.
    open: usize,
    ready: BTreeMap<Position, Result<Assembled<B>, DataError>>,
    /// Buffers to reuse.
    free: Vec<B>,
    running: usize,
    health: Health,
}

impl Loader {
    /// Makes a loader with heap memory: checks the options, starts the threads and starts reading.
    ///
    /// # Errors
    /// [`DataError::Setting`], [`DataError::Threads`].
    pub fn new(dataset: &Dataset, options: LoaderOptions) -> Result<Self, DataError> {
        Self::with_memory(dataset, options, Heap)
    }
}

impl<M: Memory> Loader<M> {
    /// Makes a loader with memory of the caller.
    ///
    /// # Errors
    /// As [`Loader::new`].
    pub fn with_memory(dataset: &Dataset, options: LoaderOptions, memory: M) -> Result<Self, DataError> {
        options.check(dataset)?;
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("mochi-read-{i}"))
            .build()
            .map_err(|e| DataError::Threads { detail: e.to_string() })?;
        let signals = Arc::new(Signals::default());
        let batches = options.batches(options.count(dataset));
        let next = normalized(options.start, batches);
        let prefetch = options.prefetch.max(1);
        let health = Health::new(options.count(dataset), options.max_bad_fraction);
        let job = Job::new(dataset.clone(), options, memory, health.doomed_above(), signals.clone());
        let (ready, free) = (BTreeMap::new(), Vec::new());
        let state = State { begin: next, epoch: None, open: 0, ready, free, running: 0, health };
        let shared =
            Arc::new(Shared { job, pool, batches, state: Mutex::new(state), changed: Condvar::new(), signals });
        let mut loader = Self { shared, next, ended: false, coordinators: Vec::new() };
        // Two, so that workers can start the next batch while the last images of the previous one are still being made.
        for i in 0..prefetch.min(2) {
            let shared = loader.shared.clone();
            lock(&shared.state).running += 1;
            let spawned =
                std::thread::Builder::new().name(format!("mochi-batch-{i}")).spawn(move || coordinate(&shared));
            match spawned {
                Ok(handle) => loader.coordinators.push(handle),
                Err(error) => {
                    lock(&loader.shared.state).running -= 1;
                    if i == 0 {
                        return Err(DataError::Threads { detail: error.to_string() });
                    }
                }
            }
        }
        Ok(loader)
    }

    /// Batches per epoch.
    pub fn batches(&self) -> usize {
        self.shared.batches
    }

    /// Bad images in the batches of this epoch that were taken so far, by index.
    pub fn bad_images(&self) -> Vec<BadImage> {
        lock(&self.shared.state).health.list()
    }

    /// Bad images that were found since the last call; each is returned once per loader.
    pub fn new_bad_images(&mut self) -> Vec<BadImage> {
        lock(&self.shared.state).health.take_new()
    }

    /// Returns a batch's memory for reuse.
    pub fn recycle(&self, batch: Batch<M::Buffer>) {
        let mut state = lock(&self.shared.state);
        let options = self.shared.job.options();
        let most = (options.prefetch.max(1) + 1) * options.views;
        for view in batch.views {
            if state.free.len() < most {
                state.free.push(view);
            }
        }
    }

    fn take(&mut self) -> Option<Result<Batch<M::Buffer>, DataError>> {
        let started = Instant::now();
        loop {
            if self.next.epoch >= self.shared.job.options().end_epoch || self.shared.batches == 0 {
                return None;
            }
            let assembled = match self.wait_for(self.next) {
                Ok(assembled) => assembled,
                Err(error) => return Some(Err(error)),
            };
            // The batch is incomplete.
            if let Some(error) = self.shared.job.failure() {
                return Some(Err(error));
            }
            let Assembled { mut batch, read, bad, incomplete } = assembled;
            let mut state = lock(&self.shared.state);
            state.health.add(self.next.epoch, read, bad);
            self.next = normalized(Position { batch: self.next.batch + 1, ..self.next }, self.shared.batches);
            // Slots that were left empty because threads stopped are not bad images.
            if incomplete && self.shared.signals.stop.requested() {
                return Some(Err(DataError::Threads { detail: "a worker thread exited unexpectedly".into() }));
            }
            if let Some(error) = state.health.verdict(incomplete) {
                return Some(Err(error));
            }
            if batch.images.is_empty() {
                state.free.append(&mut batch.views);
                continue;
            }
            batch.waited = started.elapsed();
            return Some(Ok(batch));
        }
    }

    fn wait_for(&self, position: Position) -> Result<Assembled<M::Buffer>, DataError> {
        let shared = &*self.shared;
        let (stall_timeout, cancel) = (shared.job.options().stall_timeout, &shared.job.options().cancel);
        let mut seen = shared.signals.finished.load(Ordering::Relaxed);
        let mut since = Instant::now();
        let mut state = lock(&shared.state);
        loop {
            if let Some(assembled) = state.ready.remove(&position) {
                state.open -= 1;
                shared.changed.notify_all();
                return assembled;
            }
            if let Some(error) = shared.job.failure() {
                return Err(error);
            }
            if state.running == 0 {
                return Err(DataError::Threads { detail: "a worker thread exited unexpectedly".into() });
            }
            if cancel.requested() {
                return Err(DataError::Canceled);
            }
            let step = stall_timeout.min(TICK).max(Duration::from_millis(1));
            state = shared.changed.wait_timeout(state, step).unwrap_or_else(PoisonError::into_inner).0;
            let now = shared.signals.finished.load(Ordering::Relaxed);
            if now != seen {
                (seen, since) = (now, Instant::now());
            } else if since.elapsed() >= stall_timeout && !state.ready.contains_key(&position) {
                return Err(DataError::Stalled { seconds: since.elapsed().as_secs(), what: shared.job.being_read() });
            }
        }
    }
}

/// Normalizes a position, so that its batch is within its epoch.
fn normalized(position: Position, batches: usize) -> Position {
    match batches {
        0 => position,
        _ => Position {
            epoch: position.epoch.saturating_add((position.batch / batches) as u64),
            batch: position.batch % batches,
        },
    }
}

impl<M: Memory> Iterator for Loader<M> {
    type Item = Result<Batch<M::Buffer>, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.take();
        if !matches!(item, Some(Ok(_))) {
            self.ended = true;
            self.shared.stop();
        }
        item
    }
}

impl<M: Memory> Shared<M> {
    /// Stops the coordinators. The lock is held, so that none starts to wait between its check and the notification.
    fn stop(&self) {
        let _state = lock(&self.state);
        self.signals.stop.request();
        self.changed.notify_all();
    }
}

impl<M: Memory> Drop for Loader<M> {
    fn drop(&mut self) {
        self.shared.stop();
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut state = lock(&self.shared.state);
        while state.running > 0 && Instant::now() < deadline {
            state = self.shared.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
        let all_ended = state.running == 0;
        drop(state);
        // A thread that hangs in the file system cannot be stopped. It is detached, and owns all the data that it uses.
        if all_ended {
            for coordinator in self.coordinators.drain(..) {
                let _ = coordinator.join();
            }
        }
    }
}

/// Takes positions and makes their batches, until none is left or the loader was dropped.
fn coordinate<M: Memory>(shared: &Shared<M>) {
    /// Counts the thread as ended even if it panics, so that nothing waits for it forever.
    struct Running<'a, M: Memory>(&'a Shared<M>);
    impl<M: Memory> Drop for Running<'_, M> {
        fn drop(&mut self) {
            lock(&self.0.state).running -= 1;
            self.0.changed.notify_all();
        }
    }
    let _running = Running(shared);
    let options = shared.job.options();
    loop {
        let (position, epoch, buffers) = {
            let mut state = lock(&shared.state);
            loop {
                if shared.signals.stop.requested() || shared.batches == 0 || state.begin.epoch >= options.end_epoch {
                    return;
                }
                if state.open < options.prefetch.max(1) {
                    break;
                }
                state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let position = state.begin;
            let epoch = match &state.epoch {
                Some(epoch) if epoch.number == position.epoch => epoch.clone(),
                _ => {
                    let epoch = Arc::new(Epoch::new(shared.job.dataset(), options, position));
                    state.epoch = Some(epoch.clone());
                    epoch
                }
            };
            state.begin = normalized(Position { batch: position.batch + 1, ..position }, shared.batches);
            state.open += 1;
            let keep = state.free.len().saturating_sub(options.views);
            (position, epoch, state.free.split_off(keep))
        };
        // A panic outside of the code of an image becomes the batch's error at once, not a stall.
        let made = AssertUnwindSafe(|| shared.pool.install(|| shared.job.assemble(&epoch, position.batch, buffers)));
        let assembled = catch_unwind(made).unwrap_or_else(|panic| {
            let detail = panic_message(&*panic).unwrap_or_else(|| "no message".into());
            Err(DataError::Panicked { detail })
        });
        lock(&shared.state).ready.insert(position, assembled);
        shared.changed.notify_all();
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod failure_tests;
