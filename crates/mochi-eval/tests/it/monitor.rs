//! Evaluation during training, on files.

use std::path::Path;

use mochi_data::{Cancel, DataError, Dataset, Split};
use mochi_eval::analysis::{rank_me::rank_me, spread::spread};
use mochi_eval::{EvalError, Extractor, Monitor, MonitorOptions, ViewOptions, extract};
use mochi_nets::{Arch, Encoder, EncoderSpec, HeadKind, Stem};
use mochi_tensor::{Compute, no_grad, with_seed};
use mochi_views::Augmentation;

/// IDX images of 8 x 8: bright columns for even, bright rows for odd images; labels as `label` has them.
fn dataset(folder: &Path, count: u32, label: impl Fn(u32) -> u8) -> Dataset {
    let mut images = vec![0, 0, 8, 3];
    for n in [count, 8, 8] {
        images.extend(n.to_be_bytes());
    }
    let mut labels = vec![0, 0, 8, 1];
    labels.extend(count.to_be_bytes());
    for i in 0..count {
        let place = i / 2 % 6 + 1;
        let bright = |p: u32| (if i % 2 == 0 { p % 8 } else { p / 8 }) == place;
        images.extend((0..64).map(|p| if bright(p) { 220 + (i % 5) as u8 } else { 20 }));
        labels.push(label(i));
    }
    std::fs::write(folder.join("train-images-idx3-ubyte"), images).unwrap();
    std::fs::write(folder.join("train-labels-idx1-ubyte"), labels).unwrap();
    Dataset::open(folder, &Split::Train.into()).unwrap()
}

fn encoder(seed: u64) -> Encoder {
    let spec = EncoderSpec { arch: Arch::Cifar { blocks: 1 }, stem: Stem::Cifar, head: HeadKind::Linear, dim: 8 };
    with_seed(seed, || Encoder::new(&spec, Compute::CPU)).unwrap()
}

fn options(images: usize) -> MonitorOptions {
    let views = ViewOptions { threads: 1, batch: 7, ..ViewOptions::new(Augmentation::preset("gray").unwrap(), 8) };
    MonitorOptions { images, seed: 3, views }
}

#[test]
fn measures_are_those_of_the_same_images_and_follow_the_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path(), 90, |i| (i % 2) as u8);
    let (first, second) = (encoder(1), encoder(2));
    let mut monitor = Monitor::new(data.clone(), true, options(1000)).unwrap();
    let cancel = Cancel::default();
    let seen = monitor.observe(&first, &cancel).unwrap();
    // Rank and spread of all images do not depend on their order.
    let of = |extractor| extract(&data, extractor, &options(1).views, &mut |_| ()).unwrap().values;
    let near = |found: Option<f64>, wanted: Option<f64>| {
        let (found, wanted) = (found.unwrap(), wanted.unwrap());
        assert!((found - wanted).abs() < 1e-4 * wanted, "{found} {wanted}");
    };
    near(seen.rank_me, rank_me(&of(Extractor::Backbone(&first))).unwrap());
    near(seen.spread, spread(&of(Extractor::Embedding(&first))).unwrap());
    assert!(seen.uniformity.unwrap() < 0.0);
    assert_eq!(seen.stability, None);
    // Columns and rows are told apart; of 90 images 30 are held out.
    assert_eq!((seen.linear, seen.held_out), (Some(1.0), Some(30)));
    let thirtieths = 30.0 * seen.knn.unwrap();
    assert!(thirtieths > 18.0 && (thirtieths - thirtieths.round()).abs() < 1e-9, "{seen:?}");

    let again = monitor.observe(&first, &cancel).unwrap();
    assert_eq!(again.stability, Some(1.0), "the same encoder has the same neighbors");
    assert_eq!(mochi_eval::Observation { stability: None, ..again }, seen);
    let other = monitor.observe(&second, &cancel).unwrap();
    assert!(other.stability.unwrap() < 1.0 && other.rank_me != seen.rank_me);
}

#[test]
fn held_out_images_are_not_those_that_are_known() {
    // Each image has its class from a hash of its number, so that nothing but a copy tells it. Pairs of images are equal in pixels only every 60.
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path(), 60, |i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 % 2);
    let seen = Monitor::new(data, true, options(1000)).unwrap().observe(&encoder(1), &Cancel::default()).unwrap();
    assert!(seen.knn.unwrap() < 0.9 && seen.linear.unwrap() < 0.9, "{seen:?}");
}

#[test]
fn without_labels_there_are_no_accuracies_and_samples_are_limited() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path(), 60, |_| 0);
    let mut monitor = Monitor::new(data.clone(), false, options(20)).unwrap();
    let seen = monitor.observe(&encoder(1), &Cancel::default()).unwrap();
    assert!(seen.knn.is_none() && seen.linear.is_none() && seen.rank_me.is_some());
    assert!(matches!(Monitor::new(data.clone(), true, options(20)), Err(EvalError::TooFewClasses { classes: 1 })));
    assert!(matches!(Monitor::new(data, false, options(1)), Err(EvalError::TooFewImages { .. })));
    let data = dataset(folder.path(), 4, |i| i as u8);
    assert!(matches!(Monitor::new(data, true, options(20)), Err(EvalError::NothingToHoldOut)));
}

#[test]
fn a_stop_and_an_encoder_that_has_diverged_end_an_observation() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(folder.path(), 60, |i| (i % 2) as u8);
    let mut monitor = Monitor::new(data, true, options(60)).unwrap();
    let (cancel, broken) = (Cancel::default(), encoder(1));
    let _ = no_grad(|| broken.store().parameters()[0].fill_(f64::NAN));
    assert!(matches!(monitor.observe(&broken, &cancel), Err(EvalError::EncoderNotFinite { .. })));
    cancel.request();
    assert!(matches!(monitor.observe(&encoder(1), &cancel), Err(EvalError::Data(DataError::Canceled))));
}
