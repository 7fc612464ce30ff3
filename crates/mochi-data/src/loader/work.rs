//! Making one batch: reading, decoding and augmenting its images, and replacing bad images.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use mochi_views::average::Averager;
use mochi_views::decode::{DecodeOptions, Decoder, Pixels};
use mochi_views::plan::ViewPlan;
use mochi_views::random::{Purpose, Stream};
use mochi_views::views::{Normalize, ViewMaker};
use mochi_views::{BadReason, DecodeError};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::batch::Batch;
use super::cache::Cache;
use super::epoch::Epoch;
use super::memory::Memory;
use super::options::{LoaderOptions, Order};
use super::signals::{Signals, lock};
use crate::dataset::Dataset;
use crate::error::{BadImage, DataError};
use crate::read_error::ReadError;

/// Shared data of the worker threads.
pub(super) struct Job<M> {
    dataset: Dataset,
    options: LoaderOptions,
    memory: M,
    decode: DecodeOptions,
    normalize: Normalize,
    cache: Option<Cache>,
    /// With more bad images than this the epoch fails, so replacements are no longer searched.
    doomed_above: usize,
    signals: Arc<Signals>,
    /// Storage failure that ends the loader.
    failure: Mutex<Option<DataError>>,
    /// Images that are being read, for the message about a stall.
    busy: Mutex<Vec<u32>>,
}

/// A batch with its bad images.
pub(super) struct Assembled<B> {
    pub(super) batch: Batch<B>,
    /// Number of images that the batch should contain.
    pub(super) read: usize,
    /// Bad images among them and among their replacements.
    pub(super) bad: Vec<BadImage>,
    /// Whether a slot could not be filled.
    pub(super) incomplete: bool,
}

/// Buffers of one worker thread.
#[derive(Default)]
struct Reader {
    bytes: Vec<u8>,
    decoder: Decoder,
    pixels: Pixels,
    averager: Averager,
    maker: ViewMaker,
    plan: ViewPlan,
}

thread_local! {
    /// Taken out while an image is processed. After a panic it is not put back, so that the next image starts with new buffers.
    static READER: RefCell<Option<Box<Reader>>> = const { RefCell::new(None) };
}

/// Slot of a batch: its intended image, and the destination of its views.
struct Slot<'a> {
    image: u32,
    views: Vec<&'a mut [f32]>,
}

/// The image used for a slot, if any, and the bad images that it replaces.
type Outcome = (Option<u32>, Vec<u32>);

/// Smallest size of the shorter side of a JPEG that is decoded at a smaller scale, as a multiple of the view size: crops can be as small as a fifth of
/// the area, so the image must be about twice the view size.
pub(crate) fn shrink_to(fast_decode: bool, size: u32) -> Option<u32> {
    fast_decode.then_some(size.saturating_mul(2))
}

/// The message of a panic.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> Option<String> {
    panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
}

impl<M: Memory> Job<M> {
    pub(super) fn new(
        dataset: Dataset,
        options: LoaderOptions,
        memory: M,
        doomed_above: usize,
        signals: Arc<Signals>,
    ) -> Self {
        let decode = DecodeOptions {
            exif_orientation: options.exif_orientation,
            shrink_to: shrink_to(options.fast_decode, options.size),
        };
        let normalize = Normalize::new(options.augmentation.mean, options.augmentation.std);
        let (failure, busy) = (Mutex::default(), Mutex::default());
        let cache = options.cache.filter(|_| !dataset.is_raw()).map(|options| Cache::new(dataset.len(), options));
        Self { dataset, options, memory, decode, normalize, cache, doomed_above, signals, failure, busy }
    }

    pub(super) fn options(&self) -> &LoaderOptions {
        &self.options
    }

    pub(super) fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Takes the storage failure that ended the loader.
    pub(super) fn failure(&self) -> Option<DataError> {
        lock(&self.failure).take()
    }

    /// Names of the images that are being read.
    pub(super) fn being_read(&self) -> String {
        let busy = lock(&self.busy);
        let names: Vec<String> = busy.iter().take(3).map(|&i| self.dataset.name_of(i as usize)).collect();
        if names.is_empty() { "no file".into() } else { names.join(", ") }
    }

