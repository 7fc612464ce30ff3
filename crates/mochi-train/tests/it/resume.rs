//! A run that was stopped and resumed ends with the same bits as one that was not.

use std::io::Write;
use std::path::Path;

use mochi_config::{Resolved, Settings};
use mochi_data::{Dataset, Split};
use mochi_run::metric::contrastive as keys;
use mochi_run::metric::general::{EVALUATION_TIME_FRACTION, LOSS};
use mochi_run::metric::online;
use mochi_run::{Checkpoints, CurvesLog, MetricsLog, RunFolder};
use mochi_tensor::{Engine, read_tensors, write_tensors};
use mochi_term::StopFlag;
use mochi_train::{Contrastive, ContrastiveData, Event, Outcome, State, TrainError, Trainer, facts};

/// Gray images of stripes in an IDX file, as in MNIST.
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

fn start(data: &Path, out: &Path, engine: &Engine, more: &[&str]) -> Trainer<Contrastive> {
    let dataset = Dataset::open(data, &Split::Train.into()).unwrap();
    let settings = settings(data, engine, &dataset, more);
    Contrastive::start(RunFolder::create(out).unwrap(), settings, dataset, engine, None).unwrap()
}

/// Trains until step `stop_after` (or the end).
fn train(run: Trainer<Contrastive>, stop_after: u64) -> Outcome {
    let stop = StopFlag::default();
    run.train(&stop, &mut |event| {
        if let Event::Step(at) = event
            && at.step == stop_after
        {
            stop.request();
        }
    })
    .unwrap()
}

fn identical(a: &Path, b: &Path) {
    let parts: Vec<String> = State::read(a).unwrap().parts.into_keys().collect();
    assert!(parts.len() >= 2);
    for file in parts {
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
    let several_views = [&within("moco.positive=key")[..], &["data.views=4", "optimizer.name=adamw"]].concat();
    let methods: &[&[&str]] = &[
        &[],
        &several_views,
        &["model.arch=patch-resnet", "model.first_filters=k-means"],
        &["moco.symmetric=true", "optimizer.name=lars", "negatives.warmup_epochs=0"],
        &within("moco.positive=key"),
        &within("moco.positive=nearest"),
        &["moco.positive=nearest", "negatives.from=both", "negatives.interpolate=1.6", "moco.extrapolate=2"],
        &["mix.images=un-mix", "moco.symmetric=true"],
        &["mix.images=i-mix", "negatives.warmup_epochs=0"],
        &["mix.images=mixco"],
    ];
    for (number, &more) in methods.iter().enumerate() {
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
            let outcome = train(Contrastive::resume(&path, &engine, &StopFlag::default(), None).unwrap(), at);
            assert_eq!(outcome.finished, finished);
            if finished {
                identical(&straight.checkpoint, &outcome.checkpoint);
            }
        }
        let losses = |run: &str| {
            let records = MetricsLog::read(&runs.join(run).join("metrics.jsonl")).unwrap();
            records.iter().map(|r| (r.step, r.values.get(&LOSS).unwrap().to_bits())).collect::<Vec<_>>()
        };
        assert_eq!(losses("straight").len(), 12);
        assert_eq!(losses("straight"), losses("stopped"));
        let curves = |run: &str| CurvesLog::read(&runs.join(run).join("curves.jsonl")).unwrap();
        // Diagnostics are of queries of unmixed images against candidate keys.
        let diagnosed = !more.iter().any(|word| ["moco.encoder=shared", "mix.images=i-mix"].contains(word));
        let steps: &[u64] = if diagnosed { &[3, 6, 9, 12] } else { &[] };
        assert_eq!(curves("straight").iter().map(|curve| curve.step).collect::<Vec<_>>(), steps);
        assert_eq!(curves("straight"), curves("stopped"));
    }
}

