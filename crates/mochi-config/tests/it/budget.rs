//! Time budgets: which of `time` and `epochs` counts, and what follows from a time and the speed of a machine.

use std::path::Path;
use std::time::Duration;

use mochi_config::resolve::rules;
use mochi_config::{Arch, Augment, Facts, FirstFilters, Resolved, Settings, Speed, StartNetwork, Stem, TimeBudget};

use crate::{LAPTOP, load, with_gpu};

const MINUTES_20: TimeBudget = TimeBudget::Limit(Duration::from_secs(1200));

/// The laptop with a speed that falls with the area of a view: this many images per second at 32 pixels.
fn laptop(at_32: f64) -> Facts {
    let speed = Speed { size: 32, images_per_s: at_32, first_s: 0.0 };
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
    // Without a measured speed, as many epochs as the number of images suggests.
    let unmeasured = resolve("small", &[], &LAPTOP);
    assert_eq!((unmeasured.time, unmeasured.epochs), (TimeBudget::None, 55.9));
}

#[test]
fn without_a_time_the_machine_decides_and_the_reason_says_so() {
    let two = |at_32: f64| Facts { cores: 2, ..laptop(at_32) };
    let time = |facts: &Facts| {
        let run = resolve("small", &[], facts);
        (run.time.to_string(), run.data.size)
    };
    // 295,000 views of 96 px, 8 of each image: at 20 images/s in 31 minutes, and never less than 20 minutes or more than an hour.
    assert_eq!(time(&two(9.0 * 20.0)), ("31m".to_owned(), 96));
    assert_eq!(time(&two(9000.0)), ("20m".to_owned(), 96));
    assert_eq!(time(&two(20.0)), ("55m".to_owned(), 64));
    assert_eq!(time(&two(1.0)), ("1h".to_owned(), 32));
    // Two core-hours are half an hour of 4 cores, and less than the shortest time of 8.
    assert_eq!(time(&Facts { cores: 4, ..laptop(190.0) }).0, "30m");
    assert_eq!(time(&Facts { cores: 8, ..laptop(20.0) }).0, "20m");
    let run = resolve("small", &[], &two(180.0)).to_toml();
    assert!(run.contains("time = \"31m\"  # auto: no time is given: 295000 views of 96 px, from 20m to 1h"), "{run}");
}

/// Own photos of 12 megapixels are decoded once; that is part of the time.
#[test]
fn the_decoding_of_the_first_epoch_is_part_of_the_time() {
    let slow = |first_s| {
        let mut facts = laptop(500.0);
        facts.speeds.iter_mut().for_each(|speed| speed.first_s = first_s);
        resolve("small", &["time=20m", "data.size=32"], &facts)
    };
    // 4000 images: 400 s of 1200 for 0.1 s each, and the time is over in the first epoch at 0.4 s each.
    assert_eq!(slow(0.1).epochs, 100.0);
    assert_eq!(slow(0.398).epochs, 0.75);
    assert!(slow(0.1).to_toml().contains("20m at 500 images/s after 400 s of decoding"), "{}", slow(0.1).to_toml());
}

/// A week on ten images would be more epochs than a settings file can hold.
#[test]
fn a_config_of_a_long_time_on_few_images_can_be_read_again() {
    let run = resolve("small", &["time=100h", "data.size=32"], &Facts { images: 10, ..laptop(500.0) });
    assert_eq!(run.epochs, 1e6);
    assert_eq!(Resolved::parse(&run.to_toml(), Path::new("config.toml")).unwrap().epochs, 1e6);
}

#[test]
fn checkpoints_come_every_half_minute_to_five_minutes() {
    let steps =
        |images, words: &[&str]| resolve("small", words, &Facts { images, ..laptop(64.0) }).checkpoint.every_steps;
    // A step of 64 images takes a second at 32 px.
    let at_32 = ["time=20m", "data.size=32"];
    assert_eq!([70, 6400, 64_000].map(|images| steps(images, &at_32)), [30, 100, 200]);
    assert_eq!(steps(640_000, &["time=2h", "data.size=32"]), 300);
    assert_eq!([70, 6400].map(|images| steps(images, &["epochs=60", "data.size=40"])), [10, 100]);
    // Report: runs of a few minutes had one checkpoint before the last.
    assert_eq!([["time=3m", "data.size=32"], ["epochs=3", "data.size=40"]].map(|words| steps(6400, &words)), [30, 50]);
}

/// With the last two alone, `mochi analyze` had no curve over training to draw.
#[test]
fn about_six_checkpoints_are_kept_over_a_run() {
    let kept = |images, words: &[&str]| {
        let run = resolve("small", words, &Facts { images, ..laptop(64.0) });
        let steps = run.total_steps(images);
        assert_eq!(run.checkpoint.keep_every % run.checkpoint.every_steps, 0);
        (run.checkpoint.keep_every, steps / run.checkpoint.keep_every)
    };
    let at_32 = ["time=20m", "data.size=32"];
    assert_eq!([70, 6400, 64_000].map(|images| kept(images, &at_32)), [(180, 6), (200, 6), (200, 6)]);
    // Fewer steps than between two checkpoints, and no training.
    assert_eq!(["epochs=3", "epochs=0"].map(|epochs| kept(70, &[epochs, "data.size=40"])), [(10, 0); 2]);
    assert_eq!(kept(6400, &["epochs=600", "data.size=40"]), (10_000, 6));
    assert_eq!(kept(6400, &["epochs=600", "data.size=40", "checkpoint.keep_every=100"]), (100, 600));
}

