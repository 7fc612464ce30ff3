//! Dataset report: reads, decodes and measures every image of a dataset, and compares the images with each other.
//!
//! Each measurement has its own file: `sizes`, `probe` (file headers), `duplicates` (with `near`) and `classes`; those of pixels are in
//! [`mochi_views::statistics`] and [`mochi_views::perceptual_hash`]. `issues` lists errors, warnings and notes; `sample` selects the images of a contact sheet. Memory per image is about
//! 80 bytes, and 220 bytes during the search for duplicates. Except for timings, the report does not depend on the number of threads.

mod classes;
mod duplicates;
mod inspect;
mod issues;
mod near;
mod probe;
mod sample;
mod sizes;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mochi_views::statistics::{Statistics, Sums};
use mochi_views::{BadReason, DecodeError};
use serde::Serialize;

use crate::dataset::Dataset;
use crate::error::{BadImage, DataError};
use crate::loader::allowed_bad;
use crate::read_error::ReadError;
use crate::skipped::Skipped;
use inspect::{ImageSummary, Inspection, Inspector};

pub use classes::{Class, Classes};
pub use duplicates::{Duplicates, Group};
pub use issues::{Issue, Severity};
pub use probe::ColorType;
pub use sample::{Section, sample};
pub use sizes::{Bin, Sizes, Spread};

/// Options of a dataset report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReportOptions {
    /// View size in pixels (`data.size`), which image sizes are compared with.
    pub view: u32,
    /// See [`crate::LoaderOptions::max_bad_fraction`].
    pub max_bad_fraction: f64,
    /// Number of threads; 0 means one per core.
    pub threads: usize,
}

/// Stage of the work, for progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading and measuring images.
    Reading,
    /// Searching for duplicates.
    Comparing,
}

/// Report on a dataset. `mochi check --json` prints these fields.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetReport {
    /// See [`Dataset::kind`].
    pub kind: &'static str,
    /// Number of images, including bad ones.
    pub images: usize,
    /// Number of images that can be read and decoded.
    pub readable: usize,
    /// Images that cannot be read or decoded.
    pub bad: Bad,
    /// Readable images by format.
    pub formats: BTreeMap<&'static str, usize>,
    /// Readable images by the channels that the files store.
    pub color_types: BTreeMap<ColorType, usize>,
    /// Readable images by bits per sample.
    pub bits: BTreeMap<u8, usize>,
    /// Images whose three channels are equal in every pixel, whatever their color type.
    pub grayscale_images: usize,
    /// JPEG files with an EXIF orientation other than upright. Training does not apply it.
    pub exif_rotated: usize,
    /// Files whose extension does not match their format. They are read nevertheless.
    pub wrong_extension: usize,
    /// Sizes and aspect ratios; absent if no image can be read.
    pub sizes: Option<Sizes>,
    /// Mean and standard deviation of the channels; absent if no image can be read.
    pub channels: Option<Statistics>,
    /// Exact and near duplicates.
    pub duplicates: Duplicates,
    /// Images per class; absent if the dataset has no classes.
    pub classes: Option<Classes>,
    /// Speed of reading and decoding.
    pub speed: Speed,
    /// Files that are not in the dataset because of their format ([`Dataset::skipped`]).
    pub skipped: Skipped,
    /// Warnings from opening the dataset ([`Dataset::warnings`]).
    pub warnings: Vec<String>,
    /// Issues, the most severe first.
    pub issues: Vec<Issue>,
    /// Whether there is no issue of severity `error`.
    pub ok: bool,
}

/// Images that cannot be read or decoded.
#[derive(Clone, Debug, Serialize)]
pub struct Bad {
    /// Number of bad images.
    pub count: usize,
    /// Fraction of all images.
    pub fraction: f64,
    /// Fraction above which a run fails.
    pub limit: f64,
    /// Number above which a run fails.
    pub allowed: usize,
    /// Number by reason.
    pub by_reason: BTreeMap<BadReason, usize>,
    /// All bad images, in the order of their index.
    pub list: Vec<BadImage>,
}

/// Speed of reading and decoding.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Speed {
    /// Number of reading threads.
    pub threads: usize,
    /// Duration of reading, decoding and measuring, in seconds.
    pub seconds: f64,
    /// Images per second in that time, with all threads.
    pub images_per_s: f64,
    /// Images per second that one thread decodes; absent for raw pixels.
    pub decoded_per_s_per_thread: Option<f64>,
    /// Encoded megabytes (10^6 bytes) per second that one thread decodes.
    pub decoded_mb_per_s_per_thread: Option<f64>,
    /// Encoded megabytes per second that one thread reads from the disk or its cache.
    pub read_mb_per_s_per_thread: Option<f64>,
}