#[test]
fn diagnostics_change_no_bit_and_are_in_the_records_where_they_were_due() {
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
        // Labels come with the dataset; nothing was asked for. Synthesis begins with the second epoch.
        let diagnosed = [5, 10, 12].contains(&record.step);
        let value = |metric| record.values.get(metric);
        assert_eq!(value(&keys::FALSE_NEGATIVES_IN_QUEUE).is_some(), diagnosed, "step {}", record.step);
        assert_eq!(value(&keys::FALSE_NEGATIVES_PAIR_EITHER).is_some(), diagnosed && record.step > 6);
        assert_eq!(
            value(&keys::ACCURACY_WITH_SYNTHETIC).is_some(),
            record.step > 6,
            "absent without synthetic negatives"
        );
        let (alignment, similarity) = (value(&keys::ALIGNMENT).unwrap(), value(&keys::POSITIVE_SIMILARITY).unwrap());
        assert!((alignment + 2.0 * similarity - 2.0).abs() < 1e-12);
        assert!(value(&keys::UNIFORMITY).unwrap() < 0.0);
        // 16 keys per step into 50 rows: four steps' keys, the oldest in part overwritten.
        assert_eq!(value(&keys::QUEUE_AGE_MAX_STEPS), Some(record.step.min(4) as f64));
        assert_eq!(value(&keys::QUEUE_AGE_MAX_EPOCHS), Some(record.step.min(4) as f64 / 6.0));
    }
    let last = &records.last().unwrap().values;
    assert_eq!(last.get(&keys::QUEUE_AGE_MEAN_STEPS), Some((16.0 * 6.0 + 2.0 * 4.0) / 50.0));
    // Four classes of 25 images each.
    assert!((last.get(&keys::FALSE_NEGATIVES_IN_QUEUE).unwrap() - 0.25).abs() < 0.1);
}

/// Evaluations during training take their own images, threads and random draws: weights, queue and optimizer are those of a run without them, whole and resumed.
#[test]
fn evaluations_during_training_change_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (data, engine) = (folder.path().join("data"), mochi_tensor::start(Some(2)).unwrap());
    std::fs::create_dir(&data).unwrap();
    pictures(&data, 100);
    let path = |name: &str| folder.path().join(name);
    let plain = train(start(&data, &path("plain"), &engine, &["evaluation.every_steps=0"]), u64::MAX);
    let source = format!("evaluation.source={}", data.display());
    let watched = ["evaluation.every_steps=3", "evaluation.images=60", "evaluation.time_fraction=1.0"];
    let with_labels = [&watched[..], &[&source]].concat();
    let started = |name: &str, more: &[&str]| {
        let training = Dataset::open(&data, &Split::Train.into()).unwrap();
        let settings = settings(&data, &engine, &training, more);
        let evaluation = (!settings.evaluation.source.is_empty()).then(|| training.clone());
        let data = ContrastiveData { training, evaluation };
        Contrastive::start(RunFolder::create(&path(name)).unwrap(), settings, data, &engine, None).unwrap()
    };
    for (name, more, labeled) in [("labeled", &with_labels[..], true), ("label-free", &watched[..], false)] {
        let outcome = train(started(name, more), u64::MAX);
        identical(&plain.checkpoint, &outcome.checkpoint);
        let records = MetricsLog::read(&path(name).join("metrics.jsonl")).unwrap();
        let value = |step: usize, metric| records[step - 1].values.get(metric);
        for (step, record) in (1..).zip(&records) {
            let evaluated = record.values.get(&online::ONLINE_RANK_ME).is_some();
            // Others are left out where they would take too long.
            assert!(evaluated || ![1, 12].contains(&step), "{name}: step {step}");
            assert!(!evaluated || step == 1 || step % 3 == 0, "{name}: step {step}");
            assert_eq!(record.values.get(&online::ONLINE_KNN).is_some(), evaluated && labeled);
            assert_eq!(record.values.get(&EVALUATION_TIME_FRACTION).is_some(), evaluated);
        }
        assert_eq!(value(1, &online::ONLINE_STABILITY), None);
        let last = [&online::ONLINE_RANK_ME, &online::ONLINE_SPREAD, &online::ONLINE_STABILITY].map(|m| value(12, m));
        assert!(last.iter().all(|value| value.is_some_and(|value| value > 0.0)), "{last:?}");
        assert!(value(12, &online::ONLINE_UNIFORMITY).unwrap() < 0.0);
        if labeled {
            // Four kinds of stripes; chance is a quarter.
            assert!(value(12, &online::ONLINE_LINEAR).unwrap() > 0.5, "{:?}", value(12, &online::ONLINE_LINEAR));
        }
    }
    // Stopped, resumed with its evaluations, and resumed without.
    train(started("stopped", &with_labels), 5);
    train(Contrastive::resume(&path("stopped"), &engine, &StopFlag::default(), None).unwrap(), 8);
    let config = path("stopped").join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let outcome = train(Contrastive::resume(&path("stopped"), &engine, &StopFlag::default(), None).unwrap(), u64::MAX);
    identical(&plain.checkpoint, &outcome.checkpoint);
    assert!(text.contains("\n[evaluation]\n"));
    // What cannot be evaluated on is refused before the first step.
    std::fs::write(
        &config,
        text.replace("images = 60", "images = 16").replace(&data.display().to_string(), "/nowhere"),
    )
    .unwrap();
    assert!(Contrastive::resume(&path("stopped"), &engine, &StopFlag::default(), None).is_err());
}