/// One photograph more halved the training: 19,999 images had twice the steps of 20,000.
#[test]
fn more_images_never_make_fewer_steps() {
    let steps = |images: usize| images as f64 * rules::epochs(images, 2).0;
    for pair in (100..300_000).step_by(37).collect::<Vec<_>>().windows(2) {
        assert!(steps(pair[1]) >= 0.99 * steps(pair[0]), "{pair:?}");
    }
    assert_eq!(
        [500, 5000, 20_000, 50_000, 1_000_000].map(|n| rules::epochs(n, 2).0),
        [400.0, 200.0, 100.0, 63.2, 50.0]
    );
}

#[test]
fn grayscale_images_get_no_changes_of_color() {
    let augment =
        |preset, words: &[&str], grayscale| resolve(preset, words, &Facts { grayscale, ..laptop(500.0) }).data.augment;
    for preset in ["small", "small-mochi"] {
        assert_eq!([true, false].map(|gray| augment(preset, &[], gray)), [Augment::Gray, Augment::Simclr]);
        assert_eq!(augment(preset, &["data.augment=moco-v2"], true), Augment::MocoV2);
    }
    assert_eq!(augment("moco-v2", &[], true), Augment::MocoV2, "published settings stay");
}

/// The rules for few images and short runs of MoCHi.
#[test]
fn few_images_have_few_synthetic_negatives_and_none_at_the_start() {
    for images in [300, 500, 800, 5000] {
        let facts = Facts { images, ..laptop(500.0) };
        let run = resolve("small-mochi", &["epochs=200", "data.size=32"], &facts);
        let (made, keys) = (run.negatives.pairs + run.negatives.query_mixes, run.moco.queue);
        assert!(made as f64 <= 0.08 * keys as f64, "{made} of {keys}");
        let steps = run.negatives.warmup_epochs * run.steps_per_epoch(images) as f64;
        assert!(steps >= 0.99 * 1000.0 || run.negatives.warmup_epochs == 50.0, "{images}: {steps}");
    }
    let ten = resolve("small-mochi", &["epochs=10", "data.size=32"], &laptop(500.0));
    assert_eq!(ten.negatives.warmup_epochs, 2.5, "a quarter of 10 epochs of 15 steps");
    let momentum = |images| resolve("small-mochi", &["data.size=32"], &Facts { images, ..laptop(500.0) }).moco.momentum;
    assert_eq!([4000, 1_300_000].map(momentum), [0.99, 0.99902]);
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
    assert_eq!(of("small", &["time=none"]), (TimeBudget::None, 55.9));

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
    // Neither time nor epochs: at most an hour, known before a speed is measured.
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
    // The standard stem would leave a ResNet one position of its last feature map.
    assert_eq!(
        [28, 32, 33].map(|size| stem(&["time=20m", &format!("data.size={size}"), "model.arch=resnet18"], &two)),
        [Stem::Cifar, Stem::Cifar, Stem::Standard]
    );
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
    assert!(settings.worth_measuring(32, &LAPTOP));
    assert!(!settings.worth_measuring(96, &Facts { speeds: laptop(125.0).speeds[..1].to_vec(), ..LAPTOP }));
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

#[test]
fn the_network_is_that_of_the_weights_unless_another_is_written() {
    let start = Some(StartNetwork { arch: Arch::Resnet34, stem: Some(Stem::Cifar), size: None });
    let facts = Facts { start, cores: 2, ..laptop(500.0) };
    let of = |preset: &str, words: &[&str]| {
        let model = resolve(preset, &[&["model.init=weights.pth"], words].concat(), &facts).model;
        (model.arch, model.stem, model.first_filters)
    };
    let weights = (Arch::Resnet34, Stem::Cifar, FirstFilters::Random);
    // Automatic values, and those of a preset: `moco-v2` has a ResNet-50, `demo` filters of k-means.
    for preset in ["small", "moco-v2", "demo"] {
        assert_eq!(of(preset, &[]), weights, "{preset}");
    }
    assert_eq!(of("small", &["model.arch=resnet34", "model.first_filters=random"]), weights);
    let refused = |words: &[&str]| {
        let words: Vec<String> = ["model.init=weights.pth"].iter().chain(words).map(|&word| word.to_owned()).collect();
        Settings::load(Some("small"), None, &words).unwrap().resolve(&facts).unwrap_err().to_string()
    };
    for (words, part) in [
        (["model.arch=resnet18"], "`model.arch` is resnet18, but the weights of `model.init` are of resnet34"),
        (
            ["model.stem=standard"],
            "`model.stem` is standard, but the weights of `model.init` are of resnet34 with the stem cifar",
        ),
        (["model.first_filters=k-means"], "`model.first_filters` is \"k-means\", but `model.init` gives the filters"),
    ] {
        assert!(refused(&words).contains(part), "{}", refused(&words));
    }
}
