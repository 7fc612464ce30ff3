//! Evaluation from files to results: IDX files and folders written here, a small encoder, both protocols of the linear probe.

use mochi_contrast::Objective;
use mochi_data::{DataError, Dataset, OpenOptions, Split};
use mochi_eval::analysis::measure::{PROXY_ACCURACY, PROXY_ACCURACY_ORACLE, PROXY_ACCURACY_SYNTHETIC, STABILITY};
use mochi_eval::analysis::{AnalysisOptions, Analyzer};
use mochi_eval::{
    AugmentedRecipe, EvalError, Extractor, FeatureSource, Features, KnnOptions, LinearOptions, LinearResult, Progress,
    Stage, ViewOptions, check_splits, extract, extract_together, knn, linear_augmented, linear_cached,
};
use mochi_nets::{Arch, Encoder, EncoderSpec, HeadKind, NormMode, Stem};
use mochi_tensor::{Compute, Group, HostValues, Tensor, from_f32, no_grad, with_seed};
use mochi_views::Augmentation;
use std::path::Path;
use std::time::Duration;

/// A 1 x 1 PNG.
const PNG: &[u8] = &[
    137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 58, 126, 155,
    85, 0, 0, 0, 10, 73, 68, 65, 84, 120, 156, 99, 136, 2, 0, 0, 92, 0, 91, 216, 180, 86, 90, 0, 0, 0, 0, 73, 69, 78,
    68, 174, 66, 96, 130,
];

fn quiet() -> impl FnMut(Progress) {
    |_| ()
}

/// `count` images of 8 x 8 with a bright bar, vertical for class 0 and horizontal for class 1, at a position that depends on the image.
fn write_idx(folder: &Path, stem: &str, count: u8, with_labels: bool) {
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 8, 0, 0, 0, 8];
    let mut labels = vec![0, 0, 8, 1, 0, 0, 0, count];
    for i in 0..count {
        let (class, place) = (i % 2, i / 2 % 6 + 1);
        labels.push(class);
        images.extend(
            (0..64u8).map(|p| if (if class == 0 { p % 8 } else { p / 8 }) == place { 220 + i % 5 } else { 20 }),
        );
    }
    std::fs::write(folder.join(format!("{stem}-images-idx3-ubyte")), images).unwrap();
    if with_labels {
        std::fs::write(folder.join(format!("{stem}-labels-idx1-ubyte")), labels).unwrap();
    }
}

fn bars() -> (tempfile::TempDir, Dataset, Dataset) {
    let folder = tempfile::tempdir().unwrap();
    write_idx(folder.path(), "train", 60, true);
    write_idx(folder.path(), "t10k", 24, true);
    let open = |split: Split| Dataset::open(folder.path(), &split.into()).unwrap();
    let (train, test) = (open(Split::Train), open(Split::Test));
    (folder, train, test)
}

const SPEC: EncoderSpec =
    EncoderSpec { arch: Arch::Cifar { blocks: 1 }, stem: Stem::Cifar, head: HeadKind::Linear, dim: 8 };

fn encoder() -> Encoder {
    with_seed(1, || Encoder::new(&SPEC, Compute::CPU)).unwrap()
}

fn views() -> ViewOptions {
    ViewOptions { threads: 1, batch: 7, ..ViewOptions::new(Augmentation::preset("gray").unwrap(), 8) }
}

fn pixels(dataset: &Dataset) -> Features {
    extract(dataset, Extractor::Pixels, &views(), &mut quiet()).unwrap()
}

#[test]
fn pixels_are_the_normalized_view_and_can_be_evaluated() {
    let (_folder, train, test) = bars();
    let mut seen = vec![];
    let features = extract(&train, Extractor::Pixels, &views(), &mut |p| seen.push((p.done, p.total))).unwrap();
    assert_eq!((features.len(), features.width(), features.images.len()), (60, 64, 60));
    assert_eq!((seen.len(), seen.last()), (9, Some(&(60, 60))));
    let values = HostValues::copy_of(&features.values).unwrap();
    // Image 2 is of class 0: a bright column at place 2.
    assert_eq!((features.labels[2], features.images[2]), (0, 2));
    let normalized = |level: f32| (level / 255.0 - 0.2860) / 0.3530;
    assert!(
        (values[2 * 64 + 2] - normalized(222.0)).abs() < 1e-5 && (values[2 * 64 + 3] - normalized(20.0)).abs() < 1e-5
    );

    let test = pixels(&test);
    let nearest = knn(&features, &test, &KnnOptions { k: Some(1), temperature: 0.1 }, None, &mut quiet()).unwrap();
    assert_eq!((nearest.top1, nearest.train_images, nearest.test_images, nearest.features), (100.0, 60, 24, 64));
    let linear = linear_cached(&features, &test, &LinearOptions::default(), None, &mut quiet()).unwrap();
    assert_eq!((linear.top1, linear.epochs, linear.features), (100.0, 100, 64));
}

