//! The loader's threads: one plans batches and puts them together, a pool reads, decodes and resizes their images.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mochi_annotations::{Annotations, Placement};
use mochi_views::{BadReason, DecodeError};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::image::{Loaded, ObjectImageOptions, Reader};
use super::order::GroupOrder;
use crate::cancel::Cancel;
use crate::error::{BadImage, DataError};
use crate::loader::{Shard, allowed_bad};
use crate::read_error::ReadError;

/// Interval at which a wait checks for cancellation.
const TICK: Duration = Duration::from_millis(50);

/// Fractions of bad images are relative to at least this many images, or to all if there are fewer.
const LEAST: usize = 1000;

/// Options of an [`ObjectLoader`].
#[derive(Clone, Debug)]
pub struct ObjectLoaderOptions {
    /// Seed of order, sizes and mirroring; `None`: every image once, in the order of the dataset. The last groups then have fewer images, or none.
    pub seed: Option<u64>,
    /// Images of a batch.
    pub batch: usize,
    /// Parts of a batch with padding of their own; divides `batch`.
    pub groups: usize,
    /// The groups that are loaded: this process's share of them.
    pub shard: Shard,
    /// Whether a group has only wide or only other images.
    pub aspect_grouping: bool,
    /// How each image is resized and mirrored.
    pub image: ObjectImageOptions,
    /// Means of the channels in units of 0 to 255.
    pub mean: [f32; 3],
    /// Standard deviations of the channels in units of 0 to 255.
    pub std: [f32; 3],
    /// The first step.
    pub start: u64,
    /// The step after the last.
    pub end: u64,
    /// Threads that decode and resize.
    pub threads: usize,
    /// Batches made ahead of time.
    pub prefetch: usize,
    /// Largest fraction of bad images.
    pub max_bad_fraction: f64,
    /// Ends waiting.
    pub cancel: Cancel,
}

impl ObjectLoaderOptions {
    /// Numbers of this process's groups.
    pub fn own_groups(&self) -> std::ops::Range<usize> {
        self.shard.of(0, self.groups)
    }
}

/// The images of a step.
#[derive(Clone, Debug)]
pub struct ObjectBatch {
    /// The step.
    pub step: u64,
    /// Its parts.
    pub groups: Vec<ObjectGroup>,
}

/// Images that are padded to a common size.
#[derive(Clone, Debug)]
pub struct ObjectGroup {
    /// Normalized values (B, 3, `height`, `width`); zeros to the right of an image and below it.
    pub pixels: Vec<f32>,
    /// Rows of the largest image.
    pub height: u32,
    /// Columns of the largest image.
    pub width: u32,
    /// The images.
    pub images: Vec<LoadedImage>,
}

/// An image of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadedImage {
    /// Its index in [`Annotations::images`].
    pub index: u32,
    /// Its height after resizing.
    pub height: u32,
    /// Its width after resizing.
    pub width: u32,
    /// Where its coordinates are.
    pub placement: Placement,
}

/// Batches of images in the order of the steps; dropping it stops its threads.
pub struct ObjectLoader {
    batches: Option<Receiver<Result<ObjectBatch, DataError>>>,
    thread: Option<std::thread::JoinHandle<()>>,
    shared: Arc<Shared>,
}

struct Shared {
    data: Arc<Annotations>,
    options: ObjectLoaderOptions,
    stop: Cancel,
    bad: Mutex<Bad>,
}

/// Bad images by index, and those not yet reported.
#[derive(Default)]
struct Bad {
    known: BTreeMap<u32, BadImage>,
    new: Vec<BadImage>,
}

thread_local! {
    static READER: RefCell<Reader> = RefCell::default();
}

impl ObjectLoader {
    /// Checks the options and starts the threads.
    ///
    /// # Errors
    /// [`DataError::Setting`], [`DataError::Threads`].
    pub fn new(data: Arc<Annotations>, options: ObjectLoaderOptions) -> Result<Self, DataError> {
        check(&data, &options)?;
        let failed = |detail: String| DataError::Threads { detail };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.max(1))
            .thread_name(|i| format!("mochi-objects-{i}"))
            .build()
            .map_err(|e| failed(e.to_string()))?;
        // One batch is in the hands of the thread that makes it.
        let (sender, batches) = sync_channel(options.prefetch.max(1) - 1);
        let shared = Arc::new(Shared { data, options, stop: Cancel::default(), bad: Mutex::default() });
        let own = shared.clone();
        let thread =
            std::thread::Builder::new().name("mochi-objects".to_owned()).spawn(move || make(&own, &pool, &sender));
        let thread = thread.map_err(|e| failed(e.to_string()))?;
        Ok(Self { batches: Some(batches), thread: Some(thread), shared })
    }

    /// Bad images that were found since the last call; each is returned once.
    pub fn new_bad_images(&mut self) -> Vec<BadImage> {
        std::mem::take(&mut lock(&self.shared.bad).new)
    }
}

