//! The making of one batch: which images, reading, decoding, views, and what to do about bad ones.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::{Batch, LoaderOptions, Order, Signals, lock};
use crate::dataset::{Dataset, shards};
use crate::decode::{DecodeOptions, Decoder, Pixels};
use crate::error::{BadImage, BadReason, DataError, DecodeError};
use crate::plan::ViewPlan;
use crate::random::{Purpose, Stream};
use crate::read_error::ReadError;
use crate::views::{Normalise, ViewMaker};

/// Everything a reading thread needs besides its own buffers.
pub(super) struct Job {
    dataset: Dataset,
    options: LoaderOptions,
    decode: DecodeOptions,
    normalise: Normalise,
    /// The epoch's permutation; `None` is 0, 1, 2, ...
    order: Option<Vec<u32>>,
    /// What reads ahead, where bytes come from afar.
    stream: Option<shards::stream::Stream>,
    /// Bad images by index, so that none is read twice. Remembering saves work and changes no result.
    known_bad: RwLock<BTreeMap<u32, BadImage>>,
    known_bad_count: AtomicUsize,
    /// With more bad images than this the epoch fails whatever comes: no use looking for replacements.
    doomed_above: usize,
    signals: Arc<Signals>,
    /// The storage failed: what ends the epoch.
    failure: Mutex<Option<DataError>>,
    /// The images being read now, for the message about a stall.
    busy: Mutex<Vec<u32>>,
}

/// A batch as made, with what was met on the way.
pub(super) struct Assembled {
    pub(super) batch: Batch,
    /// Images that it set out to read.
    pub(super) looked_at: usize,
    /// Bad ones among them and among their replacements.
    pub(super) bad: Vec<BadImage>,
    /// A place could not be filled.
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

/// A place in a batch: the image meant for it, and where its views go.
struct Place<'a> {
    image: u32,
    views: [Option<&'a mut [f32]>; 2],
}

/// What became of a place: the image used, if any, and the bad ones met.
type Outcome = (Option<u32>, Vec<u32>);

/// What the shorter side of a JPEG keeps when it is decoded shrunk: crops take down to a fifth of the area, so the whole must keep about
/// twice the view's size.
pub(crate) fn shrink_to(fast_decode: bool, size: u32) -> Option<u32> {
    fast_decode.then_some(size.saturating_mul(2))
}

impl Job {
    pub(super) fn new(
        dataset: Dataset,
        options: LoaderOptions,
        order: Option<Vec<u32>>,
        normalise: Normalise,
        doomed_above: usize,
        signals: Arc<Signals>,
    ) -> Self {
        let decode = DecodeOptions {
            exif_orientation: options.exif_orientation,
            shrink_to: shrink_to(options.fast_decode, options.size),
        };
        let first = options.first_batch.saturating_mul(options.batch);
        let stream = dataset.stream((first..dataset.len()).map(|position| match &order {
            Some(order) => order.get(position).copied().unwrap_or_default(),
            None => position as u32,
        }));
        Self {
            dataset,
            options,
            decode,
            normalise,
            order,
            stream,
            known_bad: RwLock::default(),
            known_bad_count: AtomicUsize::new(0),
            doomed_above,
            signals,
            failure: Mutex::default(),
            busy: Mutex::default(),
        }
    }

    pub(super) fn views(&self) -> usize {
        self.options.views
    }

    /// The failure of the storage that ended the epoch, once.
    pub(super) fn failure(&self) -> Option<DataError> {
        lock(&self.failure).take()
    }

    /// Names of the images that are being read at this moment.
    pub(super) fn being_read(&self) -> String {
        let busy = lock(&self.busy);
        let names: Vec<String> = busy.iter().take(3).map(|&i| self.dataset.name_of(i as usize)).collect();
        if names.is_empty() { "no file".into() } else { names.join(", ") }
    }

    /// Makes batch `number` on the current thread pool, into `buffers` as far as they go.
    pub(super) fn assemble(&self, number: usize, buffers: Vec<Vec<f32>>) -> Assembled {
        let n = self.dataset.len();
        let start = number.saturating_mul(self.options.batch).min(n);
        let end = start.saturating_add(self.options.batch).min(n);
        let count = end - start;
        let floats = self.options.size as usize * self.options.size as usize * 3;

        let mut views = buffers;
        views.resize_with(self.options.views, Vec::new);
        for view in &mut views {
            view.resize(count * floats, 0.0);
        }
        let outcomes: Vec<Outcome> = {
            let mut chunks: Vec<_> = views.iter_mut().map(|v| v.chunks_exact_mut(floats)).collect();
            let places: Vec<Place<'_>> = (start..end)
                .map(|position| Place {
                    image: self.order.as_ref().and_then(|o| o.get(position).copied()).unwrap_or(position as u32),
                    views: [0, 1].map(|v| chunks.get_mut(v).and_then(Iterator::next)),
                })
                .collect();
            places.into_par_iter().with_max_len(1).map(|place| self.fill_and_tell(place)).collect()
        };

        let mut batch = Batch { number, views, ..Batch::default() };
        let mut bad = Vec::new();
        let mut incomplete = false;
        {
            let known = self.known_bad.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            for (place, (used, met)) in outcomes.iter().enumerate() {
                bad.extend(met.iter().filter_map(|i| known.get(i).cloned()));
                match *used {
                    Some(image) => {
                        let to = batch.images.len();
                        if to != place {
                            // A gap before: close it, so that views and `images` stay side by side.
                            for view in &mut batch.views {
                                view.copy_within(place * floats..(place + 1) * floats, to * floats);
                            }
                        }
                        batch.images.push(image);
                    }
                    None => incomplete |= self.options.order != Order::Sequential,
                }
            }
        }
        for view in &mut batch.views {
            view.truncate(batch.images.len() * floats);
        }
        Assembled { batch, looked_at: count, bad, incomplete }
    }