#[test]
fn features_of_several_ranks_are_those_of_one_process() {
    let (folder, train, _) = bars();
    let wanted = pixels(&train);
    let ranks = Group::of_threads(3, Duration::from_secs(30), |group| {
        let train = Dataset::open(folder.path(), &Split::Train.into()).unwrap();
        let options = ViewOptions { batch: 3, ..views() };
        extract_together(&train, Extractor::Pixels, &options, &group, &mut quiet()).unwrap()
    });
    for found in ranks.unwrap() {
        assert!(found.values.equal(&wanted.values));
        assert_eq!((&found.labels, &found.images), (&wanted.labels, &wanted.images));
    }
}

/// The last batch of an epoch has four images: of seven ranks three have none.
#[test]
fn ranks_train_the_augmented_probe_of_one_process() {
    let (folder, ..) = bars();
    let recipe = AugmentedRecipe {
        name: "bars".into(),
        epochs: 24,
        batch: 14,
        learning_rate: 0.5,
        milestones: vec![16],
        factor: 0.1,
    };
    let evaluate = |group: Option<&Group>| {
        let [train, test] =
            [Split::Train, Split::Test].map(|split| Dataset::open(folder.path(), &split.into()).unwrap());
        let mut images = 0;
        let mut count = |p: Progress| images = images.max(if p.stage == Stage::Features { p.done } else { 0 });
        let found = linear_augmented(&encoder(), [&train, &test], &recipe, &views(), 5, group, &mut count).unwrap();
        (LinearResult { seconds: 0.0, ..found }, images)
    };
    let (one, images) = evaluate(None);
    assert!(images == 24 && one.top1 > 60.0, "{one:?}");
    let ranks = Group::of_threads(7, Duration::from_secs(60), |group| evaluate(Some(&group))).unwrap();
    for (rank, (found, images)) in ranks.into_iter().enumerate() {
        assert_eq!((found, images), (one.clone(), 24 * (rank + 1) / 7 - 24 * rank / 7));
    }
}

#[test]
fn encoder_features_are_those_of_eval_mode_whatever_the_batch() {
    let (_folder, train, _) = bars();
    let encoder = encoder();
    let features = extract(&train, Extractor::Backbone(&encoder), &views(), &mut quiet()).unwrap();
    assert_eq!((features.len(), features.width()), (60, 64));
    // The same images, all at once, straight through the network.
    let plane = pixels(&train).values.view([60, 1, 8, 8]).repeat([1, 3, 1, 1]);
    let direct = no_grad(|| encoder.features(&plane, NormMode::Eval)).unwrap();
    let apart = (&features.values - &direct).abs().max().double_value(&[]) / direct.abs().max().double_value(&[]);
    assert!(apart < 1e-5, "{apart}");
    assert!(!features.values.requires_grad());
}

#[test]
fn an_encoder_that_changes_is_reported_in_both_protocols() {
    let (_folder, train, test) = bars();
    let encoder = encoder();
    // The progress callback changes the encoder.
    let nudge = |name: &str| {
        let (_, tensor, _) = encoder.store().iter().find(|(n, _, _)| *n == name).unwrap();
        let mut tensor = tensor.shallow_clone();
        let _ = no_grad(|| tensor.g_add_scalar_(1e-3));
    };
    let changed = extract(&train, Extractor::Backbone(&encoder), &views(), &mut |_| nudge("bn1.running_mean"));
    assert!(
        matches!(&changed, Err(EvalError::EncoderChanged { tensor }) if tensor == "bn1.running_mean"),
        "{changed:?}"
    );
    let recipe = AugmentedRecipe { epochs: 2, batch: 16, ..AugmentedRecipe::preset("in100").unwrap() };
    let changed =
        linear_augmented(&encoder, [&train, &test], &recipe, &views(), 1, None, &mut |_| nudge("conv1.weight"));
    assert!(matches!(&changed, Err(EvalError::EncoderChanged { tensor }) if tensor == "conv1.weight"), "{changed:?}");
}

