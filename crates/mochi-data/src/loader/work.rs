//! The making of one batch: which images, reading, decoding, views, and how bad images are replaced.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::batch::Batch;
use super::epoch::Epoch;
use super::memory::Memory;
use super::options::{LoaderOptions, Order};
use super::signals::{Signals, lock};
use crate::dataset::Dataset;
use crate::decode::{DecodeOptions, Decoder, Pixels};
use crate::error::{BadImage, BadReason, DataError, DecodeError};
use crate::plan::ViewPlan;
use crate::random::{Purpose, Stream};
use crate::read_error::ReadError;
use crate::views::{Normalize, ViewMaker};

/// Everything a reading thread needs besides its own buffers.
pub(super) struct Job<M> {
    dataset: Dataset,
    options: LoaderOptions,
    memory: M,
    decode: DecodeOptions,
    normalize: Normalize,
    /// With more bad images than this the epoch fails in any case: replacements are no longer searched.
    doomed_above: usize,
    signals: Arc<Signals>,
    /// The failure of the storage that ends the loader.
    failure: Mutex<Option<DataError>>,
    /// The images being read now, for the message about a stall.
    busy: Mutex<Vec<u32>>,
}

/// A batch as made, with what was found on the way.
pub(super) struct Assembled<B> {
    pub(super) batch: Batch<B>,
    /// Images that it set out to read.
    pub(super) read: usize,
    /// Bad ones among them and among their replacements.
    pub(super) bad: Vec<BadImage>,
    /// A slot could not be filled.
    pub(super) incomplete: bool,
}

/// The buffers of one reading thread.
#[derive(Default)]
struct Reader {
    bytes: Vec<u8>,
    decoder: Decoder,
    pixels: Pixels,
    maker: ViewMaker,
    plan: ViewPlan,
}

thread_local! {
    /// Taken out while an image is made: after a panic it is not put back, and the next image starts with fresh buffers.
    static READER: RefCell<Option<Box<Reader>>> = const { RefCell::new(None) };
}

/// A slot of a batch: the image meant for it, and where its views go.
struct Slot<'a> {
    image: u32,
    views: [Option<&'a mut [f32]>; 2],
}

/// The image used for a slot, if any, and the bad ones found on the way.
type Outcome = (Option<u32>, Vec<u32>);

/// What the shorter side of a JPEG keeps when it is decoded shrunk: crops take down to a fifth of the area, so the whole must keep about
/// twice the view's size.
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
        Self { dataset, options, memory, decode, normalize, doomed_above, signals, failure, busy }
    }

    pub(super) fn options(&self) -> &LoaderOptions {
        &self.options
    }

    pub(super) fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The failure of the storage that ended the loader, once.
    pub(super) fn failure(&self) -> Option<DataError> {
        lock(&self.failure).take()
    }

    /// Names of the images that are being read at this moment.
    pub(super) fn being_read(&self) -> String {
        let busy = lock(&self.busy);
        let names: Vec<String> = busy.iter().take(3).map(|&i| self.dataset.name_of(i as usize)).collect();
        if names.is_empty() { "no file".into() } else { names.join(", ") }
    }

    /// Makes batch `number` of an epoch on the current thread pool, into `buffers` as far as they fit.
    pub(super) fn assemble(
        &self,
        epoch: &Epoch,
        number: usize,
        buffers: Vec<M::Buffer>,
    ) -> Result<Assembled<M::Buffer>, DataError> {
        let positions = self.options.positions(self.dataset.len(), number);
        let (count, floats) = (positions.len(), self.options.floats());
        let mut views = buffers;
        views.retain(|view| view.len() == count * floats);
        views.truncate(self.options.views);
        while views.len() < self.options.views {
            let view = self.memory.lend(count * floats)?;
            if view.len() != count * floats {
                let detail = format!("a buffer of {} floats instead of {}", view.len(), count * floats);
                return Err(DataError::Memory { detail });
            }
            views.push(view);
        }
        let outcomes: Vec<Outcome> = {
            let mut chunks: Vec<_> = views.iter_mut().map(|v| v.chunks_exact_mut(floats)).collect();
            let slots: Vec<Slot<'_>> = positions
                .map(|position| Slot {
                    image: epoch.image(position),
                    views: [0, 1].map(|v| chunks.get_mut(v).and_then(Iterator::next)),
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
                // A gap before: close it, so that views and `images` stay aligned.
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

    /// As [`Job::fill`]; then the image that was meant is not needed any more.
    fn fill_and_release(&self, epoch: &Epoch, slot: Slot<'_>) -> Outcome {
        let image = slot.image;
        let outcome = self.fill(epoch, slot);
        if let Some(stream) = &epoch.stream {
            stream.done(image);
        }
        outcome
    }

    /// Fills a slot with its image, or with the next good one after it. Which one that is depends on nothing but the images.
    fn fill(&self, epoch: &Epoch, mut slot: Slot<'_>) -> Outcome {
        let mut met = Vec::new();
        let n = self.dataset.len() as u32;
        let tries = if self.options.order == Order::Sequential { 1 } else { n };
        for step in 0..tries {
            if self.signals.stop.requested() {
                break;
            }
            let image = ((u64::from(slot.image) + u64::from(step)) % u64::from(n)) as u32;
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

    /// Reads, decodes and augments `image` into the slot. A panic on the way makes it a bad image.
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
        match &epoch.stream {
            Some(stream) => stream.read(image, &mut reader.bytes, &self.signals.stop)?,
            None => self.dataset.read(index, &mut reader.bytes)?,
        }
        self.dataset.decode(index, &reader.bytes, &mut reader.decoder, &self.decode, &mut reader.pixels)?;
        let Reader { pixels, maker, plan, .. } = reader;
        let options = &self.options;
        for (view, out) in slot.views.iter_mut().enumerate() {
            let Some(out) = out else { continue };
            // Named by the image that was meant: a replacement must not repeat the views of its own turn in the epoch.
            let mut stream = Stream::new(options.seed, Purpose::View, epoch.number, slot.image, view as u16);
            plan.draw(&options.augmentation, pixels.width, pixels.height, options.size, &mut stream);
            maker.render(pixels, plan, options.size, &self.normalize, out)?;
        }
        Ok(())
    }
}
