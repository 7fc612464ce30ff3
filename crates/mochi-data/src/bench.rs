//! Benchmark of decoding and augmentation: each image is decoded and its views are written as planar normalized floats.
//!
//! Encoded bytes are read beforehand, so reading from disk is not measured. The best of several rounds counts, as in the reference scripts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mochi_views::Augmentation;
use mochi_views::average::Averager;
use mochi_views::decode::{DecodeOptions, Decoder, Pixels, simd_in_jpeg};
use mochi_views::plan::ViewPlan;
use mochi_views::random::{Purpose, Stream};
use mochi_views::views::{Normalize, ViewMaker};
use serde::Serialize;

use crate::dataset::Dataset;
use crate::error::DataError;
use crate::loader::reduce;

/// Options of the benchmark.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    /// Width and height of a view.
    pub size: u32,
    /// Number of threads; 0 means one per core.
    pub threads: usize,
    /// Number of views per image.
    pub views: usize,
    /// Augmentation pipeline.
    pub augmentation: Augmentation,
    /// Maximum number of images.
    pub limit: usize,
    /// Number of rounds; the best counts.
    pub repeat: usize,
    /// See [`crate::LoaderOptions::fast_decode`].
    pub fast_decode: bool,
    /// Reduce decoded images to this shorter side, as [`crate::CacheOptions`] does. Counts as decoding.
    pub reduce_to: Option<u32>,
}

impl Default for BenchOptions {
    /// Two `moco-v2` views at 224 px of at most 400 images, three rounds, one thread.
    fn default() -> Self {
        let augmentation = Augmentation::preset("moco-v2").unwrap_or_else(|| unreachable!("moco-v2 is in PRESETS"));
        Self {
            size: 224,
            threads: 1,
            views: 2,
            augmentation,
            limit: 400,
            repeat: 3,
            fast_decode: false,
            reduce_to: None,
        }
    }
}

/// Result of the benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct BenchResult {
    /// Images per second of wall time, over all threads.
    pub images_per_s: f64,
    /// Seconds of decoding in the best round, summed over threads.
    pub decode_s: f64,
    /// Seconds of augmenting in the best round, summed over threads.
    pub augment_s: f64,
    /// Number of threads.
    pub threads: usize,
    /// Number of images per round.
    pub images: usize,
    /// Number of images that cannot be decoded; they are not included above.
    pub bad_images: usize,
    /// Number of views per image.
    pub views: usize,
    /// Width and height of a view.
    pub size: u32,
    /// Whether JPEGs were decoded at a smaller scale if possible.
    pub fast_decode: bool,
    /// Whether libjpeg-turbo was built with SIMD.
    pub jpeg_simd: bool,
    /// Peak memory of the process so far, in bytes (Linux only).
    pub peak_bytes: Option<u64>,
}

/// Measures `dataset`. Bad images are skipped.
pub fn bench(dataset: &Dataset, options: &BenchOptions) -> Result<BenchResult, DataError> {
    options.augmentation.check()?;
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let decode = DecodeOptions {
        shrink_to: options.fast_decode.then_some(options.size.saturating_mul(2)),
        ..DecodeOptions::default()
    };
    let (mut images, mut bad_images) = (Vec::new(), 0);
    let (mut decoder, mut pixels) = (Decoder::new(), Pixels::default());
    for index in 0..dataset.len().min(options.limit) {
        let mut bytes = Vec::new();
        let read = dataset.read(index, &mut bytes);
        match read.and_then(|()| Ok(dataset.decode(index, &bytes, &mut decoder, &decode, &mut pixels)?)) {
            Ok(()) => images.push((index, bytes)),
            Err(_) => bad_images += 1,
        }
    }
    let mut best: Option<(Duration, Duration, Duration)> = None;
    for _ in 0..options.repeat.max(1) {
        let next = AtomicUsize::new(0);
        let started = Instant::now();
        let spent: Vec<(Duration, Duration)> = std::thread::scope(|scope| {
            let work = || round(dataset, options, &decode, &images, &next);
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().filter_map(|w| w.join().ok()).collect()
        });
        let wall = started.elapsed();
        if best.is_none_or(|(b, ..)| wall < b) {
            best = Some((wall, spent.iter().map(|s| s.0).sum(), spent.iter().map(|s| s.1).sum()));
        }
    }
    let (wall, decode_time, augment_time) = best.unwrap_or_default();
    Ok(BenchResult {
        images_per_s: images.len() as f64 / wall.as_secs_f64().max(1e-9),
        decode_s: decode_time.as_secs_f64(),
        augment_s: augment_time.as_secs_f64(),
        threads,
        images: images.len(),
        bad_images,
        views: options.views,
        size: options.size,
        fast_decode: options.fast_decode,
        jpeg_simd: simd_in_jpeg(),
        peak_bytes: mochi_system::peak_memory(),
    })
}

/// Work of one thread in a round: takes images from the shared counter until none is left. Returns the time for decoding and augmentation.
fn round(
    dataset: &Dataset,
    options: &BenchOptions,
    decode: &DecodeOptions,
    images: &[(usize, Vec<u8>)],
    next: &AtomicUsize,
) -> (Duration, Duration) {
    let normalize = Normalize::new(options.augmentation.mean, options.augmentation.std);
    let (mut decoder, mut pixels, mut averager) = (Decoder::new(), Pixels::default(), Averager::default());
    let (mut maker, mut plan) = (ViewMaker::new(), ViewPlan::default());
    let mut out = vec![0f32; options.size as usize * options.size as usize * 3 * options.views];
    let (mut decoding, mut augmenting) = (Duration::ZERO, Duration::ZERO);
    while let Some((index, bytes)) = images.get(next.fetch_add(1, Ordering::Relaxed)) {
        let started = Instant::now();
        if dataset.decode(*index, bytes, &mut decoder, decode, &mut pixels).is_err() {
            continue;
        }
        if let Some(short_side) = options.reduce_to {
            reduce(&mut averager, &mut pixels, short_side);
        }
        let decoded = Instant::now();
        for (view, out) in out.chunks_exact_mut(options.size as usize * options.size as usize * 3).enumerate() {
            let mut stream = Stream::new(0, Purpose::View, 0, *index as u32, view as u16);
            plan.draw(&options.augmentation, pixels.width, pixels.height, options.size, &mut stream);
            // Fails only where a plan does not fit its pixels, which `draw` rules out.
            let _ = maker.render(&pixels, &plan, options.size, &normalize, out);
        }
        decoding += decoded - started;
        augmenting += decoded.elapsed();
    }
    (decoding, augmenting)
}
