//! A look at a whole data set before a run: every image read, decoded, measured and compared.
//!
//! One file a metric: `sizes`, `statistics`, `probe` (what headers say), `duplicates` (by `fingerprint` and `near`),
//! `classes`; `findings` says what they mean for a run, `sample` draws a contact sheet. All cores work; what is remembered of an image
//! is about 80 bytes, while copies are looked for 220. The result does not depend on the number of threads, its timings aside.

mod classes;
mod duplicates;
mod findings;
mod fingerprint;
mod look;
mod near;
mod probe;
mod sample;
mod sizes;
mod statistics;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::dataset::Dataset;
use crate::error::{BadImage, BadReason, DataError, DecodeError};
use crate::loader::allowed_bad;
use crate::read_error::ReadError;
use crate::skipped::Skipped;
use look::{Look, Looker, Seen};

pub use classes::{Class, Classes};
pub use duplicates::{Duplicates, Group};
pub use findings::{Finding, Weight};
pub use probe::Colour;
pub use sample::{Section, sample};
pub use sizes::{Bin, Sizes, Spread};
pub use statistics::Statistics;

/// What to hold the data set against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurveyOptions {
    /// Side of a view in pixels (`data.size`).
    pub view: u32,
    /// See [`crate::LoaderOptions::max_bad_fraction`].
    pub max_bad_fraction: f64,
    /// Threads; 0 means one for each core.
    pub threads: usize,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading and measuring images.
    Reading,
    /// Looking for copies.
    Comparing,
}

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Survey {
    /// See [`Dataset::kind`].
    pub kind: &'static str,
    /// Images, good or bad.
    pub images: usize,
    /// Images that could be read.
    pub readable: usize,
    /// Those that could not.
    pub bad: Bad,
    /// Readable images by format.
    pub formats: BTreeMap<&'static str, usize>,
    /// Readable images by the channels that they are stored with.
    pub colours: BTreeMap<Colour, usize>,
    /// Readable images by bits a sample.
    pub bits: BTreeMap<u8, usize>,
    /// Pictures whose red, green and blue are equal everywhere, however they are stored.
    pub grey_pictures: usize,
    /// JPEGs that ask in EXIF to be turned.
    pub turned: usize,
    /// Files whose name says another format than their content; they are read all the same.
    pub misnamed: usize,
    /// Sizes and shapes; absent where nothing could be read.
    pub sizes: Option<Sizes>,
    /// Mean and standard deviation of the channels; absent where nothing could be read.
    pub channels: Option<Statistics>,
    /// Copies.
    pub duplicates: Duplicates,
    /// Classes, where there are any.
    pub classes: Option<Classes>,
    /// How fast it went.
    pub speed: Speed,
    /// Files that are not in the dataset because of their format ([`Dataset::skipped`]).
    pub skipped: Skipped,
    /// What went wrong in part while opening ([`Dataset::warnings`]).
    pub warnings: Vec<String>,
    /// What it means for a run, the heaviest first.
    pub findings: Vec<Finding>,
    /// Nothing that would stop a run was found.
    pub ok: bool,
}

/// Images that could not be read.
#[derive(Clone, Debug, Serialize)]
pub struct Bad {
    /// How many.
    pub count: usize,
    /// Of all images.
    pub share: f64,
    /// The share above which a run stops.
    pub limit: f64,
    /// The count above which a run stops.
    pub allowed: usize,
    /// By reason.
    pub by_reason: BTreeMap<BadReason, usize>,
    /// Each of them, by index.
    pub list: Vec<BadImage>,
}

/// How fast it went.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Speed {
    /// Threads that read.
    pub threads: usize,
    /// Seconds for reading, decoding, measuring.
    pub seconds: f64,
    /// Images a second of that.
    pub images_per_s: f64,
    /// Images a second that one thread decodes; absent where there is nothing to decode.
    pub decoded_per_s_per_thread: Option<f64>,
    /// Encoded megabytes (10^6 bytes) a second that one thread decodes.
    pub decoded_mb_per_s_per_thread: Option<f64>,
    /// Encoded megabytes a second that one thread reads from the disk or its cache.
    pub read_mb_per_s_per_thread: Option<f64>,
}

/// Looks at every image. `progress` is told what is being done and how many of how many are done.
///
/// # Errors
/// Threads that cannot be started, and storage that fails. A bad image is counted.
pub fn survey(
    dataset: &Dataset,
    options: &SurveyOptions,
    progress: &mut dyn FnMut(Stage, usize, usize),
) -> Result<Survey, DataError> {
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let begun = Instant::now();
    let tally = read_all(dataset, threads, &mut |done| progress(Stage::Reading, done, dataset.len()))?;
    let seconds = begun.elapsed().as_secs_f64();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| DataError::Threads { detail: e.to_string() })?;
    let (told, listen) = mpsc::channel();
    let duplicates = std::thread::scope(|scope| {
        let seen = &tally.seen;
        let pool = &pool;
        let finder = scope.spawn(move || {
            pool.install(|| {
                duplicates::find(dataset, seen, &mut |done| {
                    // Nobody listens any more: nobody minds.
                    let _ = told.send(done);
                })
            })
        });
        listen.iter().for_each(|done| progress(Stage::Comparing, done, tally.good));
        finder.join().map_err(|_| DataError::Threads { detail: "the search for copies ended early".into() })
    })?;
    Ok(tally.finish(dataset, options, duplicates, threads, seconds))
}

