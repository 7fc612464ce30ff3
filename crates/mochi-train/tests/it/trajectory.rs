//! Eight training steps compared with PyTorch's: encoders, momentum update, queue, MoCHi's synthetic negatives, loss, backward and SGD together, on the same weights,
//! views and draws. `fixtures/make_steps.py` computed them in float64 with every synthetic negative made explicitly.

#[path = "../../../mochi-nets/tests/it/formula.rs"]
mod formula;

use std::collections::BTreeMap;
use std::path::Path;

use formula::{fnv, formula, splitmix, summary};
use mochi_config::{Facts, Settings};
use mochi_contrast::{Queue, SampleMetadata};
use mochi_run::metric::general::LOSS;
use mochi_tensor::{Compute, Kind, ParameterStore, Role, Tensor, read_tensors};
use mochi_train::{Learner, StepPlan};

const SIZE: [i64; 4] = [8, 3, 32, 32];

/// 2 u - 1, float64.
fn symmetric(name: &str, shape: &[i64]) -> Tensor {
    let (hash, count) = (fnv(name), shape.iter().product::<i64>());
    let unit = |i: i64| (splitmix(hash.wrapping_add(i as u64)) >> 40) as f64 / f64::from(1 << 24);
    let values: Vec<f64> = (0..count).map(|i| 2.0 * unit(i) - 1.0).collect();
    Tensor::from_slice(&values).view(shape)
}

fn views(step: u64) -> [Tensor; 2] {
    let image = |name: String| (symmetric(&name, &SIZE) * 3.0f64.sqrt()).to_kind(Kind::Float).to_kind(Kind::Double);
    let first = image(format!("view.{step}"));
    let second = &first * 0.8 + image(format!("other.{step}")) * 0.6;
    [first, second].map(|view| view.to_kind(Kind::Float))
}

fn learner() -> Learner {
    let words = [
        "model.arch=resnet20",
        "model.dim=16",
        "data.size=32",
        "seed=3",
        "moco.batch=8",
        "moco.queue=20",
        "moco.momentum=0.99",
        "moco.bn_groups=1",
        "moco.temperature=0.2",
        "negatives.hardest=6",
        "negatives.pairs=5",
        "negatives.query_mixes=4",
        "optimizer.momentum=0.9",
        "optimizer.weight_decay=1e-4",
        "compute.precision=float32",
    ];
    let facts = Facts { images: 100, ..Facts::default() };
    let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    let (settings, _) = Settings::load(Some("moco-v2"), None, &words).unwrap().resolve(&facts).unwrap();
    let mut learner = Learner::new(&settings, Compute::CPU, None).unwrap();
    let weights: BTreeMap<String, Tensor> = learner
        .query
        .store()
        .iter()
        .filter(|(_, _, role)| *role != Role::Counter)
        .map(|(name, tensor, _)| {
            let shape = tensor.size();
            let value = match name.strip_prefix("fc") {
                Some(rest) if rest.ends_with("weight") => symmetric(name, &shape) * (3.0 / shape[1] as f64).sqrt(),
                Some(_) => symmetric(name, &shape) * 0.1,
                None => formula(name, &shape),
            };
            (name.to_owned(), value.to_kind(Kind::Float))
        })
        .collect();
    learner.query.store().load(&weights, "").unwrap();
    learner.key.as_ref().unwrap().store().load(&weights, "").unwrap();
    let rows = symmetric("queue", &[20, 16]);
    let rows = (&rows / rows.norm_scalaropt_dim(2, [1i64].as_slice(), true)).to_kind(Kind::Float);
    learner.queue = Queue::restore(rows, SampleMetadata::default(), 0, 20).unwrap();
    learner
}

/// The largest difference over the largest value.
fn off(ours: &Tensor, theirs: &Tensor) -> f64 {
    (ours.to_kind(Kind::Double) - theirs).abs().max().double_value(&[]) / theirs.abs().max().double_value(&[])
}

fn summaries(store: &ParameterStore) -> Tensor {
    Tensor::stack(
        &store
            .iter()
            .filter(|(_, _, role)| *role != Role::Counter)
            .map(|(name, tensor, _)| summary(name, tensor))
            .collect::<Vec<_>>(),
        0,
    )
}

#[test]
fn eight_steps_are_pytorchs() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/steps.safetensors");
    let (wanted, _) = read_tensors(&fixture).unwrap();
    let mut learner = learner();
    let mut losses = Vec::new();
    for step in 0..8u64 {
        let rate = 0.05 - 0.005 * step as f64;
        let plan = StepPlan { step, learning_rate: rate, warm_up: step < 2, diagnostics: false };
        let report = learner.step(&views(step), SampleMetadata::default(), &plan).unwrap();
        losses.push(report.metrics.get(&LOSS).unwrap());
        if step == 1 {
            let error = off(&summaries(learner.query.store()), &wanted["query_after_2"]);
            assert!(error < 1e-5, "after two steps f_q is off by {error:e}");
        }
    }
    let errors = [
        ("losses", off(&Tensor::from_slice(&losses), &wanted["losses"])),
        ("query", off(&summaries(learner.query.store()), &wanted["query"])),
        ("key", off(&summaries(learner.key.as_ref().unwrap().store()), &wanted["key"])),
        ("queue", off(learner.queue.rows(), &wanted["queue"])),
    ];
    // The project's bound for networks in float32. PyTorch's own float32 in this memory layout is off by 3.1e-5: from the third step on an
    // activation has crossed a ReLU's corner.
    for (what, error) in errors {
        println!("{what} off by {error:.1e}");
        assert!(error < 1e-4, "{what} off by {error:e}");
    }
    // Nothing of this is small: a step without synthesis, or with the keys in the queue too soon, is far away.
    assert!(losses[2] - losses[1] > 1.0);
}
