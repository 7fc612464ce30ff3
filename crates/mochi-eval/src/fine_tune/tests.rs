//! Fine-tuning: four steps compared with PyTorch, and a whole evaluation on files.

#[path = "../../../mochi-nets/tests/it/formula.rs"]
mod formula;

use std::collections::BTreeMap;
use std::path::Path;

use formula::{fnv, formula, splitmix, summary};
use mochi_data::Split;
use mochi_nets::{Arch, EncoderSpec, HeadKind, Stem};
use mochi_tensor::{Compute, Device, Kind, Role, Tensor, no_grad, read_tensors, with_seed};
use mochi_views::Augmentation;

use super::*;
use crate::Progress;

/// u(i) of a name, float32.
fn unit(name: &str, shape: &[i64]) -> Tensor {
    let (hash, count) = (fnv(name), shape.iter().product::<i64>());
    let value = |i: i64| (splitmix(hash.wrapping_add(i as u64)) >> 40) as f64 / f64::from(1 << 24);
    Tensor::from_slice(&(0..count).map(value).collect::<Vec<f64>>()).view(shape)
}

fn encoder(blocks: usize) -> Encoder {
    let spec = EncoderSpec { arch: Arch::Cifar { blocks }, stem: Stem::Cifar, head: HeadKind::Linear, dim: 8 };
    let mut encoder = with_seed(1, || Encoder::new(&spec, Compute::CPU)).unwrap();
    encoder.freeze();
    encoder
}

/// The largest difference over the largest value.
fn off(ours: &Tensor, theirs: &Tensor) -> f64 {
    (ours.to_kind(Kind::Double) - theirs).abs().max().double_value(&[]) / theirs.abs().max().double_value(&[])
}

#[test]
fn four_steps_are_pytorchs() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fine_tune.safetensors");
    let (wanted, _) = read_tensors(&fixture).unwrap();
    let mut encoder = encoder(3);
    let weights: BTreeMap<String, Tensor> = encoder
        .store()
        .iter()
        .filter(|(_, _, role)| *role != Role::Counter)
        .map(|(name, tensor, _)| {
            let value = if name.starts_with("fc.") { tensor.copy() } else { formula(name, &tensor.size()) };
            (name.to_owned(), value.detach().to_kind(Kind::Float))
        })
        .collect();
    encoder.store().load(&weights, "").unwrap();
    let mut network = Network::new(&mut encoder, 5, 0).unwrap();
    let start = (unit("classifier.weight", &[5, 64]) * 0.1 - 0.05).to_kind(Kind::Float);
    no_grad(|| network.classifier()[0].shallow_clone().copy_(&start));
    let mut losses = Vec::new();
    for step in 0..4i64 {
        let image = ((unit(&format!("image.{step}"), &[8, 3, 32, 32]) * 2.0 - 1.0) * 3f64.sqrt()).to_kind(Kind::Float);
        let classes = (Tensor::arange(8, (Kind::Int64, Device::Cpu)) + step).remainder(5);
        losses.push(network.step(&image, &classes, 0.02 - 0.004 * step as f64).unwrap());
    }
    let backbone = network.encoder().store().iter();
    let backbone = backbone.filter(|(name, _, role)| *role != Role::Counter && !name.starts_with("fc."));
    let summaries = Tensor::stack(&backbone.map(|(name, tensor, _)| summary(name, tensor)).collect::<Vec<_>>(), 0);
    let parameters = network.classifier();
    // PyTorch's own float32 is off by 8e-6.
    for (what, error) in [
        ("losses", off(&Tensor::from_slice(&losses), &wanted["losses"])),
        ("backbone", off(&summaries, &wanted["backbone"])),
        ("weight", off(&parameters[0].detach(), &wanted["weight"])),
        ("bias", off(&parameters[1].detach(), &wanted["bias"])),
    ] {
        println!("{what} off by {error:.1e}");
        assert!(error < 1e-4, "{what} off by {error:e}");
    }
}