    /// As [`Job::fill`]; then the image that was meant is not needed any more.
    fn fill_and_tell(&self, place: Place<'_>) -> Outcome {
        let image = place.image;
        let outcome = self.fill(place);
        if let Some(stream) = &self.stream {
            stream.done(image);
        }
        outcome
    }

    /// Fills a place with its image, or with the next good one after it.
    fn fill(&self, mut place: Place<'_>) -> Outcome {
        let mut met = Vec::new();
        let n = self.dataset.len() as u32;
        let tries = if self.options.order == Order::Sequential { 1 } else { n };
        for step in 0..tries {
            if self.signals.stop.requested() {
                break;
            }
            let image = ((u64::from(place.image) + u64::from(step)) % u64::from(n)) as u32;
            if self.is_known_bad(image) {
                met.push(image);
            } else {
                match self.make(image, &mut place) {
                    Ok(()) => return (Some(image), met),
                    Err(ReadError::Image(error)) => {
                        self.note(image, error);
                        met.push(image);
                    }
                    Err(ReadError::Storage(error)) => {
                        lock(&self.failure).get_or_insert(error);
                        self.signals.stop.request();
                        break;
                    }
                }
            }
            if self.known_bad_count.load(Ordering::Relaxed) > self.doomed_above {
                break;
            }
        }
        (None, met)
    }

    fn is_known_bad(&self, image: u32) -> bool {
        // Nearly always there is none at all.
        self.known_bad_count.load(Ordering::Relaxed) > 0
            && self.known_bad.read().unwrap_or_else(std::sync::PoisonError::into_inner).contains_key(&image)
    }

    fn note(&self, image: u32, error: DecodeError) {
        let index = image as usize;
        let DecodeError { reason, detail } = error;
        let entry = BadImage { index, name: self.dataset.name_of(index), reason, detail };
        let mut known = self.known_bad.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.entry(image).or_insert(entry);
        self.known_bad_count.store(known.len(), Ordering::Relaxed);
    }

    /// Reads, decodes and augments `image` into the place. A panic on the way counts as a bad image.
    fn make(&self, image: u32, place: &mut Place<'_>) -> Result<(), ReadError> {
        lock(&self.busy).push(image);
        let mut reader = READER.with_borrow_mut(Option::take).unwrap_or_default();
        let result = catch_unwind(AssertUnwindSafe(|| self.make_with(&mut reader, image, place)));
        {
            let mut busy = lock(&self.busy);
            if let Some(at) = busy.iter().position(|&i| i == image) {
                busy.swap_remove(at);
            }
        }
        self.signals.finished.fetch_add(1, Ordering::Relaxed);
        match result {
            Ok(result) => {
                READER.with_borrow_mut(|slot| *slot = Some(reader));
                result.map_err(ReadError::tolerating_bad_blocks)
            }
            Err(panic) => {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                Err(DecodeError::new(BadReason::Panicked, words.unwrap_or_else(|| "the decoder panicked".into()))
                    .into())
            }
        }
    }

    fn make_with(&self, reader: &mut Reader, image: u32, place: &mut Place<'_>) -> Result<(), ReadError> {
        let index = image as usize;
        match &self.stream {
            Some(stream) => stream.read(image, &mut reader.bytes, &self.signals.stop)?,
            None => self.dataset.read(index, &mut reader.bytes)?,
        }
        self.dataset.decode(index, &reader.bytes, &mut reader.decoder, &self.decode, &mut reader.pixels)?;
        let Reader { pixels, maker, plan, .. } = reader;
        let options = &self.options;
        for (view, out) in place.views.iter_mut().enumerate() {
            let Some(out) = out else { continue };
            // Named by the image that was meant: a replacement must not repeat the views of its own turn in the epoch.
            let mut stream = Stream::new(options.seed, Purpose::View, options.epoch, place.image, view as u16);
            plan.draw(&options.recipe, pixels.width, pixels.height, options.size, &mut stream);
            maker.render(pixels, plan, options.size, &self.normalise, out)?;
        }
        Ok(())
    }
}
