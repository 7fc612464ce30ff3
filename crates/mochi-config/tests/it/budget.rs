//! Time budgets: which of `time` and `epochs` counts, and what follows from a time and the speed of a machine.

use std::path::Path;
use std::time::Duration;

use mochi_config::{Arch, Facts, FirstFilters, Resolved, Settings, Speed, Stem, TimeBudget};

use crate::{LAPTOP, load, with_gpu};

const MINUTES_20: TimeBudget = TimeBudget::Limit(Duration::from_secs(1200));

/// The laptop with a speed that falls with the area of a view: this many images per second at 32 pixels.
fn laptop(at_32: f64) -> Facts {
    let speed = Speed { size: 32, images_per_s: at_32 };
    Facts { short_side: Some(96), speeds: [32, 48, 64, 96].map(|size| speed.scaled(size)).into(), ..LAPTOP }
}

fn resolve(preset: &str, words: &[&str], facts: &Facts) -> Resolved {
    load(preset, words).resolve(facts).unwrap().0
}

#[test]
fn epochs_follow_from_time_and_speed() {
    let run = resolve("small", &["time=20m", "data.size=32"], &laptop(500.0));
    assert_eq!((run.time, run.epochs), (MINUTES_20, 150.0), "1200 s of 500 images, 4000 images");
    assert_eq!(resolve("small", &["time=10s", "data.size=32"], &laptop(500.0)).epochs, 1.25);
    // Neither is given: an hour. Without a measured speed, as many epochs as the number of images suggests.
    let hour = resolve("small", &["data.size=32"], &laptop(500.0));
    assert_eq!((hour.time.to_string().as_str(), hour.epochs), ("1h", 450.0));
    let unmeasured = resolve("small", &[], &LAPTOP);
    assert_eq!((unmeasured.time, unmeasured.epochs), (TimeBudget::None, 50.0));
}

#[test]
fn the_later_layer_decides_between_time_and_epochs() {
    let facts = laptop(500.0);
    let of = |preset, words: &[&str]| {
        let run = resolve(preset, words, &facts);
        (run.time, run.epochs)
    };
    assert_eq!(of("small", &["epochs=5"]), (TimeBudget::None, 5.0));
    assert_eq!(of("small", &["epochs=5", "time=none"]), (TimeBudget::None, 5.0));
    assert_eq!(of("moco-v2", &[]), (TimeBudget::None, 200.0));
    assert_eq!(of("moco-v2", &["time=20m", "data.size=32", "moco.queue=512"]), (MINUTES_20, 150.0));
    assert_eq!(of("small", &["time=none"]), (TimeBudget::None, 50.0));

    let error = load("small", &["epochs=5", "time=20m"]).resolve(&facts).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`time` and `epochs` are both given, and each decides how long the run trains (`epochs` is 5)"
    );
    assert_eq!(error.hint().as_deref(), Some("leave one of them out"));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, "epochs = 5\n").unwrap();
    let over = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let (run, _) = Settings::load(None, Some(&file), &words).unwrap().resolve(&facts).unwrap();
        (run.time, run.epochs)
    };
    assert_eq!(over(&["time=20m", "data.size=32"]), (MINUTES_20, 150.0), "the command line is later than the file");
    std::fs::write(&file, "time = \"20m\"\n").unwrap();
    assert_eq!(over(&["epochs=7"]), (TimeBudget::None, 7.0));
}

#[test]
fn a_runs_config_repeats_its_time_and_its_epochs() {
    let run = resolve("small", &["time=20m", "data.size=32"], &laptop(500.0));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, run.to_toml()).unwrap();
    let settings = Settings::load(None, Some(&file), &[]).unwrap();
    assert!(settings.sizes_to_measure(Some(96)).is_empty(), "nothing is left to compute");
    let (again, _) = settings.resolve(&LAPTOP).unwrap();
    assert_eq!((again.time, again.epochs, again.data.size), (run.time, run.epochs, run.data.size));
    assert_eq!(Resolved::parse(&run.to_toml(), Path::new("config.toml")).unwrap().to_toml(), run.to_toml());
    // Another time on top: the epochs follow it.
    let longer = Settings::load(None, Some(&file), &["time=40m".to_owned()]).unwrap();
    assert_eq!(longer.sizes_to_measure(Some(96)), [32]);
    assert_eq!(longer.resolve(&laptop(500.0)).unwrap().0.epochs, 300.0);
}