/// IDX images of 8 x 8: a bright column for class 0, a bright row for class 1, at one of six places.
fn bars(folder: &Path, stem: &str, count: u8) {
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 8, 0, 0, 0, 8];
    let mut labels = vec![0, 0, 8, 1, 0, 0, 0, count];
    for i in 0..count {
        let (class, place) = (i % 2, i / 2 % 6 + 1);
        labels.push(class);
        images.extend((0..64u8).map(|p| if (if class == 0 { p % 8 } else { p / 8 }) == place { 220 } else { i % 20 }));
    }
    std::fs::write(folder.join(format!("{stem}-images-idx3-ubyte")), images).unwrap();
    std::fs::write(folder.join(format!("{stem}-labels-idx1-ubyte")), labels).unwrap();
}

#[test]
fn the_network_is_tuned_on_held_out_images_restored_and_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    bars(folder.path(), "train", 80);
    bars(folder.path(), "t10k", 24);
    let open = |split: Split| Dataset::open(folder.path(), &split.into()).unwrap();
    let (train, test) = (open(Split::Train), open(Split::Test));
    let views = ViewOptions { threads: 1, ..ViewOptions::new(Augmentation::preset("gray").unwrap(), 8) };
    let options = FineTuneOptions {
        epochs: Some(4),
        batch: 8,
        learning_rates: vec![1e-6, 0.05, 1e9],
        ..FineTuneOptions::default()
    };
    let mut encoder = encoder(1);
    let before = encoder.store().export("");
    let mut points = Vec::new();
    let mut of = |known: &[SweepPoint], options: &FineTuneOptions| {
        points.clear();
        let mut keep = |event: Event<'_>| {
            if let Event::Point(point) = event {
                points.push(point.clone());
            }
        };
        let known = Known { sweep: known.to_vec(), training: None };
        let result = fine_tune(&mut encoder, &train, &test, options, &views, &known, &mut keep);
        assert!(encoder.store().identical(&before), "the encoder is as it was");
        assert!(encoder.store().trainable().next().is_none());
        (result, points.clone())
    };
    let (result, found) = of(&[], &options);
    let result = result.unwrap();
    // A tiny rate learns nothing and a huge one diverges.
    assert_eq!((result.learning_rate, found.len(), found[2].validation_top1), (0.05, 3, None));
    assert!(result.top1 > 75.0 && result.top1_interval[0] <= result.top1, "{result:?}");
    assert_eq!((result.train_images, result.test_images, result.epochs, result.batch), (80, 24, 4, 8));
    assert!(!result.learning_rate_at_edge && result.labeled_images.is_empty());

    // Taken up after two of the three rates: the same result, and one more point.
    let (again, rest) = of(&found[..2], &options);
    assert_eq!(rest, found[2..]);
    let again = again.unwrap();
    assert_eq!(again, LinearResult { seconds: again.seconds, ..result.clone() });
    // A known point counts: a better one at another rate is selected.
    let better = SweepPoint { learning_rate: 1e-6, validation_top1: Some(101.0) };
    let (other, _) = of(&[better], &options);
    assert_eq!(other.unwrap().learning_rate, 1e-6);

    let few = FineTuneOptions { label_fraction: 0.1, learning_rates: vec![0.05], ..options.clone() };
    let (few, swept) = of(&[], &few);
    let few = few.unwrap();
    assert_eq!((few.train_images, few.labeled_images.len(), few.label_fraction, swept.len()), (8, 8, Some(0.1), 0));
    assert_eq!((few.sweep.len(), few.validation_top1), (0, None));
    let (none, _) = of(&[], &FineTuneOptions { label_fraction: 0.01, ..options.clone() });
    assert!(matches!(none, Err(EvalError::TooFewLabels { .. })), "{none:?}");
    let (wild, _) = of(&[], &FineTuneOptions { learning_rates: vec![1e9], ..options });
    assert!(matches!(wild, Err(EvalError::Diverged { .. })), "{wild:?}");
}