#[test]
fn a_run_without_a_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, engine) = (folder.path().join("data"), mochi_tensor::start(Some(2)).unwrap());
    std::fs::create_dir(&data).unwrap();
    pictures(&data, 40);
    let path = folder.path().join("run");
    let run = start(&data, &path, &engine, &[]);
    drop(run);
    assert!(matches!(
        Contrastive::resume(&path, &engine, &StopFlag::default(), None),
        Err(TrainError::NoCheckpoint(_))
    ));
    // Field case F13: it starts over in its folder.
    RunFolder::create(&path).expect("a run without a checkpoint is started again");

    let other = folder.path().join("other");
    train(start(&data, &other, &engine, &[]), 1);
    assert!(Contrastive::resume(&folder.path().join("nowhere"), &engine, &StopFlag::default(), None).is_err());
}

/// A run of 40 images that was stopped after one step, its data and its newest checkpoint.
fn stopped(folder: &Path, engine: &Engine) -> (std::path::PathBuf, std::path::PathBuf, std::path::PathBuf) {
    let (data, path) = (folder.join("data"), folder.join("run"));
    std::fs::create_dir(&data).unwrap();
    pictures(&data, 40);
    let checkpoint = train(start(&data, &path, engine, &[]), 1).checkpoint;
    (data, path, checkpoint)
}

/// Writes a run's checkpoint again with its files changed, and with checksums of the changed files.
fn rewrite(run: &Path, checkpoint: &Path, change: impl Fn(&Path)) {
    let pending = Checkpoints::new(run.join("checkpoints")).begin(1).unwrap();
    for entry in std::fs::read_dir(checkpoint).unwrap().map(Result::unwrap) {
        if entry.file_name() != "manifest.json" {
            std::fs::copy(entry.path(), pending.path().join(entry.file_name())).unwrap();
        }
    }
    change(pending.path());
    pending.commit().unwrap();
}

#[test]
fn f93_a_changed_dataset_is_refused_with_both_counts() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), mochi_tensor::start(Some(2)).unwrap());
    let (data, path, _) = stopped(folder.path(), &engine);
    pictures(&data, 41);
    let error = Contrastive::resume(&path, &engine, &StopFlag::default(), None).unwrap_err();
    let text = format!("{} has 41 images now; the run was trained on 40", data.display());
    assert_eq!(error.to_string(), text);
    assert!(error.hint().unwrap().contains("restore the dataset"));
}

