//! A run that was stopped and resumed ends with the same bits as one that was not.
#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

use std::io::Write;
use std::path::Path;

use mochi_config::{Resolved, Settings};
use mochi_data::{Dataset, Split};
use mochi_run::{CurvesLog, MetricsLog, RunFolder, StopFlag};
use mochi_tensor::{Engine, read_tensors};
use mochi_train::{Event, Outcome, Pretraining, TrainError, facts};

/// Grey pictures of stripes in an IDX file, as MNIST has them.
fn pictures(folder: &Path, count: usize) {
    let mut images = vec![0, 0, 8, 3];
    for n in [count, 28, 28] {
        images.extend((n as u32).to_be_bytes());
    }
    let mut labels = vec![0, 0, 8, 1];
    labels.extend((count as u32).to_be_bytes());
    for i in 0..count {
        labels.push((i % 4) as u8);
        for y in 0..28 {
            for x in 0..28 {
                let phase = [x, y, x + y, x * y / 8][i % 4] + i / 4;
                images.push(((phase * 37) % 256) as u8);
            }
        }
    }
    let write = |name: &str, bytes: &[u8]| std::fs::File::create(folder.join(name)).unwrap().write_all(bytes).unwrap();
    write("train-images-idx3-ubyte", &images);
    write("train-labels-idx1-ubyte", &labels);
}

fn settings(data: &Path, engine: &Engine, dataset: &Dataset, more: &[&str]) -> Resolved {
    let words = [
        "epochs=2",
        "data.size=28",
        "data.augment=gray",
        "model.arch=resnet20",
        "moco.batch=16",
        "moco.queue=50",
        "moco.bn_groups=4",
        "negatives.hardest=20",
        "negatives.pairs=30",
        "negatives.query_mixes=10",
        "negatives.warmup_epochs=1",
        "checkpoint.every_steps=100",
        "log.every_steps=1",
        "log.diagnostics_every_steps=3",
        "compute.precision=float32",
    ];
    let words: Vec<String> = words.iter().chain(more).map(|w| (*w).to_owned()).collect();
    let (mut resolved, _) =
        Settings::load(Some("moco-v2"), None, &words).unwrap().resolve(&facts(engine, dataset.len())).unwrap();
    resolved.data.source = data.display().to_string();
    resolved
}

fn start(data: &Path, out: &Path, engine: &Engine, more: &[&str]) -> Pretraining {
    let dataset = Dataset::open(data, &Split::Train.into()).unwrap();
    let settings = settings(data, engine, &dataset, more);
    Pretraining::create(RunFolder::create(out).unwrap(), settings, dataset, engine).unwrap()
}

/// Trains until step `stop_after` (or the end).
fn train(run: Pretraining, stop_after: u64) -> Outcome {
    let stop = StopFlag::default();
    run.train(&stop, &mut |event| {
        if let Event::Step { step, .. } = event
            && step == stop_after
        {
            stop.request();
        }
    })
    .unwrap()
}

fn identical(a: &Path, b: &Path) {
    for file in ["model", "optimizer", "queue"] {
        let read = |folder: &Path| read_tensors(&folder.join(format!("{file}.safetensors"))).unwrap().0;
        let (a, b) = (read(a), read(b));
        assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
        for (name, tensor) in &a {
            assert!(tensor.equal(&b[name]), "{file}: {name} differs");
        }
    }
}

#[test]
fn stopping_anywhere_changes_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (data, engine) = (folder.path().join("data"), mochi_tensor::start(Some(2)).unwrap());
    std::fs::create_dir(&data).unwrap();
    pictures(&data, 100); // 6 steps an epoch, 4 images left over
    let within = |positive| {
        ["moco.encoder=shared", "negatives.from=batch", positive, "negatives.pairs=0", "negatives.query_mixes=0"]
    };
    let ways: &[&[&str]] = &[
        &[],
        &["moco.symmetric=true", "optimizer.name=lars", "negatives.warmup_epochs=0"],
        &within("moco.positive=key"),
        &within("moco.positive=nearest"),
        &["moco.positive=nearest", "negatives.from=both", "negatives.interpolate=1.6", "moco.extrapolate=2"],
        &["mix.images=un-mix", "moco.symmetric=true"],
        &["mix.images=i-mix", "negatives.warmup_epochs=0"],
        &["mix.images=mixco"],
    ];
    for (number, &more) in ways.iter().enumerate() {
        let runs = folder.path().join(format!("runs-{number}"));
        let straight = train(start(&data, &runs.join("straight"), &engine, more), u64::MAX);
        assert!(straight.finished);
        assert_eq!(straight.step, 12);

        // Stopped in the first epoch, exactly between the epochs, and in the second one.
        let path = runs.join("stopped");
        let first = train(start(&data, &path, &engine, more), 4);
        assert!(!first.finished);
        assert_eq!(first.step, 4);
        for (at, finished) in [(6, false), (9, false), (u64::MAX, true)] {
            let outcome = train(Pretraining::resume(&path, &engine, &StopFlag::default()).unwrap(), at);
            assert_eq!(outcome.finished, finished);
            if finished {
                identical(&straight.checkpoint, &outcome.checkpoint);
            }
        }
        let losses = |run: &str| {
            let records = MetricsLog::read(&runs.join(run).join("metrics.jsonl")).unwrap();
            records.iter().map(|r| (r.step, r.loss.unwrap().to_bits())).collect::<Vec<_>>()
        };
        assert_eq!(losses("straight").len(), 12);
        assert_eq!(losses("straight"), losses("stopped"));
        let curves = |run: &str| CurvesLog::read(&runs.join(run).join("curves.jsonl")).unwrap();
        // Only queries of single images against columns are looked at.
        let looked = !more.iter().any(|word| ["moco.encoder=shared", "mix.images=i-mix"].contains(word));
        let steps: &[u64] = if looked { &[3, 6, 9, 12] } else { &[] };
        assert_eq!(curves("straight").iter().map(|curve| curve.step).collect::<Vec<_>>(), steps);
        assert_eq!(curves("straight"), curves("stopped"));
    }
}