/// What has been found so far.
#[derive(Default)]
struct Tally {
    seen: Vec<Option<Seen>>,
    good: usize,
    bad: BTreeMap<usize, DecodeError>,
    formats: BTreeMap<&'static str, usize>,
    colours: BTreeMap<Colour, usize>,
    bits: BTreeMap<u8, usize>,
    grey_pictures: usize,
    turned: usize,
    misnamed: usize,
    sums: statistics::Sums,
    reading: Duration,
    decoding: Duration,
}

/// Every image through one of `threads` threads; what they found is put together here, one after the other.
fn read_all(dataset: &Dataset, threads: usize, progress: &mut dyn FnMut(usize)) -> Result<Tally, DataError> {
    let mut tally = Tally::default();
    tally.seen.resize_with(dataset.len(), || None);
    let next = AtomicUsize::new(0);
    // A few images ahead: a slow listener holds the readers back.
    let (found, listen) = mpsc::sync_channel::<(usize, Result<Look, ReadError>)>(threads * 16);
    std::thread::scope(|scope| {
        let mut failure = None;
        for number in 0..threads {
            let (found, next) = (found.clone(), &next);
            let work = move || {
                let mut looker = Looker::default();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= dataset.len() || found.send((index, looker.look(dataset, index))).is_err() {
                        break;
                    }
                }
            };
            let started = std::thread::Builder::new().name(format!("mochi-check-{number}")).spawn_scoped(scope, work);
            if let Err(error) = started {
                failure = Some(DataError::Threads { detail: error.to_string() }).filter(|_| number == 0);
                break;
            }
        }
        drop(found);
        if let Some(failure) = failure {
            return Err(failure);
        }
        for (done, (index, look)) in listen.into_iter().enumerate() {
            let look = match look.map_err(ReadError::tolerating_bad_blocks) {
                Ok(look) => Ok(look),
                Err(ReadError::Image(error)) => Err(error),
                Err(ReadError::Storage(error)) => return Err(error),
            };
            tally.add(index, look);
            progress(done + 1);
        }
        Ok(tally)
    })
}

impl Tally {
    fn add(&mut self, index: usize, look: Result<Look, DecodeError>) {
        let look = match look {
            Ok(look) => look,
            Err(error) => {
                self.bad.insert(index, error);
                return;
            }
        };
        self.good += 1;
        *self.formats.entry(look.format).or_default() += 1;
        *self.colours.entry(look.colour).or_default() += 1;
        *self.bits.entry(look.bits).or_default() += 1;
        self.grey_pictures += usize::from(look.moments.grey);
        self.turned += usize::from(look.turned);
        self.misnamed += usize::from(look.misnamed);
        self.sums.add(&look.moments);
        self.reading += look.reading;
        self.decoding += look.decoding;
        if let Some(slot) = self.seen.get_mut(index) {
            *slot = Some(look.seen);
        }
    }

    fn finish(
        self,
        dataset: &Dataset,
        options: &SurveyOptions,
        duplicates: Duplicates,
        threads: usize,
        seconds: f64,
    ) -> Survey {
        let shapes: Vec<(u32, u32, u64)> =
            self.seen.iter().flatten().map(|seen| (seen.width, seen.height, seen.encoded)).collect();
        let sizes = Sizes::of(&shapes, options.view);
        let megabytes = sizes.as_ref().map_or(0.0, |sizes| sizes.total_bytes as f64 / 1e6);
        let rate =
            |amount: f64, time: Duration| Some(amount / time.as_secs_f64().max(1e-9)).filter(|_| megabytes > 0.0);
        let speed = Speed {
            threads,
            seconds,
            images_per_s: dataset.len() as f64 / seconds.max(1e-9),
            decoded_per_s_per_thread: rate(self.good as f64, self.decoding),
            decoded_mb_per_s_per_thread: rate(megabytes, self.decoding),
            read_mb_per_s_per_thread: rate(megabytes, self.reading),
        };
        let classes = Classes::of(dataset, |image| !self.bad.contains_key(&image));
        let mut by_reason = BTreeMap::new();
        for error in self.bad.values() {
            *by_reason.entry(error.reason).or_default() += 1;
        }
        let bad = Bad {
            count: self.bad.len(),
            share: self.bad.len() as f64 / dataset.len().max(1) as f64,
            limit: options.max_bad_fraction,
            allowed: allowed_bad(options.max_bad_fraction, dataset.len()),
            by_reason,
            list: self
                .bad
                .into_iter()
                .map(|(index, DecodeError { reason, detail })| BadImage {
                    index,
                    name: dataset.name_of(index),
                    reason,
                    detail,
                })
                .collect(),
        };
        let mut survey = Survey {
            kind: dataset.kind(),
            images: dataset.len(),
            readable: self.good,
            bad,
            formats: self.formats,
            colours: self.colours,
            bits: self.bits,
            grey_pictures: self.grey_pictures,
            turned: self.turned,
            misnamed: self.misnamed,
            sizes,
            channels: self.sums.finish(),
            duplicates,
            classes,
            speed,
            skipped: dataset.skipped().clone(),
            warnings: dataset.warnings().to_vec(),
            findings: Vec::new(),
            ok: true,
        };
        survey.findings = findings::judge(&survey);
        survey.ok = survey.findings.iter().all(|finding| finding.weight != Weight::Breaks);
        survey
    }
}