#[test]
fn f10_a_changed_batch_is_refused_with_both_values_and_a_changed_rate_is_noted() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), mochi_tensor::start(Some(2)).unwrap());
    let (_, path, _) = stopped(folder.path(), &engine);
    let config = path.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let line = |key: &str| text.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
    std::fs::write(&config, text.replace(line("batch"), "batch = 8")).unwrap();
    let error = Contrastive::resume(&path, &engine, &StopFlag::default(), None).unwrap_err();
    let told = format!("moco.batch is 8 in {}, but 1 step was trained with 16", config.display());
    assert_eq!(error.to_string(), told);
    assert!(error.hint().unwrap().starts_with("set moco.batch = 16 in "), "{:?}", error.hint());

    std::fs::write(&config, text.replace(line("learning_rate"), "learning_rate = 0.001")).unwrap();
    let (mut notes, stop) = (Vec::new(), StopFlag::default());
    stop.request();
    let run = Contrastive::resume(&path, &engine, &StopFlag::default(), None).unwrap();
    run.train(&stop, &mut |event| {
        if let Event::Note(note) = event {
            notes.push(note);
        }
    })
    .unwrap();
    let note = notes.iter().find(|note| note.starts_with("optimizer.learning_rate is 0.001; 1 step was"));
    assert!(note.is_some(), "{notes:?}");
}

#[test]
fn s15_a_state_that_cannot_be_is_refused() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), mochi_tensor::start(Some(2)).unwrap());
    let (_, path, checkpoint) = stopped(folder.path(), &engine);
    let file = checkpoint.join("state.json");
    let state: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(state["parts"]["queue"], serde_json::json!({ "position": 16, "filled": 16 }));
    let cases: &[(&str, serde_json::Value)] = &[
        ("/step", u64::MAX.into()),
        ("/step", 2.into()),
        ("/elapsed_s", 1e308.into()),
        ("/elapsed_s", (-1.0).into()),
        ("/format", 1.into()),
        ("/task", "detection".into()),
        ("/world_size", 0.into()),
        ("/parts/queue/filled", 51.into()),
        ("/parts/queue/filled", 15.into()),
        ("/parts/queue/position", 50.into()),
        ("/parts/queue", serde_json::Value::Null),
    ];
    for (place, value) in cases {
        let mut changed = state.clone();
        *changed.pointer_mut(place).unwrap() = value.clone();
        rewrite(&path, &checkpoint, |folder| std::fs::write(folder.join("state.json"), changed.to_string()).unwrap());
        let error = Contrastive::resume(&path, &engine, &StopFlag::default(), None).expect_err(place);
        assert!(matches!(error, TrainError::Checkpoint { .. }), "{place} {value}: {error}");
    }
    rewrite(&path, &checkpoint, |folder| std::fs::write(folder.join("state.json"), state.to_string()).unwrap());
    Contrastive::resume(&path, &engine, &StopFlag::default(), None).unwrap();
}

#[test]
fn s16_weights_that_are_not_finite_are_refused_in_every_part() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), mochi_tensor::start(Some(2)).unwrap());
    let (_, path, checkpoint) = stopped(folder.path(), &engine);
    for part in ["model", "optimizer", "queue"] {
        let file = checkpoint.join(format!("{part}.safetensors"));
        let (mut tensors, metadata) = read_tensors(&file).unwrap();
        let name = tensors.keys().find(|name| !["images", "labels"].contains(&name.as_str())).unwrap().clone();
        let spoiled = &tensors[&name] * f64::NAN;
        tensors.insert(name.clone(), spoiled);
        let spoil = |folder: &Path| {
            write_tensors(&folder.join(format!("{part}.safetensors")), &tensors, &metadata).unwrap();
        };
        let whole = std::fs::read(&file).unwrap();
        rewrite(&path, &checkpoint, spoil);
        let error = Contrastive::resume(&path, &engine, &StopFlag::default(), None).unwrap_err().to_string();
        assert!(error.contains(&format!("its tensor \"{name}\" holds values that are not finite")), "{error}");
        let mend = |folder: &Path| std::fs::write(folder.join(format!("{part}.safetensors")), &whole).unwrap();
        rewrite(&path, &checkpoint, mend);
    }
    Contrastive::resume(&path, &engine, &StopFlag::default(), None).unwrap();
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
    let loaded = mochi_train::load_encoder(&folder.path().join("run"), &engine, None).unwrap();
    assert_eq!(loaded.step, 0);
}
