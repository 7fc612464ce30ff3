//! Several ranks compared with one process: the same batch gives the same gradients, weights, keys and running statistics. Ranks are threads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mochi_config::{Facts, Resolved, Settings};
use mochi_contrast::SampleMetadata;
use mochi_run::metric::general::LOSS;
use mochi_tensor::{Compute, Device, Group, Kind, Precision, Tensor, with_seed};
use mochi_train::{Learner, StepPlan, TrainError};

const BATCH: usize = 8;

fn settings(more: &[&str]) -> Resolved {
    let words = [
        "model.arch=resnet20",
        "model.dim=16",
        "data.size=8",
        "moco.batch=8",
        "moco.queue=20",
        "moco.momentum=0.99",
        "moco.bn_groups=1",
        "negatives.hardest=6",
        "negatives.pairs=5",
        "negatives.query_mixes=4",
        "optimizer.momentum=0.9",
        "compute.precision=float32",
    ];
    let facts = Facts { images: 100, labels: true, ..Facts::default() };
    let words: Vec<String> = words.iter().chain(more).map(|w| (*w).to_owned()).collect();
    Settings::load(Some("moco-v2"), None, &words).unwrap().resolve(&facts).unwrap().0
}

/// Two views of the whole batch.
fn views(step: u64) -> [Tensor; 2] {
    let noise = || Tensor::randn([BATCH as i64, 3, 8, 8], (Kind::Float, Device::Cpu));
    with_seed(step + 50, || {
        let first = noise();
        let second = &first + noise() * 0.5;
        [first, second]
    })
}

/// What training leaves: loss of each step, gradients of the first, and the state after the last.
#[derive(Debug)]
struct Trained {
    losses: Vec<f64>,
    gradients: BTreeMap<String, Tensor>,
    weights: BTreeMap<String, Tensor>,
    queue: Tensor,
    images: Vec<i64>,
}

fn train(steps: u64, more: &[&str], group: Option<&Arc<Group>>) -> Result<Trained, TrainError> {
    let (rank, size) = group.map_or((0, 1), |group| (group.rank(), group.size()));
    let rows = BATCH / size;
    let settings = settings(more);
    let bf16 = settings.compute.precision == mochi_config::Precision::Bf16;
    let precision = if bf16 { Precision::Bf16 } else { Precision::Float32 };
    let mut learner = Learner::new(&settings, Compute { precision, ..Compute::CPU }, group)?;
    let (mut losses, mut gradients) = (Vec::new(), BTreeMap::new());
    for step in 0..steps {
        let own = views(step).map(|view| view.narrow(0, (rank * rows) as i64, rows as i64));
        let images: Vec<i64> = (0..rows).map(|i| (i + rank * rows) as i64 + BATCH as i64 * step as i64).collect();
        let labels: Vec<i64> = images.iter().map(|i| i % 3).collect();
        let metadata = SampleMetadata { images: Some(&images), labels: Some(&labels) };
        let plan = StepPlan { step, learning_rate: 0.02, warm_up: step < 1, diagnostics: false };
        losses.push(learner.step(&own, metadata, &plan)?.metrics.get(&LOSS).unwrap());
        if step == 0 {
            // The first momentum buffer is the gradient, with the weight decay.
            gradients = learner.optimizer.export();
        }
    }
    let mut weights = learner.query.store().export("");
    if let Some(key) = &learner.key {
        weights.extend(key.store().export("key."));
    }
    let images = learner.queue.metadata().images.unwrap().to_vec();
    Ok(Trained { losses, gradients, weights, queue: learner.queue.rows().copy(), images })
}

fn train_on(size: usize, steps: u64, more: &[&str]) -> Vec<Result<Trained, TrainError>> {
    let timeout = Duration::from_secs(30);
    let work = |group| {
        let group = Arc::new(group);
        let trained = train(steps, more, Some(&group));
        if let Err(error) = &trained {
            group.report_failure(&error.to_string());
        }
        trained
    };
    Group::of_threads(size, timeout, work).unwrap()
}

/// The largest difference over the largest value, of the worst tensor.
fn off(found: &BTreeMap<String, Tensor>, wanted: &BTreeMap<String, Tensor>) -> (f64, String) {
    assert!(found.keys().eq(wanted.keys()));
    let of = |(name, tensor): (&String, &Tensor)| {
        let scale = wanted[name].abs().max().to_kind(Kind::Double).double_value(&[]).max(1e-30);
        ((tensor - &wanted[name]).abs().max().to_kind(Kind::Double).double_value(&[]) / scale, name.clone())
    };
    found.iter().map(of).fold((0.0, String::new()), |worst, one| if one.0 > worst.0 { one } else { worst })
}

/// Steps of the options: rounding grows from step to step, until it decides which keys are the hardest.
const FEW: u64 = 3;

/// Trains with these settings in one process, on two and on four ranks, and compares.
///
/// In about one of twenty trainings, and more often with the symmetric loss, the input of some ReLU rounds to the other side of zero, which changes a later
/// gradient visibly; which seeds these are depends on the processor. So two of five seeds must agree; a mistake would show in all.
fn compare(steps: u64, more: &[&str]) {
    let (mut agreed, mut differences) = (0, Vec::new());
    for seed in ["seed=3", "seed=4", "seed=2", "seed=5", "seed=6"] {
        match difference(steps, &[more, &[seed]].concat()) {
            None => agreed += 1,
            Some(text) => differences.push(text),
        }
        if agreed == 2 {
            return;
        }
    }
    panic!("{more:?}: {differences:#?}");
}