/// Reads every image and returns the report. `progress` is called with the stage, the number of images done and their total.
///
/// # Errors
/// Threads that cannot be started, and storage failures. A bad image is not an error; it is counted.
pub fn check_dataset(
    dataset: &Dataset,
    options: &ReportOptions,
    progress: &mut dyn FnMut(Stage, usize, usize),
) -> Result<DatasetReport, DataError> {
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let begun = Instant::now();
    let totals = read_all(dataset, threads, &mut |done| progress(Stage::Reading, done, dataset.len()))?;
    let seconds = begun.elapsed().as_secs_f64();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| DataError::Threads { detail: e.to_string() })?;
    let (sender, receiver) = mpsc::channel();
    let duplicates = std::thread::scope(|scope| {
        let summaries = &totals.summaries;
        let pool = &pool;
        let search = scope.spawn(move || {
            pool.install(|| {
                duplicates::find(dataset, summaries, &mut |done| {
                    // The receiver exists until the search ends.
                    let _ = sender.send(done);
                })
            })
        });
        receiver.iter().for_each(|done| progress(Stage::Comparing, done, totals.good));
        search.join().map_err(|_| DataError::Threads { detail: "the search for duplicates exited unexpectedly".into() })
    })?;
    Ok(totals.finish(dataset, options, duplicates, threads, seconds))
}

/// Sums and lists over the images that were read so far.
#[derive(Default)]
struct Totals {
    summaries: Vec<Option<ImageSummary>>,
    good: usize,
    bad: BTreeMap<usize, DecodeError>,
    formats: BTreeMap<&'static str, usize>,
    color_types: BTreeMap<ColorType, usize>,
    bits: BTreeMap<u8, usize>,
    grayscale_images: usize,
    exif_rotated: usize,
    wrong_extension: usize,
    sums: Sums,
    reading: Duration,
    decoding: Duration,
}

/// Reads all images on `threads` threads and adds up the results on this one.
fn read_all(dataset: &Dataset, threads: usize, progress: &mut dyn FnMut(usize)) -> Result<Totals, DataError> {
    let mut totals = Totals::default();
    totals.summaries.resize_with(dataset.len(), || None);
    let next = AtomicUsize::new(0);
    // The bound limits memory if this thread is slower than the readers.
    let (sender, receiver) = mpsc::sync_channel::<(usize, Result<Inspection, ReadError>)>(threads * 16);
    std::thread::scope(|scope| {
        let mut failure = None;
        for number in 0..threads {
            let (sender, next) = (sender.clone(), &next);
            let work = move || {
                let mut inspector = Inspector::default();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= dataset.len() || sender.send((index, inspector.inspect(dataset, index))).is_err() {
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
        drop(sender);
        if let Some(failure) = failure {
            return Err(failure);
        }
        for (done, (index, inspection)) in receiver.into_iter().enumerate() {
            let inspection = match inspection.map_err(ReadError::tolerating_bad_blocks) {
                Ok(inspection) => Ok(inspection),
                Err(ReadError::Image(error)) => Err(error),
                Err(ReadError::Storage(error)) => return Err(error),
            };
            totals.add(index, inspection);
            progress(done + 1);
        }
        Ok(totals)
    })
}

impl Totals {
    fn add(&mut self, index: usize, inspection: Result<Inspection, DecodeError>) {
        let inspection = match inspection {
            Ok(inspection) => inspection,
            Err(error) => {
                self.bad.insert(index, error);
                return;
            }
        };
        self.good += 1;
        *self.formats.entry(inspection.format).or_default() += 1;
        *self.color_types.entry(inspection.color_type).or_default() += 1;
        *self.bits.entry(inspection.bits).or_default() += 1;
        self.grayscale_images += usize::from(inspection.moments.grayscale);
        self.exif_rotated += usize::from(inspection.exif_rotated);
        self.wrong_extension += usize::from(inspection.wrong_extension);
        self.sums.add(&inspection.moments);
        self.reading += inspection.reading;
        self.decoding += inspection.decoding;
        if let Some(slot) = self.summaries.get_mut(index) {
            *slot = Some(inspection.summary);
        }
    }

    fn finish(
        self,
        dataset: &Dataset,
        options: &ReportOptions,
        duplicates: Duplicates,
        threads: usize,
        seconds: f64,
    ) -> DatasetReport {
        let aspect_ratios: Vec<(u32, u32, u64)> =
            self.summaries.iter().flatten().map(|image| (image.width, image.height, image.encoded)).collect();
        let sizes = Sizes::of(&aspect_ratios, options.view);
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
            fraction: self.bad.len() as f64 / dataset.len().max(1) as f64,
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
        let mut report = DatasetReport {
            kind: dataset.kind(),
            images: dataset.len(),
            readable: self.good,
            bad,
            formats: self.formats,
            color_types: self.color_types,
            bits: self.bits,
            grayscale_images: self.grayscale_images,
            exif_rotated: self.exif_rotated,
            wrong_extension: self.wrong_extension,
            sizes,
            channels: self.sums.finish(),
            duplicates,
            classes,
            speed,
            skipped: dataset.skipped().clone(),
            warnings: dataset.warnings().to_vec(),
            issues: Vec::new(),
            ok: true,
        };
        report.issues = issues::find(&report);
        report.ok = report.issues.iter().all(|issue| issue.severity != Severity::Error);
        report
    }
}
