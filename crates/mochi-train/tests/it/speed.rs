//! The measurement of speed: its ranks agree, and it ends at the step in which it is asked to stop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mochi_config::{Facts, Resolved, Settings};
use mochi_data::{DataError, Dataset, OpenOptions};
use mochi_tensor::Group;
use mochi_term::StopFlag;
use mochi_train::{TrainError, measure_speed};

/// Twelve gray images of 8 px in IDX format.
fn data(folder: &Path) -> Dataset {
    let path = folder.join("train-images-idx3-ubyte");
    if !path.exists() {
        let pixels = (0..12 * 64u32).map(|i| (i * 37 % 251) as u8);
        let head = [0, 0, 8, 3, 0, 0, 0, 12, 0, 0, 0, 8, 0, 0, 0, 8];
        std::fs::write(&path, head.into_iter().chain(pixels).collect::<Vec<u8>>()).unwrap();
    }
    Dataset::open(folder, &OpenOptions::default()).unwrap()
}

fn settings(words: &[&str]) -> Resolved {
    let base =
        ["model.arch=resnet20", "model.dim=16", "data.size=8", "moco.batch=8", "moco.queue=24", "moco.bn_groups=1"];
    let words: Vec<String> = base.iter().chain(words).map(|w| (*w).to_owned()).collect();
    let facts = Facts { images: 12, labels: true, ..Facts::default() };
    Settings::load(Some("moco-v2"), None, &words).unwrap().resolve(&facts).unwrap().0
}

fn measure(folder: &Path, words: &[&str], group: Option<&Arc<Group>>, stop: bool) -> Result<f64, TrainError> {
    let engine = mochi_tensor::start(None).unwrap();
    let flag = StopFlag::default();
    if stop {
        flag.request();
    }
    Ok(measure_speed(&settings(words), &data(folder), &engine, group, &flag)?.images_per_s)
}

fn on_ranks(folder: &Path, words: &[&str], stopped: Option<usize>) -> Vec<Result<f64, TrainError>> {
    data(folder);
    let work = |group: Group| {
        let group = Arc::new(group);
        let measured = measure(folder, words, Some(&group), stopped == Some(group.rank()));
        if let Err(error) = &measured {
            group.report_failure(&error.to_string());
        }
        measured
    };
    Group::of_threads(2, Duration::from_secs(60), work).unwrap()
}

#[test]
fn ranks_measure_the_same_speed_with_every_kind_of_communication() {
    let folder = tempfile::tempdir().unwrap();
    assert!(measure(folder.path(), &[], None, false).unwrap() > 0.0);
    for words in [&[][..], &["moco.bn_groups=2"], &["mix.images=un-mix"]] {
        let speeds: Vec<f64> = on_ranks(folder.path(), words, None).into_iter().map(Result::unwrap).collect();
        assert!(speeds[0] > 0.0 && speeds[0] == speeds[1], "{words:?}: {speeds:?}");
    }
}

#[test]
fn one_stop_ends_the_measurement_of_all_after_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let canceled = |found: &Result<f64, TrainError>| matches!(found, Err(TrainError::Data(DataError::Canceled)));
    assert!(canceled(&measure(folder.path(), &[], None, true)));
    let found = on_ranks(folder.path(), &[], Some(1));
    assert!(found.iter().all(canceled), "{found:?}");
}