/// What differs from one process, if anything does.
fn difference(steps: u64, more: &[&str]) -> Option<String> {
    let one = train(steps, more, None).unwrap();
    for size in [2, 4] {
        let all: Vec<Trained> = train_on(size, steps, more).into_iter().map(Result::unwrap).collect();
        for rank in &all {
            // Equal without exception: what ranks have in common, and which images are in the queue.
            assert_eq!(rank.images, one.images, "{more:?}: images of the queue on {size} ranks");
            assert!(rank.queue.equal(&all[0].queue), "{more:?}: queues differ between {size} ranks");
            assert_eq!(off(&rank.weights, &all[0].weights).0, 0.0, "{more:?}: weights differ between {size} ranks");
        }
        let (gradients, weights) = (off(&all[0].gradients, &one.gradients), off(&all[0].weights, &one.weights));
        let keys = (&all[0].queue - &one.queue).abs().max().double_value(&[]);
        let mean = |step: usize| all.iter().map(|rank| rank.losses[step]).sum::<f64>() / size as f64;
        let losses = (0..steps as usize).map(|step| (mean(step) - one.losses[step]).abs()).fold(0.0, f64::max);
        if gradients.0 > 1e-5 || weights.0 > 5e-5 || keys > 5e-5 || losses > 1e-5 {
            return Some(format!(
                "{size} ranks: gradients {gradients:?}, weights {weights:?}, keys {keys}, losses {losses}"
            ));
        }
    }
    None
}

#[test]
fn one_by_eight_is_two_by_four_is_four_by_two() {
    compare(8, &[]);
}

#[test]
fn shuffled_groups_are_those_of_one_process() {
    compare(8, &["moco.bn_groups=4"]);
}

#[test]
fn batch_and_queue_nearest_neighbors_and_symmetric_losses_are_those_of_one_process() {
    compare(FEW, &["negatives.from=both"]);
    compare(FEW, &["moco.symmetric=true"]);
    compare(FEW, &["moco.positive=nearest", "negatives.from=both"]);
    compare(FEW, &["moco.extrapolate=2.0", "negatives.interpolate=1.6"]);
}

#[test]
fn losses_within_the_batch_are_those_of_one_process() {
    let plain = ["moco.encoder=shared", "negatives.from=batch", "negatives.pairs=0", "negatives.query_mixes=0"];
    for more in [&[][..], &["moco.positive=label"], &["moco.positive=nearest"]] {
        compare(FEW, &[&plain, more].concat());
    }
}

/// Every method, with a blend and with a box, on every kind of batch norm and of positives.
#[test]
fn slow_mixed_images_are_those_of_one_process() {
    for more in [
        &["mix.images=un-mix", "mix.region=0"][..],
        &["mix.images=un-mix", "mix.region=1", "moco.bn_groups=4", "moco.symmetric=true"],
        &["mix.images=i-mix", "moco.positive=nearest"],
        &["mix.images=i-mix", "mix.region=1", "negatives.from=both"],
        &["mix.images=mixco"],
    ] {
        compare(FEW, more);
    }
    // At MixCo's own temperature, 0.05, rounding grows four times as fast.
    let more = ["mix.images=mixco", "mix.temperature=0.2", "moco.extrapolate=2.0", "negatives.filters=same-image"];
    compare(2, &more);
}

/// Queries and keys in bfloat16, whose products are rounded by the shape of a batch: near one process, and the same bits on every run and rank.
#[test]
fn ranks_in_bf16_are_reproducible_and_near_one_process() {
    for more in [&["compute.precision=bf16"][..], &["compute.precision=bf16", "moco.bn_groups=4"]] {
        let one = train(FEW, more, None).unwrap();
        let twice = [(); 2].map(|()| train_on(2, FEW, more).into_iter().map(Result::unwrap).collect::<Vec<_>>());
        let first = &twice[0][0];
        for rank in twice.iter().flatten() {
            assert_eq!(off(&rank.weights, &first.weights).0, 0.0, "{more:?}: weights");
            assert!(rank.queue.equal(&first.queue) && rank.images == one.images, "{more:?}: queue");
        }
        for (rank, again) in twice[0].iter().zip(&twice[1]) {
            assert_eq!(rank.losses, again.losses, "{more:?}: losses");
        }
        for (step, loss) in one.losses.iter().enumerate() {
            let mean = twice[0].iter().map(|rank| rank.losses[step]).sum::<f64>() / 2.0;
            assert!((mean - loss).abs() < 0.02 * loss, "{more:?}, step {step}: {mean} and {loss}");
        }
        // What is compared is bf16: float32 learns otherwise.
        let float = train(FEW, &more[1..], None).unwrap();
        assert!(off(&float.weights, &one.weights).0 > 1e-4, "{more:?}");
    }
}

#[test]
fn what_ranks_cannot_share_is_refused() {
    let refused = |size: usize, more: &[&str]| -> Vec<String> {
        let errors = train_on(size, 1, more).into_iter().map(|result| result.unwrap_err().to_string());
        errors.collect()
    };
    assert!(refused(3, &[]).iter().all(|e| e == "moco.batch is 8, which 3 processes cannot share equally"));
    let groups = "moco.bn_groups is 2, which is neither 1 nor a multiple of the 4 processes";
    assert!(refused(4, &["moco.bn_groups=2"]).iter().all(|e| e == groups));
    let pairs = "mix.images=mixco mixes 3 pairs of images, which 2 processes cannot share equally";
    assert!(refused(2, &["mix.images=mixco", "moco.batch=6"]).iter().all(|e| e == pairs));
}
