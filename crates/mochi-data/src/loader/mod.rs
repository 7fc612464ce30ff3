//! Batches of views, in order, made ahead of time by threads of our own.
//!
//! ```text
//! next batch number ─> coordinator (one or two) ─> pool of `threads` readers, an image at a time ─> ready, by number ─> next()
//!        ^                                                                                             │
//!        └──────────── at most `prefetch` batches begun and not yet taken; their buffers come back by recycle() ─┘
//! ```
//!
//! Which image stands where, and every random number, follow from (seed, epoch, position) alone, so batches are equal for any
//! number of threads, and `first_batch` continues an epoch exactly. A view is written straight into its batch.

mod health;
mod work;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cancel::Cancel;
use crate::dataset::Dataset;
use crate::error::{BadImage, DataError};
use crate::recipe::Recipe;
use crate::views::Normalise;

use health::Health;
pub(crate) use health::allowed_bad;
pub(crate) use work::shrink_to;
use work::{Assembled, Job};

/// How often a wait checks whether to stop.
const TICK: Duration = Duration::from_millis(100);

/// In which order an epoch goes through the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A permutation drawn from (seed, epoch). A bad image is replaced, so that batches stay whole.
    Shuffled {
        /// The run's seed.
        seed: u64,
        /// The epoch, from 0.
        epoch: u64,
    },
    /// 0, 1, 2, ... A bad image is left out: a batch can be smaller, and [`Batch::images`] says which are in it. A batch of which
    /// nothing is left is not yielded.
    Sequential,
}

/// How to load.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// Order of the images.
    pub order: Order,
    /// Seed of the views.
    pub seed: u64,
    /// Epoch of the views, from 0.
    pub epoch: u64,
    /// Images in a batch.
    pub batch: usize,
    /// Views of each image: 1 or 2.
    pub views: usize,
    /// Width and height of a view in pixels.
    pub size: u32,
    /// How a view is made.
    pub recipe: Recipe,
    /// Whether a last batch that is not full is left out.
    pub drop_last: bool,
    /// Number of the first batch to yield: the epoch goes on where it was left.
    pub first_batch: usize,
    /// Reading threads; 0 means one for each core.
    pub threads: usize,
    /// Batches begun and not yet taken, at most; memory grows with it. At least 1; 2 or more keep all threads busy.
    pub prefetch: usize,
    /// The share of bad images among those looked at above which the loader gives up (0.01 = 1 %). So that a few files do not
    /// decide it, shares are taken of at least 1,000 images (or all, if there are fewer), and a single bad image never ends a run
    /// unless the limit is 0.
    pub max_bad_fraction: f64,
    /// Let JPEG be decoded at 1/2, 1/4 or 1/8 of its size where the shorter side keeps at least twice the view's size, with
    /// quick chroma upsampling. Quicker, and not exact: crops are then resized from a picture that was shrunk by a box filter.
    pub fast_decode: bool,
    /// Turn JPEGs as their EXIF data says. Off, as in Pillow and torchvision.
    pub exif_orientation: bool,
    /// Give up if no image is finished for this long (a network file system that hangs).
    pub stall_timeout: Duration,
    /// Ends waiting for a batch with [`DataError::Canceled`].
    pub cancel: Cancel,
}

impl Default for LoaderOptions {
    /// Two `moco-v2` views at 224 px of shuffled batches of 256, four batches ahead, with a thread for each core.
    fn default() -> Self {
        Self {
            order: Order::Shuffled { seed: 0, epoch: 0 },
            seed: 0,
            epoch: 0,
            batch: 256,
            views: 2,
            size: 224,
            recipe: Recipe::preset("moco-v2").unwrap_or_else(|| unreachable!("moco-v2 is in PRESETS")),
            drop_last: true,
            first_batch: 0,
            threads: 0,
            prefetch: 4,
            max_bad_fraction: 0.01,
            fast_decode: false,
            exif_orientation: false,
            stall_timeout: Duration::from_secs(600),
            cancel: Cancel::default(),
        }
    }
}

/// A batch of views.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Its number in the epoch, from 0.
    pub number: usize,
    /// For each image the index that was used, after replacement of bad ones.
    pub images: Vec<u32>,
    /// For each view (B, 3, S, S) planar floats, normalised; B is `images.len()`.
    pub views: Vec<Vec<f32>>,
    /// How long `next()` waited for this batch.
    pub waited: Duration,
}