impl Iterator for ObjectLoader {
    type Item = Result<ObjectBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.batches.as_ref()?.recv_timeout(TICK) {
                Ok(Ok(batch)) => return Some(Ok(batch)),
                Ok(Err(error)) => {
                    self.batches = None;
                    return Some(Err(error));
                }
                Err(RecvTimeoutError::Timeout) if self.shared.options.cancel.requested() => {
                    self.batches = None;
                    return Some(Err(DataError::Canceled));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.batches = None;
                    return None;
                }
            }
        }
    }
}

impl Drop for ObjectLoader {
    fn drop(&mut self) {
        self.shared.stop.request();
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check(data: &Annotations, options: &ObjectLoaderOptions) -> Result<(), DataError> {
    let setting = |what, detail: String| Err(DataError::Setting { what, detail });
    let ObjectLoaderOptions { batch, groups, .. } = *options;
    if data.images.is_empty() || u32::try_from(data.images.len()).is_err() {
        return setting("images", format!("expected 1 to {} images, got {}", u32::MAX, data.images.len()));
    }
    if groups == 0 || batch == 0 || !batch.is_multiple_of(groups) {
        return setting("groups", format!("a batch of {batch} images cannot be split into {groups} equal groups"));
    }
    let Shard { rank, world_size } = options.shard;
    if rank >= world_size || !groups.is_multiple_of(world_size) {
        return setting("groups", format!("{groups} groups cannot be shared equally by {world_size} processes"));
    }
    if options.image.short_sides.is_empty() || options.image.short_sides.contains(&0) {
        return setting("short sides", "expected at least one length above 0".to_owned());
    }
    Ok(())
}

/// Checks how many images are bad, of `taken` so far and `images` in all. A loader of one of several processes knows only its own: where they must not be
/// too many together, this is called with those of all.
///
/// # Errors
/// [`DataError::TooManyBad`].
pub fn check_bad<'a>(
    bad: impl ExactSizeIterator<Item = &'a BadImage>,
    taken: usize,
    images: usize,
    limit: f64,
) -> Result<(), DataError> {
    let read = taken.min(images).max(images.min(LEAST));
    let count = bad.len();
    if count <= allowed_bad(limit, read) && count < images {
        return Ok(());
    }
    let first: Vec<String> = bad.take(5).map(|bad| format!("{} ({})", bad.name, bad.reason)).collect();
    let fraction = count as f64 / read.max(1) as f64;
    Err(DataError::TooManyBad { bad: count, read, fraction, limit, first: first.join(", ") })
}

/// Makes the batches of all steps and sends them, until the receiver is gone.
fn make(shared: &Shared, pool: &rayon::ThreadPool, sender: &SyncSender<Result<ObjectBatch, DataError>>) {
    let options = &shared.options;
    let mut orders = Orders::new(shared);
    // The order of a step depends on those before it.
    for step in 0..options.end {
        if shared.stop.requested() {
            return;
        }
        let images = orders.next_step();
        if step < options.start {
            continue;
        }
        let made = catch_unwind(AssertUnwindSafe(|| pool.install(|| shared.batch(step, &images))));
        let batch = made.unwrap_or_else(|_| Err(DataError::Panicked { detail: "a batch of objects".to_owned() }));
        let failed = batch.is_err();
        let mut waiting = Some(batch);
        while let Some(batch) = waiting.take() {
            match sender.try_send(batch) {
                Ok(()) => {}
                Err(TrySendError::Full(batch)) if !shared.stop.requested() => {
                    waiting = Some(batch);
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(_) => return,
            }
        }
        if failed {
            return;
        }
    }
}

/// Which images each of this process's groups has in a step.
enum Orders {
    Shuffled(Vec<GroupOrder>),
    InOrder { first: usize, images: usize, batch: usize, group: usize, own: std::ops::Range<usize> },
}

impl Orders {
    fn new(shared: &Shared) -> Self {
        let (options, images) = (&shared.options, &shared.data.images);
        let (batch, count) = (options.batch, options.batch / options.groups);
        let Some(seed) = options.seed else {
            return Self::InOrder { first: 0, images: images.len(), batch, group: count, own: options.own_groups() };
        };
        let wide: Arc<[bool]> =
            images.iter().map(|image| options.aspect_grouping && image.width > image.height).collect();
        Self::Shuffled(
            options.own_groups().map(|g| GroupOrder::new(seed, g, options.groups, count, wide.clone())).collect(),
        )
    }

    fn next_step(&mut self) -> Vec<Vec<u32>> {
        match self {
            Self::Shuffled(groups) => groups.iter_mut().map(GroupOrder::next_images).collect(),
            Self::InOrder { first, images, batch, group, own } => {
                let begins = |number: usize| (*first + number * *group).min(*images);
                let groups = own.clone().map(|number| begins(number)..begins(number + 1));
                let groups = groups.map(|group| group.map(|image| image as u32).collect()).collect();
                *first += *batch;
                groups
            }
        }
    }
}

impl Shared {
    fn batch(&self, step: u64, groups: &[Vec<u32>]) -> Result<ObjectBatch, DataError> {
        let all: Vec<u32> = groups.concat();
        let mut loaded =
            all.par_iter().map(|&image| self.load(step, image)).collect::<Result<Vec<_>, _>>()?.into_iter();
        self.check_bad(step)?;
        let groups = groups.iter().map(|group| {
            let images: Vec<_> = loaded.by_ref().take(group.len()).flatten().collect();
            self.group(images)
        });
        Ok(ObjectBatch { step, groups: groups.collect::<Result<_, _>>()? })
    }

    /// The image, or the next good one in the dataset. In the dataset's order a bad image is left out.
    fn load(&self, step: u64, image: u32) -> Result<Option<(u32, Loaded)>, DataError> {
        let count = self.data.images.len() as u32;
        let tries = if self.options.seed.is_some() { count } else { 1 };
        for offset in 0..tries {
            let index = ((u64::from(image) + u64::from(offset)) % u64::from(count)) as u32;
            if lock(&self.bad).known.contains_key(&index) {
                continue;
            }
            let own = &self.data.images[index as usize];
            let draw = (self.options.seed.unwrap_or(0), step, image);
            let load = || READER.with_borrow_mut(|reader| reader.load(own, &self.options.image, draw));
            let loaded = catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|_| {
                READER.set(Reader::default());
                Err(DecodeError::new(BadReason::Panicked, "the decoder panicked").into())
            });
            match loaded.map_err(ReadError::tolerating_bad_blocks) {
                Ok(loaded) => return Ok(Some((index, loaded))),
                Err(ReadError::Storage(error)) => return Err(error),
                Err(ReadError::Image(DecodeError { reason, detail })) => {
                    let bad = BadImage { index: index as usize, name: own.name.clone(), reason, detail };
                    let mut found = lock(&self.bad);
                    if found.known.insert(index, bad.clone()).is_none() {
                        found.new.push(bad);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Ends the run if too many images are bad.
    fn check_bad(&self, step: u64) -> Result<(), DataError> {
        let taken = usize::try_from(step + 1).unwrap_or(usize::MAX).saturating_mul(self.options.batch);
        let known = &lock(&self.bad).known;
        check_bad(known.values(), taken, self.data.images.len(), self.options.max_bad_fraction)
    }

    /// Normalizes and pads.
    fn group(&self, images: Vec<(u32, Loaded)>) -> Result<ObjectGroup, DataError> {
        let height = images.iter().map(|(_, loaded)| loaded.pixels.height).max().unwrap_or(0);
        let width = images.iter().map(|(_, loaded)| loaded.pixels.width).max().unwrap_or(0);
        let plane = height as usize * width as usize;
        let mut pixels = Vec::new();
        let floats = images.len() * 3 * plane;
        pixels.try_reserve_exact(floats).map_err(|e| DataError::Memory { detail: e.to_string() })?;
        pixels.resize(floats, 0.0f32);
        let scale = [0, 1, 2].map(|c| 1.0 / self.options.std[c]);
        let shift = [0, 1, 2].map(|c| -self.options.mean[c] / self.options.std[c]);
        for ((_, loaded), out) in images.iter().zip(pixels.chunks_mut((3 * plane).max(1))) {
            let own = loaded.pixels.width as usize;
            for (y, row) in loaded.pixels.rgb.chunks(3 * own).enumerate() {
                for channel in 0..3 {
                    let out = &mut out[channel * plane + y * width as usize..][..own];
                    let values = row.iter().skip(channel).step_by(3);
                    let normalized = values.map(|&value| f32::from(value) * scale[channel] + shift[channel]);
                    if loaded.mirrored {
                        out.iter_mut().rev().zip(normalized).for_each(|(out, value)| *out = value);
                    } else {
                        out.iter_mut().zip(normalized).for_each(|(out, value)| *out = value);
                    }
                }
            }
        }
        let images = images.iter().map(|(index, loaded)| LoadedImage {
            index: *index,
            height: loaded.pixels.height,
            width: loaded.pixels.width,
            placement: loaded.placement(&self.data.images[*index as usize]),
        });
        let images = images.collect();
        Ok(ObjectGroup { pixels, height, width, images })
    }
}

#[cfg(test)]
#[path = "loader_tests.rs"]
mod tests;
