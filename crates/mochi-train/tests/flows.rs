//! The ways of a step against each other: where one way with an option at its neutral value is another way, both must agree.
#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

use mochi_config::{Facts, Settings};
use mochi_contrast::Known;
use mochi_tensor::{Compute, Device, Kind, Tensor, with_seed};
use mochi_train::{Learner, StepReport, TrainError};

const BATCH: i64 = 8;
const QUEUE: usize = 24;

fn learner(more: &[&str]) -> Learner {
    let words = [
        "model.arch=resnet20",
        "data.size=16",
        "moco.batch=8",
        "moco.queue=24",
        "moco.bn_groups=1",
        "negatives.hardest=6",
        "compute.precision=float32",
    ];
    let facts = Facts { images: 100, labels: true, ..Facts::default() };
    let words: Vec<String> = words.iter().chain(more).map(|w| (*w).to_owned()).collect();
    let (settings, _) = Settings::load(Some("moco-v2"), None, &words).unwrap().resolve(&facts).unwrap();
    Learner::new(&settings, Compute::CPU).unwrap()
}

fn views(step: u64) -> [Tensor; 2] {
    let noise = || Tensor::randn([BATCH, 3, 16, 16], (Kind::Float, Device::Cpu));
    with_seed(step, || {
        let first = noise();
        let second = &first + noise() * 0.5;
        [first, second]
    })
}

fn step(learner: &mut Learner, number: u64) -> StepReport {
    let [first, second] = views(number);
    let images: Vec<i64> = (0..BATCH).map(|i| i + BATCH * i64::try_from(number).unwrap()).collect();
    let labels: Vec<i64> = (0..BATCH).map(|i| i % 3).collect();
    let known = Known { images: Some(&images), labels: Some(&labels) };
    learner.step([&first, &second], known, number, 0.05, true).unwrap()
}

/// Losses of three steps.
fn losses(more: &[&str]) -> Vec<f64> {
    let mut learner = learner(more);
    (0..3).map(|number| step(&mut learner, number).loss).collect()
}

fn near(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4)
}

#[test]
fn i_mix_that_mixes_nothing_is_the_plain_loss_against_batch_and_queue() {
    // Beta(1/1000, 1/1000) is 0 or 1, and the larger share the image's own: 1.
    let mixed = losses(&["mix.images=i-mix", "mix.alpha=0.001", "mix.region=0"]);
    let both = losses(&["negatives.from=both"]);
    assert!(near(&mixed, &both), "{mixed:?} {both:?}");
    assert!(!near(&both, &losses(&[])));
    assert!(!near(&both, &losses(&["mix.images=i-mix"])));
}

#[test]
fn mixed_losses_of_no_weight_leave_the_plain_one() {
    let plain = losses(&[]);
    for mix in ["mix.images=un-mix", "mix.images=mixco"] {
        let light = losses(&[mix, "mix.weight=1e-9"]);
        // The mixed images still pass through f_q and move its running statistics, which training does not use.
        assert!(near(&light, &plain), "{mix}: {light:?} {plain:?}");
        assert!(losses(&[mix])[0] > plain[0] + 0.1);
    }
}

#[test]
fn neighbours_are_the_keys_until_the_queue_holds_any() {
    for from in ["queue", "both"] {
        let from = format!("negatives.from={from}");
        let (key, nearest) = (losses(&[&from]), losses(&[&from, "moco.positive=nearest"]));
        assert_eq!(key[0].to_bits(), nearest[0].to_bits());
        assert!((key[1] - nearest[1]).abs() > 1e-4);
    }
}

#[test]
fn feature_transformation_changes_the_loss_by_its_parts() {
    let plain = losses(&[]);
    let harder = losses(&["moco.extrapolate=2"]);
    assert!(harder[0] > plain[0], "a pair pulled apart costs more: {harder:?} {plain:?}");
    assert!((losses(&["negatives.interpolate=1.6"])[0] - plain[0]).abs() > 1e-4);
}

#[test]
fn ceilings_count_the_columns_that_a_query_meets() {
    let ceiling = |more: &[&str]| step(&mut learner(more), 0).loss_ceiling;
    let (batch, queue) = (BATCH as f64, QUEUE as f64);
    let cases: &[(&[&str], f64)] = &[
        (&[], (1.0 + queue).ln()),
        (&["negatives.from=batch"], batch.ln()),
        (&["negatives.from=both", "negatives.pairs=5"], (batch + queue + 5.0).ln()),
        (&["mix.images=un-mix", "moco.symmetric=true"], 2.0 * (1.0 + queue).ln()),
        (&["mix.images=i-mix"], (batch + queue).ln()),
        (&["mix.images=mixco", "mix.weight=0.5"], (1.0 + queue).ln() + 0.5 * (batch + queue).ln()),
        (&["moco.encoder=shared", "negatives.from=batch"], (2.0 * batch - 1.0).ln()),
        (&["moco.encoder=shared", "negatives.from=batch", "moco.positive=nearest"], batch.ln()),
    ];
    for (more, wanted) in cases {
        assert!((ceiling(more) - wanted).abs() < 1e-12, "{more:?}: {} against {wanted}", ceiling(more));
    }
}

#[test]
fn a_shared_encoder_needs_neither_f_k_nor_a_queue_unless_it_looks_for_neighbours() {
    let shared = |positive| learner(&["moco.encoder=shared", "negatives.from=batch", positive]);
    for (positive, filled) in [("moco.positive=key", 0), ("moco.positive=label", 0), ("moco.positive=nearest", 16)] {
        let mut learner = shared(positive);
        let before = [&learner.key, &learner.query].map(|encoder| encoder.store().export(""));
        let (first, _) = (step(&mut learner, 0), step(&mut learner, 1));
        assert!(first.loss.is_finite());
        assert_eq!(learner.queue.filled(), filled, "{positive}");
        assert!(learner.key.store().identical(&before[0]));
        assert!(!learner.query.store().identical(&before[1]));
    }
}

#[test]
fn labels_that_nobody_gave_are_an_error_before_anything_moves() {
    let mut learner = learner(&["moco.encoder=shared", "negatives.from=batch", "moco.positive=label"]);
    let before = learner.query.store().parameters().iter().map(Tensor::copy).collect::<Vec<_>>();
    let [first, second] = views(0);
    let error = learner.step([&first, &second], Known::default(), 0, 0.1, true).unwrap_err();
    assert!(matches!(error, TrainError::NoLabels { .. }), "{error}");
    assert!(learner.query.store().parameters().iter().zip(&before).all(|(now, before)| now.equal(before)));
}