/// Yields the batches of one epoch; see the head of this file. Dropping it stops its threads.
pub struct Loader {
    shared: Arc<Shared>,
    next: usize,
    ended: bool,
    coordinators: Vec<std::thread::JoinHandle<()>>,
}

struct Shared {
    job: Job,
    pool: rayon::ThreadPool,
    batches: usize,
    prefetch: usize,
    stall_timeout: Duration,
    cancel: Cancel,
    state: Mutex<State>,
    changed: Condvar,
    /// Shared with [`Job`]: images finished so far, and whether to stop.
    signals: Arc<Signals>,
}

#[derive(Default)]
pub(crate) struct Signals {
    pub(crate) stop: Cancel,
    pub(crate) finished: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Number of the next batch to begin.
    begin: usize,
    /// Batches begun and not yet taken.
    open: usize,
    ready: BTreeMap<usize, Assembled>,
    /// Float buffers to use again.
    free: Vec<Vec<f32>>,
    running: usize,
    health: Health,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Loader {
    /// Checks the options, starts the threads and begins to read.
    pub fn new(dataset: &Dataset, options: LoaderOptions) -> Result<Self, DataError> {
        check(dataset, &options)?;
        let n = dataset.len();
        let batches = if options.drop_last { n / options.batch } else { n.div_ceil(options.batch) };
        let order = match options.order {
            Order::Sequential => None,
            Order::Shuffled { seed, epoch } => Some(dataset.order(seed, epoch)),
        };
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
        let prefetch = options.prefetch.max(1);
        let stall_timeout = options.stall_timeout;
        let cancel = options.cancel.clone();
        let health = Health::new(n, options.max_bad_fraction);
        let first = options.first_batch;
        let normalise = Normalise::new(options.recipe.mean, options.recipe.std);
        let job = Job::new(dataset.clone(), options, order, normalise, health.doomed_above(), signals.clone());
        let state = State { begin: first, health, ..State::default() };
        let shared = Arc::new(Shared {
            job,
            pool,
            batches,
            prefetch,
            stall_timeout,
            cancel,
            state: Mutex::new(state),
            changed: Condvar::new(),
            signals,
        });
        let mut loader = Self { shared, next: first, ended: false, coordinators: Vec::new() };
        // Two, so that the readers have the next batch at hand while the last images of one are still being made.
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

    /// How many batches the whole epoch has, those before `first_batch` included.
    pub fn batches(&self) -> usize {
        self.shared.batches
    }

    /// The bad images met so far in the batches taken, by index.
    pub fn bad_images(&self) -> Vec<BadImage> {
        lock(&self.shared.state).health.list()
    }

    /// Gives a batch's memory back, to be used for one to come.
    pub fn recycle(&self, batch: Batch) {
        let mut state = lock(&self.shared.state);
        let room = (self.shared.prefetch + 1) * self.shared.job.views();
        for view in batch.views {
            if state.free.len() < room {
                state.free.push(view);
            }
        }
    }

    fn take(&mut self) -> Option<Result<Batch, DataError>> {
        let started = Instant::now();
        loop {
            if self.next >= self.shared.batches {
                return None;
            }
            let assembled = match self.wait_for(self.next) {
                Ok(assembled) => assembled,
                Err(error) => return Some(Err(error)),
            };
            // Whatever else it holds, it was made without some of its images.
            if let Some(error) = self.shared.job.failure() {
                return Some(Err(error));
            }
            self.next += 1;
            let mut state = lock(&self.shared.state);
            state.health.add(assembled.looked_at, assembled.bad);
            // Places left open by threads that were told to leave are nobody's bad images.
            if assembled.incomplete && self.shared.signals.stop.requested() {
                return Some(Err(DataError::Threads { detail: "they have ended early".into() }));
            }
            if let Some(error) = state.health.verdict(assembled.incomplete) {
                return Some(Err(error));
            }
            if assembled.batch.images.is_empty() {
                state.free.extend(assembled.batch.views);
                continue;
            }
            return Some(Ok(Batch { waited: started.elapsed(), ..assembled.batch }));
        }
    }

    fn wait_for(&self, number: usize) -> Result<Assembled, DataError> {
        let shared = &*self.shared;
        let mut seen = shared.signals.finished.load(Ordering::Relaxed);
        let mut since = Instant::now();
        let mut state = lock(&shared.state);
        loop {
            if let Some(assembled) = state.ready.remove(&number) {
                state.open -= 1;
                shared.changed.notify_all();
                return Ok(assembled);
            }
            if let Some(error) = shared.job.failure() {
                return Err(error);
            }
            if state.running == 0 {
                return Err(DataError::Threads { detail: "they have ended early".into() });
            }
            if shared.cancel.requested() {
                return Err(DataError::Canceled);
            }
            let step = shared.stall_timeout.min(TICK).max(Duration::from_millis(1));
            state = shared.changed.wait_timeout(state, step).unwrap_or_else(PoisonError::into_inner).0;
            let now = shared.signals.finished.load(Ordering::Relaxed);
            if now != seen {
                (seen, since) = (now, Instant::now());
            } else if since.elapsed() >= shared.stall_timeout && !state.ready.contains_key(&number) {
                return Err(DataError::Stalled { seconds: since.elapsed().as_secs(), what: shared.job.being_read() });
            }
        }
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.take();
        if !matches!(item, Some(Ok(_))) {
            self.ended = true;
            self.shared.signals.stop.request();
            self.shared.changed.notify_all();
        }
        item
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.shared.signals.stop.request();
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut state = lock(&self.shared.state);
        self.shared.changed.notify_all();
        while state.running > 0 && Instant::now() < deadline {
            let step = Duration::from_millis(100);
            state = self.shared.changed.wait_timeout(state, step).unwrap_or_else(PoisonError::into_inner).0;
        }
        let all_ended = state.running == 0;
        drop(state);
        // A thread that hangs in the file system cannot be ended; it is left behind and owns all that it touches.
        if all_ended {
            for coordinator in self.coordinators.drain(..) {
                let _ = coordinator.join();
            }
        }
    }
}

/// Takes batch numbers and has them made, until there are none or the loader is gone.
fn coordinate(shared: &Shared) {
    /// Counts the thread off even if it panics, so that nobody waits for it.
    struct Running<'a>(&'a Shared);
    impl Drop for Running<'_> {
        fn drop(&mut self) {
            lock(&self.0.state).running -= 1;
            self.0.changed.notify_all();
        }
    }
    let _running = Running(shared);
    loop {
        let (number, buffers) = {
            let mut state = lock(&shared.state);
            loop {
                if shared.signals.stop.requested() || state.begin >= shared.batches {
                    return;
                }
                if state.open < shared.prefetch {
                    break;
                }
                state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let number = state.begin;
            state.begin += 1;
            state.open += 1;
            let keep = state.free.len().saturating_sub(shared.job.views());
            (number, state.free.split_off(keep))
        };
        let assembled = shared.pool.install(|| shared.job.assemble(number, buffers));
        lock(&shared.state).ready.insert(number, assembled);
        shared.changed.notify_all();
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod failure_tests;

fn check(dataset: &Dataset, options: &LoaderOptions) -> Result<(), DataError> {
    let setting = |what, detail: String| Err(DataError::Setting { what, detail });
    options.recipe.check()?;
    if options.batch == 0 {
        return setting("batch size", "0 images in a batch".into());
    }
    if !(1..=2).contains(&options.views) {
        return setting("views", format!("{} views of an image; 1 or 2 are made", options.views));
    }
    if !(1..=4096).contains(&options.size) {
        return setting("view size", format!("{} px; 1 to 4096 are possible", options.size));
    }
    if !(0.0..=1.0).contains(&options.max_bad_fraction) {
        return setting("max_bad_fraction", format!("{} is not a share between 0 and 1", options.max_bad_fraction));
    }
    if options.drop_last && dataset.len() < options.batch {
        let detail = format!("batches of {} cannot be filled from {} images", options.batch, dataset.len());
        return setting("batch size", detail);
    }
    let floats = (options.size as usize).pow(2) * 3;
    if floats.checked_mul(options.batch).and_then(|n| n.checked_mul(4)).is_none_or(|n| n > isize::MAX as usize) {
        return setting(
            "batch size",
            format!("{} images of {} px do not fit into memory", options.batch, options.size),
        );
    }
    Ok(())
}