#[test]
fn the_augmented_probe_learns_and_is_reproducible() {
    let (_folder, train, test) = bars();
    let encoder = encoder();
    let before = encoder.store().export("");
    let recipe = AugmentedRecipe {
        name: "bars".into(),
        epochs: 12,
        batch: 16,
        learning_rate: 0.5,
        milestones: vec![8],
        factor: 0.1,
    };
    let evaluate = |threads, seed| {
        let views = ViewOptions { threads, ..views() };
        let mut result =
            linear_augmented(&encoder, [&train, &test], &recipe, &views, seed, None, &mut quiet()).unwrap();
        result.seconds = 0.0;
        result
    };
    let first = evaluate(1, 5);
    assert!(first.top1 > 80.0, "{first:?}");
    assert_eq!(
        (first.train_images, first.test_images, first.classes, first.recipe.as_deref()),
        (60, 24, train.class_names().len(), Some("bars"))
    );
    assert_eq!(first.protocol, "linear-augmented/1");
    assert_eq!(first, evaluate(3, 5));
    assert!(encoder.store().identical(&before));
}

#[test]
fn bad_images_are_named_and_labels_stay_with_their_images() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["ant", "bee"] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        for i in 0..3 {
            std::fs::write(folder.path().join(class).join(format!("{i}.png")), PNG).unwrap();
        }
    }
    std::fs::write(folder.path().join("ant/1.png"), &PNG[..43]).unwrap();
    let dataset = Dataset::open(folder.path(), &OpenOptions::default()).unwrap();
    let options = ViewOptions { max_bad_fraction: 0.5, ..views() };
    let features = extract(&dataset, Extractor::Pixels, &options, &mut quiet()).unwrap();
    assert_eq!(features.images, [0, 2, 3, 4, 5]);
    assert_eq!(features.labels, [0, 0, 1, 1, 1]);
    assert_eq!((features.values.size(), features.width()), (vec![5, 3 * 64], 192));
    assert_eq!(features.bad_images.len(), 1);
    assert!(features.bad_images[0].name.contains("1.png"), "{:?}", features.bad_images);
}

#[test]
fn data_without_labels_and_unknown_test_classes_are_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    write_idx(folder.path(), "train", 4, false);
    let unlabeled = Dataset::open(folder.path(), &OpenOptions::default()).unwrap();
    let error = extract(&unlabeled, Extractor::Pixels, &views(), &mut quiet()).unwrap_err();
    assert!(
        matches!(error, EvalError::NoLabels { .. }) && error.hint().is_some_and(|h| h.contains("first folder level")),
        "{error}"
    );

    let photos = |classes: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        for class in classes {
            std::fs::create_dir(folder.path().join(class)).unwrap();
            std::fs::write(folder.path().join(class).join("0.png"), PNG).unwrap();
        }
        let dataset = Dataset::open(folder.path(), &OpenOptions::default()).unwrap();
        (folder, dataset)
    };
    let ((_a, train), (_b, test)) = (photos(&["ant", "bee"]), photos(&["bee", "dog"]));
    let mut calls = 0;
    let recipe = AugmentedRecipe::preset("in1k").unwrap();
    let refused = linear_augmented(&encoder(), [&train, &test], &recipe, &views(), 0, None, &mut |_| calls += 1);
    assert!(
        matches!(&refused, Err(EvalError::UnknownClasses { unknown, .. }) if unknown == &["dog"]) && calls == 0,
        "{refused:?}"
    );
    let refused = knn(&pixels(&train), &pixels(&test), &KnnOptions::default(), None, &mut quiet());
    assert!(matches!(&refused, Err(EvalError::UnknownClasses { unknown, .. }) if unknown == &["dog"]));
}

#[test]
fn features_can_come_from_anywhere() {
    // The parts are public: embeddings computed elsewhere are evaluated the same way.
    let values: Tensor = from_f32(&[1.0, 0.0, 0.0, 1.0], &[2, 2]).unwrap();
    let set = |values: &Tensor| Features {
        values: values.copy(),
        labels: vec![0, 1],
        images: vec![0, 1],
        class_names: vec!["a".into(), "b".into()],
        bad_images: vec![],
        source: FeatureSource::Embedding,
    };
    assert_eq!(
        knn(&set(&values), &set(&values), &KnnOptions { k: Some(1), temperature: 0.07 }, None, &mut quiet())
            .unwrap()
            .top1,
        100.0
    );
}

