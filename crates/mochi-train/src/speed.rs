//! How fast this machine trains: real steps on noise, and real views of the dataset's own images.

use std::time::{Duration, Instant};

use mochi_config::{Device as ConfigDevice, Resolved};
use mochi_contrast::SampleMetadata;
use mochi_data::Dataset;
use mochi_data::bench::{BenchOptions, bench};
use mochi_tensor::{Compute, Device, Engine, Kind, Tensor, set_threads, with_seed};

use crate::{Learner, StepPlan, TrainError, augmentation, compute};

/// Timed steps go on for this long, but there are at least two of them.
const TIMED: Duration = Duration::from_millis(700);
/// Images of which views are made.
const SAMPLE: usize = 16;

/// A batch of noise (B, 3, S, S) for each view.
///
/// # Errors
/// No memory.
pub fn noise_views(settings: &Resolved) -> Result<Vec<Tensor>, TrainError> {
    let (batch, side) = (i64::try_from(settings.moco.batch).unwrap_or(i64::MAX), i64::from(settings.data.size));
    let noise = || Tensor::f_randn([batch, 3, side, side], (Kind::Float, Device::Cpu));
    with_seed(1, || (0..settings.data.views).map(|_| Ok(noise()?)).collect())
}

/// Images per second of training with these settings, after the first epoch: the median of some steps on noise after an untimed one, and the making
/// of the views. On a CPU both share the cores, so their work adds up; a GPU waits only for the slower one. Kept images (`data.cache`) need no decoding.
///
/// # Errors
/// Settings that the networks do not support, no memory.
pub fn measure_speed(settings: &Resolved, dataset: &Dataset, engine: &Engine) -> Result<f64, TrainError> {
    let (data, threads) = (&settings.data, settings.compute.threads.max(1) as f64);
    set_threads(settings.compute.threads);
    let step_s = step_time(settings, compute(settings, engine)?)?;
    let augmentation = augmentation(settings)?;
    let views = bench(
        dataset,
        &BenchOptions {
            views: data.views,
            size: data.size,
            threads: 1,
            reduce_to: data.cache.then(|| augmentation.needed_side(data.size)),
            augmentation,
            limit: SAMPLE,
            repeat: 1,
            fast_decode: data.fast_decode,
        },
    )?;
    let decode_s = if data.cache { 0.0 } else { views.decode_s };
    // A dataset whose first images are all bad has no speed; the run itself will say so.
    let views_s = (decode_s + views.augment_s) / views.images.max(1) as f64;
    let network_s = step_s / settings.moco.batch.max(1) as f64;
    let shared_s = match settings.compute.device {
        ConfigDevice::Cpu => network_s + views_s / threads,
        ConfigDevice::Cuda(_) => network_s,
    };
    Ok(1.0 / shared_s.max(views_s / data.threads.max(1) as f64).max(1e-9))
}

/// Median seconds of a step of these settings.
fn step_time(settings: &Resolved, compute: Compute) -> Result<f64, TrainError> {
    let mut learner = Learner::new(settings, compute, None)?;
    let views = noise_views(settings)?;
    let images: Vec<i64> = (0..).take(settings.moco.batch).collect();
    let (begun, mut times) = (Instant::now(), Vec::new());
    let mut timed = begun;
    for step in 0.. {
        let plan = StepPlan { step, learning_rate: 0.0, warm_up: false, diagnostics: false };
        let metadata = SampleMetadata { images: Some(&images), labels: None };
        let started = Instant::now();
        // The report holds numbers, for which the step has waited.
        learner.step(&views, metadata, &plan)?;
        match step {
            0 => timed = Instant::now(),
            _ => times.push(started.elapsed().as_secs_f64()),
        }
        if times.len() >= 2 && timed.elapsed() >= TIMED {
            break;
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}