#[test]
fn a_training_that_was_interrupted_ends_as_if_it_was_not() {
    let folder = tempfile::tempdir().unwrap();
    bars(folder.path(), "train", 84);
    bars(folder.path(), "t10k", 24);
    let open = |split: Split| Dataset::open(folder.path(), &split.into()).unwrap();
    let (train, test) = (open(Split::Train), open(Split::Test));
    let views = ViewOptions { threads: 1, ..ViewOptions::new(Augmentation::preset("gray").unwrap(), 8) };
    // 84 images: an epoch of the sweep has 9 steps of 8 images and an incomplete batch, one of the last training 10 and one.
    let options =
        FineTuneOptions { epochs: Some(2), batch: 8, learning_rates: vec![0.01, 0.05], ..FineTuneOptions::default() };
    let mut encoder = encoder(1);
    // Everything that could be left by an interruption.
    let mut left = Vec::new();
    let mut keep = |event: Event<'_>| {
        if let Event::Step(state) = event {
            left.push(state());
        }
    };
    let whole = fine_tune(&mut encoder, &train, &test, &options, &views, &Known::default(), &mut keep).unwrap();
    // After each batch: its training, and the steps done in it.
    let states: Vec<(bool, f64, usize)> =
        left.iter().map(|state| (state.at.fit, state.at.learning_rate, state.at.steps)).collect();
    assert_eq!(left.len(), 20 + 20 + 22, "{states:?}");
    assert_eq!([states[19], states[39], states[61]], [(false, 0.01, 18), (false, 0.05, 18), (true, 0.05, 20)]);
    let mut again = |known: &Known| {
        let mut steps = 0;
        let mut tell = |event: Event<'_>| {
            if let Event::Progress(Progress { stage: Stage::Sweep | Stage::Fit, .. }) = event {
                steps += 1;
            }
        };
        (fine_tune(&mut encoder, &train, &test, &options, &views, known, &mut tell).unwrap(), steps)
    };
    let all = 18 + 18 + 20;
    for (at, mut training) in left.into_iter().enumerate() {
        // In the middle, after an epoch and at the end of each training; before and after the incomplete batch.
        if ![5, 6, 9, 19, 30, 45, 61].contains(&at) {
            continue;
        }
        let (fit, rate, steps) = states[at];
        let tried = if fit { 2 } else { usize::from(rate == 0.05) };
        let before = steps + 18 * tried;
        let sweep = whole.sweep[..tried].to_vec();
        if at == 5 {
            let tensors = training.tensors.iter().skip(1).map(|(name, tensor)| (name.clone(), tensor.copy())).collect();
            training.tensors = tensors;
            // A state of another network is left alone.
            let (other, done) = again(&Known { sweep, training: Some(training) });
            assert_eq!((LinearResult { seconds: whole.seconds, ..other }, done), (whole.clone(), all));
            continue;
        }
        let (resumed, done) = again(&Known { sweep, training: Some(training) });
        assert_eq!(
            resumed,
            LinearResult { seconds: resumed.seconds, ..whole.clone() },
            "after batch {at}, step {steps}"
        );
        assert_eq!(done, all - before, "after batch {at}, step {steps}");
    }
}

#[test]
fn few_labels_take_more_epochs_and_options_are_checked() {
    let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
    let with = |label_fraction| FineTuneOptions { label_fraction, ..FineTuneOptions::default() };
    assert_eq!([0.01, 0.1, 1.0].map(|fraction| with(fraction).epochs()), [60, 30, 30]);
    assert!(with(0.2).check(&labels).is_ok());
    for wrong in [
        FineTuneOptions { epochs: Some(0), ..with(1.0) },
        FineTuneOptions { batch: 1, ..with(1.0) },
        FineTuneOptions { learning_rates: vec![], ..with(1.0) },
        FineTuneOptions { learning_rates: vec![0.1, 0.01], ..with(1.0) },
        FineTuneOptions { learning_rates: vec![f64::NAN], ..with(1.0) },
        with(0.0),
    ] {
        assert!(matches!(wrong.check(&labels), Err(EvalError::Option { .. })), "{wrong:?}");
    }
}