/// Class folders with `each` images per class.
fn class_folders(folder: &Path, classes: &[&str], each: usize) {
    for class in classes {
        std::fs::create_dir_all(folder.join(class)).unwrap();
        for i in 0..each {
            std::fs::write(folder.join(class).join(format!("{i}.png")), PNG).unwrap();
        }
    }
}

fn open(folder: &Path) -> Dataset {
    Dataset::open(folder, &OpenOptions::default()).unwrap()
}

// Field cases F9, rows 103 and 105.
#[test]
fn f9_labels_and_classes_are_checked_without_reading_an_image() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    class_folders(&path("train"), &["ant", "bee"], 2);
    class_folders(&path("test"), &["bee", "dog", "zzz"], 2);
    class_folders(&path("one"), &["ant"], 2);
    class_folders(&path("good"), &["ant"], 3);
    let train = open(&path("train"));
    let refused = check_splits(&train, &open(&path("test")));
    assert!(matches!(&refused, Err(EvalError::UnknownClasses { unknown, .. }) if unknown == &["dog", "zzz"]));
    assert!(matches!(check_splits(&open(&path("one")), &train), Err(EvalError::TooFewClasses { classes: 1 })));
    write_idx(root.path(), "train", 4, false);
    let unlabeled = Dataset::open(root.path(), &Split::Train.into()).unwrap();
    assert!(matches!(check_splits(&unlabeled, &train), Err(EvalError::NoLabels { set: "training", .. })));
    assert!(matches!(check_splits(&train, &unlabeled), Err(EvalError::NoLabels { set: "test", .. })));
    assert_eq!(check_splits(&train, &open(&path("good"))).unwrap().images, 0);
}

// House review 10, field case F19, row 108.
#[test]
fn h6_10_the_training_set_under_another_name_is_recognized() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    class_folders(&path("train"), &["ant", "bee"], 3);
    let train = open(&path("train"));
    std::os::unix::fs::symlink("train", path("link")).unwrap();
    class_folders(&path("files"), &["ant"], 0);
    for i in 0..3 {
        std::fs::hard_link(path("train/ant").join(format!("{i}.png")), path("files/ant").join(format!("x{i}.png")))
            .unwrap();
    }
    for name in ["train", "train/../train", "link", "files"] {
        let refused = check_splits(&train, &open(&path(name)));
        assert!(matches!(refused, Err(EvalError::SameImages { .. })), "{name}: {refused:?}");
    }
    // Some images in both splits are counted, not refused.
    std::fs::write(path("files/ant/new.png"), PNG).unwrap();
    let overlap = check_splits(&train, &open(&path("files"))).unwrap();
    assert_eq!((overlap.images, overlap.first.as_deref()), (3, Some("ant/x0.png")));
    // Equal names in different folders are different images.
    class_folders(&path("other"), &["ant", "bee"], 2);
    assert_eq!(check_splits(&train, &open(&path("other"))).unwrap().images, 0);

    let (_folder, idx, test) = bars();
    assert!(matches!(check_splits(&idx, &idx), Err(EvalError::SameImages { images: 60 })));
    assert_eq!(check_splits(&idx, &test).unwrap().images, 0);
}

// Scientific review A7: the embedding is the unit output of the whole encoder.
#[test]
fn a7_features_can_be_taken_from_the_embedding() {
    let (_folder, train, test) = bars();
    let encoder = encoder();
    let of = |dataset| extract(dataset, Extractor::Embedding(&encoder), &views(), &mut quiet()).unwrap();
    let (train, test) = (of(&train), of(&test));
    assert_eq!((train.width(), train.source), (8, FeatureSource::Embedding));
    let norm = train.values.norm_scalaropt_dim(2, [1i64].as_slice(), false);
    assert!((norm - 1.0).abs().max().double_value(&[]) < 1e-5);
    let result = knn(&train, &test, &KnnOptions::default(), None, &mut quiet()).unwrap();
    assert_eq!((result.protocol.as_str(), result.k, result.k_automatic), ("knn-embedding/1", 15, true));
}