#[test]
fn a_short_time_on_few_cores_takes_the_shallow_backbone() {
    let of = |words: &[&str], facts: &Facts| {
        let model = resolve("small", words, facts).model;
        (model.arch, model.first_filters)
    };
    let stem = |words: &[&str], facts: &Facts| resolve("small", words, facts).model.stem;
    let (shallow, deep) = ((Arch::PatchResnet, FirstFilters::Kmeans), (Arch::Resnet18, FirstFilters::Random));
    let two = Facts { cores: 2, ..laptop(500.0) };
    assert_eq!(of(&["time=20m"], &two), shallow);
    // Neither time nor epochs: an hour, known before a speed is measured.
    assert_eq!(of(&[], &two), shallow);
    assert_eq!(of(&[], &Facts { speeds: vec![], ..two.clone() }), shallow);
    assert_eq!(of(&["time=61m"], &two), deep);
    assert_eq!(of(&["time=20m"], &Facts { cores: 8, ..two.clone() }), deep);
    assert_eq!(of(&["time=20m", "compute.threads=2"], &Facts { cores: 8, ..two.clone() }), shallow);
    // 4000 images of 8 views.
    assert_eq!(of(&["epochs=0"], &two), shallow);
    assert_eq!(of(&["epochs=15"], &two), shallow);
    assert_eq!(of(&["epochs=16"], &two), deep);
    assert_eq!(of(&["time=none"], &two), deep);
    assert_eq!(of(&["time=20m"], &Facts { cores: 2, ..with_gpu(4000, 80 << 30) }), deep);
    assert_eq!(of(&["time=20m", "model.arch=resnet50"], &two).0, Arch::Resnet50);
    assert_eq!(of(&["time=20m", "model.first_filters=random"], &two), (Arch::PatchResnet, FirstFilters::Random));
    // Small views have few patches, which are not pooled.
    assert_eq!(
        [24, 28, 29, 64].map(|size| stem(&["time=20m", &format!("data.size={size}")], &two)),
        [Stem::Cifar, Stem::Cifar, Stem::Standard, Stem::Standard]
    );
    assert_eq!(stem(&["time=20m", "data.size=28", "model.arch=resnet18"], &two), Stem::Standard);
    assert_eq!(resolve("moco-v2", &["model.arch=patch-resnet"], &two).model.first_filters, FirstFilters::Random);
}

#[test]
fn larger_views_come_with_more_time() {
    // `small` has 8 views of each image: 2 views at this speed.
    let size = |words: &[&str], at_32: f64| resolve("small", words, &laptop(at_32 / 4.0)).data.size;
    let sizes = ["time=5m", "time=20m", "time=1h", "time=10h"].map(|time| size(&[time], 500.0));
    assert_eq!(sizes, [48, 64, 96, 96]);
    assert_eq!(size(&["time=20s"], 500.0), 32);
    assert_eq!(size(&["time=20m"], 1e5), 96, "never larger than the images");
    assert_eq!(size(&["time=5m", "data.size=64"], 500.0), 64);

    let settings = load("small", &["time=20m"]);
    assert_eq!(settings.sizes_to_measure(Some(100)), [32, 48, 64, 96]);
    assert_eq!(settings.sizes_to_measure(Some(28)), [28], "images below the smallest size keep theirs");
    assert_eq!(settings.sizes_to_measure(None).last(), Some(&224));
    assert_eq!(load("small", &["epochs=3"]).sizes_to_measure(Some(100)), [0; 0]);
    assert!(settings.worth_measuring(32, &[]));
    assert!(!settings.worth_measuring(96, &laptop(125.0).speeds[..1]));
    // Nothing measured: the images' own size up to 128 pixels.
    let unmeasured = |short_side| settings.view_size(short_side);
    assert_eq!([Some(28), Some(96), Some(3000), None].map(unmeasured), [28, 96, 128, 128]);
}

#[test]
fn runs_of_minutes_or_with_labeled_images_are_evaluated() {
    let every = |preset, words: &[&str]| resolve(preset, words, &laptop(500.0)).evaluation.every_steps;
    // 4000 images in batches of 64.
    assert_eq!(every("small", &["time=10m"]), 62);
    assert_eq!(every("small", &["time=9m"]), 0);
    assert_eq!(every("small", &["epochs=100"]), 0);
    assert_eq!(every("small", &["epochs=100", "evaluation.source=labeled"]), 62);
    assert_eq!(every("small", &["time=1h", "evaluation.every_steps=0"]), 0);
    assert_eq!(every("moco-v2", &[]), 0, "published settings have no time limit");
    let run = resolve("small", &[], &laptop(500.0));
    assert!(
        run.to_toml().contains("\nevery_steps = 62  # auto: 62 steps per epoch, from 20 to 1000\nimages = 2000"),
        "{}",
        run.to_toml()
    );
}
