//! Methods compared with each other: if one with an option at its neutral value is another, both must agree.

use mochi_config::{Facts, Settings};
use mochi_contrast::{ContrastError, SampleMetadata};
use mochi_run::metric::{contrastive::LOSS_CHANCE, general::LOSS};
use mochi_tensor::{Compute, Device, Kind, Tensor, with_seed};
use mochi_train::{Learner, LearnerReport, StepPlan, TrainError};

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
    Learner::new(&settings, Compute::CPU, None).unwrap()
}

fn views(step: u64) -> [Tensor; 2] {
    let noise = || Tensor::randn([BATCH, 3, 16, 16], (Kind::Float, Device::Cpu));
    with_seed(step, || {
        let first = noise();
        let second = &first + noise() * 0.5;
        [first, second]
    })
}

/// A step with synthetic negatives.
fn plan(step: u64) -> StepPlan {
    StepPlan { step, learning_rate: 0.05, warm_up: false, diagnostics: false }
}

fn step(learner: &mut Learner, number: u64) -> LearnerReport {
    let images: Vec<i64> = (0..BATCH).map(|i| i + BATCH * i64::try_from(number).unwrap()).collect();
    let labels: Vec<i64> = (0..BATCH).map(|i| i % 3).collect();
    let metadata = SampleMetadata { images: Some(&images), labels: Some(&labels) };
    learner.step(&views(number), metadata, &plan(number)).unwrap()
}

/// With a shared encoder every view of an image is a positive of its others; a key encoder takes two views.
#[test]
fn more_views_of_an_image_are_all_its_positives() {
    let more = ["moco.encoder=shared", "negatives.from=batch", "data.views=4", "optimizer.name=adamw"];
    let mut learner = learner(&more);
    let [first, second] = views(0);
    let four = [first.shallow_clone(), second.shallow_clone(), first, second];
    let before = learner.query.store().export("");
    let report = learner.step(&four, SampleMetadata::default(), &plan(0)).unwrap();
    let chance = report.metrics.get(&LOSS_CHANCE).unwrap();
    assert!((chance - (4.0 * BATCH as f64 - 1.0).ln()).abs() < 1e-12, "{chance}");
    // log 3 is the least that three equal positives allow.
    assert!((3.0f64.ln()..chance + 1.0).contains(&loss(&report)), "{}", loss(&report));
    assert!(!learner.query.store().identical(&before));
    let error = self::learner(&[]).step(&four, SampleMetadata::default(), &plan(0)).unwrap_err().to_string();
    assert!(error.contains("4 views"), "{error}");
}

fn loss(report: &LearnerReport) -> f64 {
    report.metrics.get(&LOSS).unwrap()
}

/// Losses of three steps.
fn losses(more: &[&str]) -> Vec<f64> {
    let mut learner = learner(more);
    (0..3).map(|number| loss(&step(&mut learner, number))).collect()
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
fn nearest_neighbors_are_the_keys_until_the_queue_has_any() {
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
fn chance_levels_count_the_candidate_keys_of_a_query() {
    let chance = |more: &[&str]| step(&mut learner(more), 0).metrics.get(&LOSS_CHANCE).unwrap();
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
        assert!((chance(more) - wanted).abs() < 1e-12, "{more:?}: {} against {wanted}", chance(more));
    }
}

#[test]
fn h26_a_shared_encoder_has_no_key_encoder_and_fills_the_queue_only_for_neighbors() {
    let shared = |positive| learner(&["moco.encoder=shared", "negatives.from=batch", positive]);
    for (positive, filled) in [("moco.positive=key", 0), ("moco.positive=label", 0), ("moco.positive=nearest", 16)] {
        let mut learner = shared(positive);
        assert!(learner.key.is_none());
        let before = learner.query.store().export("");
        let (first, _) = (step(&mut learner, 0), step(&mut learner, 1));
        assert!(loss(&first).is_finite());
        assert_eq!(learner.queue.filled(), filled, "{positive}");
        assert!(!learner.query.store().identical(&before));
    }
}

#[test]
fn missing_labels_are_an_error_before_anything_changes() {
    let mut learner = learner(&["moco.encoder=shared", "negatives.from=batch", "moco.positive=label"]);
    let before = learner.query.store().parameters().iter().map(Tensor::copy).collect::<Vec<_>>();
    let error = learner.step(&views(0), SampleMetadata::default(), &plan(0)).unwrap_err();
    assert!(matches!(error, TrainError::NoLabels { .. }), "{error}");
    assert!(learner.query.store().parameters().iter().zip(&before).all(|(now, before)| now.equal(before)));
}

#[test]
fn b2_a_symmetric_loss_is_reported_as_the_mean_of_two_whose_sum_is_minimized() {
    // The chance level is that of one direction, and the gradient is twice as long as that of the mean.
    let chance = |more: &[&str]| step(&mut learner(more), 0).metrics.get(&LOSS_CHANCE).unwrap();
    assert_eq!(chance(&["moco.symmetric=true"]).to_bits(), chance(&[]).to_bits());
    let moved = |more: &[&str]| {
        let mut learner = learner(more);
        let before: Vec<Tensor> = learner.query.store().parameters().iter().map(Tensor::copy).collect();
        step(&mut learner, 0);
        let after = learner.query.store().parameters();
        let squares = after.iter().zip(&before).map(|(a, b)| (a - b).square().sum(Kind::Double).double_value(&[]));
        squares.sum::<f64>().sqrt()
    };
    let plain = ["optimizer.momentum=0", "optimizer.weight_decay=0"];
    let (one, both) = (moved(&plain), moved(&[plain[0], plain[1], "moco.symmetric=true"]));
    assert!(both > 1.3 * one, "{both} against {one}");
}

#[test]
fn views_that_are_not_finite_are_an_error_before_the_encoder_changes() {
    let mut learner = learner(&[]);
    let before = learner.query.store().parameters().iter().map(Tensor::copy).collect::<Vec<_>>();
    let [good, _] = views(0);
    let bad = &good * f64::NAN;
    let error = learner.step(&[bad, good], SampleMetadata::default(), &plan(7)).unwrap_err();
    assert!(matches!(error, TrainError::Contrast(ContrastError::NotFinite { what: "query", step: 7 })), "{error}");
    assert!(learner.query.store().parameters().iter().zip(&before).all(|(now, before)| now.equal(before)));
    assert_eq!(learner.queue.filled(), 0);
}
