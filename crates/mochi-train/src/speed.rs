//! How fast this machine trains: real steps on noise, and real views of the dataset's own images. The ranks of a group measure together, with the
//! communication of their steps and at the same time, so that processes of one machine take its cores and its memory from each other as in training.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mochi_config::{Device as ConfigDevice, Resolved, Speed};
use mochi_contrast::SampleMetadata;
use mochi_data::bench::{BenchOptions, bench};
use mochi_data::{DataError, Dataset};
use mochi_tensor::{Compute, Device, Engine, Group, Kind, Tensor, dim, set_threads, with_seed};
use mochi_term::StopFlag;

use crate::wiring::use_own_gpu;
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
    noise(settings, settings.moco.batch)
}

fn noise(settings: &Resolved, batch: usize) -> Result<Vec<Tensor>, TrainError> {
    let (batch, side) = (dim(batch), i64::from(settings.data.size));
    let noise = || Tensor::f_randn([batch, 3, side, side], (Kind::Float, Device::Cpu));
    with_seed(1, || (0..settings.data.views).map(|_| Ok(noise()?)).collect())
}

/// Speed of training with these settings, over all ranks of a `group`: the median of some steps on noise after an untimed one, and the making of the views. On a
/// CPU both share the cores, so their work adds up; a GPU waits only for the slower one. Kept images (`data.cache`) are decoded once. Every rank gets the same
/// numbers, those of the slowest.
///
/// # Errors
/// Settings that the networks do not support, no memory, a rank that is lost; [`DataError::Canceled`] after the step at which any rank was asked to stop.
pub fn measure_speed(
    settings: &Resolved,
    dataset: &Dataset,
    engine: &Engine,
    group: Option<&Arc<Group>>,
    stop: &StopFlag,
) -> Result<Speed, TrainError> {
    let (mut settings, ranks) = (settings.clone(), group.map_or(1, |group| group.size()));
    if let Some(group) = group {
        use_own_gpu(&mut settings.compute, group);
    }
    set_threads(settings.compute.threads);
    let step_s = step_time(&settings, compute(&settings, engine)?, group, stop)?;
    let (data, augmentation) = (&settings.data, augmentation(&settings)?);
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
    // A dataset whose first images are all bad has no speed; the run itself will say so.
    let of_image = |seconds: f64| seconds / views.images.max(1) as f64;
    let network_s = step_s / settings.moco.batch.max(1) as f64;
    let image_s = |decode_s: f64| {
        let views_s = of_image(decode_s + views.augment_s);
        // A rank makes the views of its share of the images.
        let by_threads = |threads: usize| views_s / (threads.max(1) * ranks) as f64;
        let shared_s = match settings.compute.device {
            ConfigDevice::Cpu => network_s + by_threads(settings.compute.threads),
            ConfigDevice::Cuda(_) => network_s,
        };
        shared_s.max(by_threads(data.threads)).max(1e-9)
    };
    let first = image_s(views.decode_s);
    let own = [first, if data.cache { image_s(0.0) } else { first }];
    let [first, later] = group.map_or(Ok(own), |group| group.largest(own, "agreeing on the speed"))?;
    Ok(Speed { size: settings.data.size, images_per_s: 1.0 / later, first_s: first - later })
}

/// Median seconds of a step of these settings, of which each rank has its share of the batch.
fn step_time(
    settings: &Resolved,
    compute: Compute,
    group: Option<&Arc<Group>>,
    stop: &StopFlag,
) -> Result<f64, TrainError> {
    let mut learner = Learner::new(settings, compute, group)?;
    let (rank, ranks) = group.map_or((0, 1), |group| (group.rank(), group.size()));
    let rows = settings.moco.batch / ranks;
    let views = noise(settings, rows)?;
    let images: Vec<i64> = (dim(rank * rows)..).take(rows).collect();
    let (mut times, mut timed) = (Vec::new(), Instant::now());
    for step in 0.. {
        let plan = StepPlan { step, learning_rate: 0.0, warm_up: false, diagnostics: false };
        let metadata = SampleMetadata { images: Some(&images), labels: None };
        let started = Instant::now();
        // The report holds numbers, for which the step has waited.
        learner.step(&views, metadata, &plan)?;
        // As after every step of a run, the ranks agree: whether to stop, and whether rank 0 has measured enough.
        let enough = rank == 0 && !times.is_empty() && timed.elapsed() >= TIMED;
        let own = [stop.requested(), enough].map(|yes| f64::from(u8::from(yes)));
        let [stops, enough] = group.map_or(Ok(own), |group| group.largest(own, "agreeing on a step"))?;
        if stops > 0.0 {
            return Err(DataError::Canceled.into());
        }
        match step {
            0 => timed = Instant::now(),
            _ => times.push(started.elapsed().as_secs_f64()),
        }
        if enough > 0.0 {
            break;
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}