// Field case F8, row 106.
#[test]
fn f8_images_that_cannot_be_read_are_counted_and_named_in_every_protocol() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    for name in ["train", "test"] {
        class_folders(&path(name), &["ant", "bee"], 10);
        std::fs::write(path(name).join("ant/3.png"), &PNG[..40]).unwrap();
    }
    let options = ViewOptions { max_bad_fraction: 0.1, ..views() };
    let of = |dataset: &Dataset| extract(dataset, Extractor::Pixels, &options, &mut quiet()).unwrap();
    let (train, test) = (open(&path("train")), open(&path("test")));
    let near = knn(&of(&train), &of(&test), &KnnOptions::default(), None, &mut quiet()).unwrap();
    assert_eq!((near.bad_train_images, near.bad_test_images, near.train_images), (1, 1, 19));
    assert_eq!(near.bad_images.test[0].name, "ant/3.png");
    let cached = linear_cached(&of(&train), &of(&test), &LinearOptions::default(), None, &mut quiet()).unwrap();
    assert_eq!((cached.bad_train_images, cached.bad_images), (1, near.bad_images.clone()));
    let recipe = AugmentedRecipe { epochs: 1, batch: 16, ..AugmentedRecipe::preset("in100").unwrap() };
    let augmented = linear_augmented(&encoder(), [&train, &test], &recipe, &options, 1, None, &mut quiet()).unwrap();
    assert_eq!((augmented.bad_test_images, augmented.bad_images), (1, near.bad_images));
}

#[test]
fn an_analysis_does_not_depend_on_how_encoders_are_grouped_and_compares_them_in_their_order() {
    let (_folder, train, _) = bars();
    let (one, two) = (encoder(), with_seed(2, || Encoder::new(&SPEC, Compute::CPU)).unwrap());
    let objective = Objective::mochi(0.2, 16, 32, 8);
    let options = AnalysisOptions { images: 40, seed: 5, k: 4, objective, keys: 64, views: views() };
    let analysis = |groups: &[&[(u64, &Encoder)]]| {
        let mut analyzer = Analyzer::new(&train, options.clone()).unwrap();
        let mut stages = vec![];
        for group in groups {
            analyzer.add(group, &mut |now| stages.push((now.stage, now.done, now.total))).unwrap();
        }
        assert!(stages.contains(&(Stage::Features, 40, 40)) && stages.contains(&(Stage::Views, 40, 40)));
        let analysis = analyzer.finish(&mut |now| stages.push((now.stage, now.done, now.total)));
        assert!(stages.contains(&(Stage::Map, 1, 1000)) && stages.last() == Some(&(Stage::Map, 1000, 1000)));
        analysis.unwrap().unwrap()
    };
    let together = analysis(&[&[(1, &one), (2, &two)]]);
    assert_eq!(together, analysis(&[&[(1, &one)], &[(2, &two)]]));
    assert_eq!((together.images, together.dataset_images, together.classes, together.dim), (40, 60, Some(2), 8));
    let mut sample = together.sample.clone();
    sample.sort_unstable();
    sample.dedup();
    assert_eq!(sample.len(), 40, "no image twice");
    for checkpoint in &together.checkpoints {
        let [real, synthetic, oracle] = [&PROXY_ACCURACY, &PROXY_ACCURACY_SYNTHETIC, &PROXY_ACCURACY_ORACLE]
            .map(|measure| checkpoint.values.get(measure).unwrap());
        assert!(synthetic <= real && real <= oracle && oracle <= 1.0, "{synthetic} {real} {oracle}");
    }
    let kept = |analysis: &mochi_eval::analysis::Analysis| analysis.checkpoints[1].values.get(&STABILITY).unwrap();
    assert!(kept(&together) < 1.0 && together.checkpoints[0].values.get(&STABILITY).is_none());
    assert_eq!(kept(&analysis(&[&[(1, &one), (2, &one)]])), 1.0);
    assert_eq!(together.t_sne.as_ref().map(|map| map.points.len()), Some(40));
    assert!(Analyzer::new(&train, options.clone()).unwrap().finish(&mut |_| ()).unwrap().is_none());
    // Stopped after the images have been read.
    let mut analyzer = Analyzer::new(&train, options.clone()).unwrap();
    analyzer.add(&[(1, &one)], &mut |_| ()).unwrap();
    options.views.cancel.request();
    assert!(matches!(analyzer.finish(&mut |_| ()), Err(EvalError::Data(DataError::Canceled))));
}