#[test]
fn a_look_changes_no_bit_and_is_in_the_records_where_it_was_due() {
    let folder = tempfile::tempdir().unwrap();
    let (data, engine) = (folder.path().join("data"), mochi_tensor::start(Some(2)).unwrap());
    std::fs::create_dir(&data).unwrap();
    pictures(&data, 100);
    let run = |name: &str, every: &str| train(start(&data, &folder.path().join(name), &engine, &[every]), u64::MAX);
    let seen = run("seen", "log.diagnostics_every_steps=5");
    identical(&run("unseen", "log.diagnostics_every_steps=0").checkpoint, &seen.checkpoint);
    assert!(CurvesLog::read(&folder.path().join("unseen/curves.jsonl")).unwrap().is_empty());

    let curves = CurvesLog::read(&folder.path().join("seen/curves.jsonl")).unwrap();
    assert_eq!(
        curves.iter().map(|c| (c.step, c.epoch, c.all.is_some())).collect::<Vec<_>>(),
        [(5, 0, false), (10, 1, true), (12, 1, true)]
    );
    assert_eq!(curves[0].ranks.last(), Some(&50), "the queue's rows");
    let records = MetricsLog::read(&folder.path().join("seen/metrics.jsonl")).unwrap();
    for record in &records {
        // Labels come with the data set; nothing was asked for. Synthesis begins with the second epoch.
        let looked = [5, 10, 12].contains(&record.step);
        assert_eq!(record.false_negatives_in_queue.is_some(), looked, "step {}", record.step);
        assert_eq!(record.false_negatives_pair_either.is_some(), looked && record.step > 6);
        assert!((record.alignment.unwrap() + 2.0 * record.positive_similarity.unwrap() - 2.0).abs() < 1e-12);
        assert!(record.uniformity.unwrap() < 0.0);
        // 16 keys a step into 50 rows: four steps' keys, the oldest in part overwritten.
        assert_eq!(record.queue_age_max_steps, Some(record.step.min(4) as f64));
        assert_eq!(record.queue_age_max_epochs, Some(record.step.min(4) as f64 / 6.0));
    }
    let last = records.last().unwrap();
    assert_eq!(last.queue_age_mean_steps, Some((16.0 * 6.0 + 2.0 * 4.0) / 50.0));
    // Four classes of 25 images each.
    assert!((last.false_negatives_in_queue.unwrap() - 0.25).abs() < 0.1);
}

#[test]
fn another_data_set_or_no_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, engine) = (folder.path().join("data"), mochi_tensor::start(Some(2)).unwrap());
    std::fs::create_dir(&data).unwrap();
    pictures(&data, 40);
    let path = folder.path().join("run");
    let run = start(&data, &path, &engine, &[]);
    drop(run);
    assert!(matches!(Pretraining::resume(&path, &engine, &StopFlag::default()), Err(TrainError::NoCheckpoint(_))));
    // Field case F13: it starts over in its folder.
    RunFolder::create(&path).expect("a run without a checkpoint is started again");

    let other = folder.path().join("other");
    train(start(&data, &other, &engine, &[]), 1);
    pictures(&data, 41);
    let error = Pretraining::resume(&other, &engine, &StopFlag::default()).unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint { .. }), "{error}");
    assert!(Pretraining::resume(&folder.path().join("nowhere"), &engine, &StopFlag::default()).is_err());
}

#[test]
fn zero_epochs_write_the_untrained_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let (data, engine) = (folder.path().join("data"), mochi_tensor::start(Some(2)).unwrap());
    std::fs::create_dir(&data).unwrap();
    pictures(&data, 40);
    let outcome = train(start(&data, &folder.path().join("run"), &engine, &["epochs=0"]), u64::MAX);
    assert!(outcome.finished);
    assert_eq!(outcome.step, 0);
    let loaded = mochi_train::load_encoder(&folder.path().join("run"), &engine).unwrap();
    assert_eq!(loaded.step, 0);
}