    /// Makes batch `number` of an epoch on the current thread pool. Uses `buffers` that have the right size.
    pub(super) fn assemble(
        &self,
        epoch: &Epoch,
        number: usize,
        buffers: Vec<M::Buffer>,
    ) -> Result<Assembled<M::Buffer>, DataError> {
        let positions = self.options.positions(self.options.count(&self.dataset), number);
        let (count, floats) = (positions.len(), self.options.floats());
        let mut views = buffers;
        views.retain(|view| view.len() == count * floats);
        views.truncate(self.options.views);
        while views.len() < self.options.views {
            let view = self.memory.lend(count * floats)?;
            if view.len() != count * floats {
                let detail = format!("expected a buffer of {1} floats, got {0}", view.len(), count * floats);
                return Err(DataError::Memory { detail });
            }
            views.push(view);
        }
        let outcomes: Vec<Outcome> = {
            let mut chunks: Vec<_> = views.iter_mut().map(|v| v.chunks_exact_mut(floats)).collect();
            let slots: Vec<Slot<'_>> = positions
                .map(|position| Slot {
                    image: epoch.image(position),
                    views: chunks.iter_mut().filter_map(Iterator::next).collect(),
                })
                .collect();
            slots.into_par_iter().with_max_len(1).map(|slot| self.fill_and_release(epoch, slot)).collect()
        };

        let mut images = Vec::with_capacity(count);
        let mut incomplete = false;
        for (slot, (used, _)) in outcomes.iter().enumerate() {
            let Some(image) = *used else {
                incomplete |= self.options.order != Order::Sequential;
                continue;
            };
            let to = images.len();
            if to != slot {
                // Closes the gap of a left-out image, so that views and `images` stay aligned.
                for view in &mut views {
                    view.copy_within(slot * floats..(slot + 1) * floats, to * floats);
                }
            }
            images.push(image);
        }
        let bad = epoch.noted(outcomes.iter().flat_map(|(_, met)| met));
        let targets = images.iter().map(|&image| self.dataset.targets(image as usize)).collect();
        let batch = Batch { epoch: epoch.number, number, images, targets, views, floats, waited: Default::default() };
        Ok(Assembled { batch, read: count, bad, incomplete })
    }

    /// As [`Job::fill`]; afterwards the blocks of the intended image are released.
    fn fill_and_release(&self, epoch: &Epoch, slot: Slot<'_>) -> Outcome {
        let image = slot.image;
        let outcome = self.fill(epoch, slot);
        if let Some(stream) = &epoch.stream {
            stream.done(image);
        }
        outcome
    }

    /// Fills a slot with its image, or with the next good image in the dataset. The choice depends only on the images.
    fn fill(&self, epoch: &Epoch, mut slot: Slot<'_>) -> Outcome {
        let mut met = Vec::new();
        let n = self.options.count(&self.dataset) as u32;
        let tries = if self.options.order == Order::Sequential { 1 } else { n };
        for step in 0..tries {
            if self.signals.stop.requested() {
                break;
            }
            let image = self.options.replacement(&self.dataset, slot.image, step);
            if epoch.is_bad(image) {
                met.push(image);
            } else {
                match self.make(epoch, image, &mut slot) {
                    Ok(()) => return (Some(image), met),
                    Err(ReadError::Image(DecodeError { reason, detail })) => {
                        let index = image as usize;
                        let name = self.dataset.name_of(index);
                        epoch.note(image, BadImage { index, name, reason, detail });
                        met.push(image);
                    }
                    Err(ReadError::Storage(error)) => {
                        lock(&self.failure).get_or_insert(error);
                        self.signals.stop.request();
                        break;
                    }
                }
            }
            if epoch.bad_count() > self.doomed_above {
                break;
            }
        }
        (None, met)
    }

    /// Reads, decodes and augments `image` into the slot. If this panics, the image is bad.
    fn make(&self, epoch: &Epoch, image: u32, slot: &mut Slot<'_>) -> Result<(), ReadError> {
        lock(&self.busy).push(image);
        let mut reader = READER.with_borrow_mut(Option::take).unwrap_or_default();
        let result = catch_unwind(AssertUnwindSafe(|| self.make_with(epoch, &mut reader, image, slot)));
        {
            let mut busy = lock(&self.busy);
            if let Some(at) = busy.iter().position(|&i| i == image) {
                busy.swap_remove(at);
            }
        }
        self.signals.finished.fetch_add(1, Ordering::Relaxed);
        match result {
            Ok(result) => {
                READER.with_borrow_mut(|kept| *kept = Some(reader));
                result.map_err(ReadError::tolerating_bad_blocks)
            }
            Err(panic) => {
                let detail = panic_message(&*panic).unwrap_or_else(|| "the decoder panicked".into());
                Err(DecodeError::new(BadReason::Panicked, detail).into())
            }
        }
    }

    fn make_with(&self, epoch: &Epoch, reader: &mut Reader, image: u32, slot: &mut Slot<'_>) -> Result<(), ReadError> {
        let index = image as usize;
        let kept = self.cache.as_ref().and_then(|cache| cache.get(index));
        if kept.is_none() {
            match &epoch.stream {
                Some(stream) => stream.read(image, &mut reader.bytes, &self.signals.stop)?,
                None => self.dataset.read(index, &mut reader.bytes)?,
            }
            self.dataset.decode(index, &reader.bytes, &mut reader.decoder, &self.decode, &mut reader.pixels)?;
            if let Some(cache) = &self.cache {
                cache.reduce(&mut reader.averager, &mut reader.pixels);
                cache.keep(index, &reader.pixels);
            }
        }
        let Reader { pixels, maker, plan, .. } = reader;
        let pixels = kept.unwrap_or(pixels);
        let options = &self.options;
        for (view, out) in slot.views.iter_mut().enumerate() {
            // The stream is that of the intended image: a replacement must not have the same views as at its own position in the epoch.
            let mut stream = Stream::new(options.seed, Purpose::View, epoch.number, slot.image, view as u16);
            plan.draw(&options.augmentation, pixels.width, pixels.height, options.size, &mut stream);
            maker.render(pixels, plan, options.size, &self.normalize, out)?;
        }
        Ok(())
    }
}
