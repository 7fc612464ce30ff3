//! Settings of detection: presets, automatic values, contradictions, `config.toml`, and files of the other task.
use std::path::Path;

use mochi_config::detection::{Architecture, DETECTION, Facts, Freeze, Norm, Resolved, Settings};
use mochi_config::{Arch, Auto, DeviceFacts, Origin, Precision, Task, Warning};
use proptest::prelude::*;

/// 874 training images of 3 classes with masks, on a machine without a GPU.
const LAPTOP: Facts = Facts {
    images: 874,
    classes: 3,
    masks: true,
    unmasked: (0, 0),
    cores: 8,
    cpu: DeviceFacts { memory_bytes: 16 << 30, fast_bf16: false },
    gpus: Vec::new(),
};

fn load(preset: &str, arguments: &[&str]) -> Settings {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    Settings::load(Some(preset), None, &arguments).unwrap()
}

fn resolve(preset: &str, arguments: &[&str]) -> (Resolved, Vec<Warning>) {
    load(preset, arguments).resolve(&LAPTOP).unwrap()
}

#[test]
fn every_preset_resolves_without_a_warning() {
    assert_eq!(Settings::load(None, None, &[]).unwrap().preset_name(), DETECTION.default_preset);
    for preset in DETECTION.presets() {
        let (resolved, warnings) = resolve(preset.name, &[]);
        assert_eq!(warnings, [], "{}", preset.name);
        assert_eq!(resolved.preset_name(), preset.name);
        let summary = preset.summary();
        assert!(summary.ends_with('.') && !summary.contains("Source"), "{}: {summary}", preset.name);
    }
}

#[test]
fn published_presets_are_the_protocol_of_moco() {
    let voc = resolve("voc-r50-c4-24k", &[]).0;
    assert_eq!((voc.iterations, voc.data.batch, voc.data.groups), (24_000, 16, 8));
    assert_eq!(voc.data.short_sides, (0..11).map(|i| 480 + 32 * i).collect::<Vec<u32>>());
    assert_eq!((voc.data.test_short_side, voc.data.longest_side, voc.data.flip), (800, 1333, 0.5));
    let model = &voc.model;
    assert_eq!((model.arch, model.masks, model.norm, model.freeze), (Arch::Resnet50, false, Norm::Batch, Freeze::None));
    assert_eq!(model.architecture, Architecture::C4);
    assert_eq!(model.anchor_sizes, [32.0, 64.0, 128.0, 256.0, 512.0]);
    assert_eq!(model.anchor_ratios, [0.5, 1.0, 2.0]);
    let p = &voc.proposals;
    assert_eq!(
        [p.train_before_nms, p.train_after_nms, p.test_before_nms, p.test_after_nms],
        [12_000, 2000, 6000, 1000]
    );
    assert_eq!((voc.regions.count, voc.regions.positive_fraction), (512, 0.25));
    assert_eq!((voc.detections.min_score, voc.detections.nms, voc.detections.max_count), (0.05, 0.5, 100));
    let o = &voc.optimizer;
    assert_eq!((o.learning_rate, o.momentum, o.weight_decay, o.warmup_iterations), (0.02, 0.9, 1e-4, 100));
    assert_eq!((&o.milestones[..], o.clip_norm), (&[18_000, 22_000][..], 0.0));
    assert_eq!((voc.evaluation.every_iterations, voc.evaluation.precise_bn_iterations), (0, 200));
    assert_eq!(voc.checkpoint.every_steps, 5000);

    let once = resolve("coco-r50-c4-1x", &[]).0;
    assert_eq!((once.iterations, &once.optimizer.milestones[..]), (90_000, &[60_000, 80_000][..]));
    assert_eq!((once.model.masks, once.optimizer.warmup_iterations, once.data.groups), (true, 1000, 8));
    assert_eq!(once.data.short_sides, [640, 672, 704, 736, 768, 800]);
    let twice = resolve("coco-r50-c4-2x", &[]).0;
    assert_eq!((twice.iterations, &twice.optimizer.milestones[..]), (180_000, &[120_000, 160_000][..]));
    let pyramid = resolve("coco-r50-fpn-1x", &[]).0;
    let p = &pyramid.proposals;
    assert_eq!(
        (pyramid.iterations, pyramid.model.architecture, pyramid.model.norm),
        (90_000, Architecture::Fpn, Norm::Batch)
    );
    assert_eq!([p.train_before_nms, p.train_after_nms, p.test_before_nms, p.test_after_nms], [2000, 1000, 1000, 1000]);
    let same = |mut run: Resolved| {
        run.iterations = 0;
        run.optimizer.milestones.clear();
        (run.data, run.model, run.optimizer, run.regions)
    };
    assert_eq!(same(once), same(twice), "the schedule is the only difference");
}

#[test]
fn small_follows_the_data() {
    let (small, _) = resolve("small", &[]);
    // 25 x 874 / 4 is 5462.5.
    assert_eq!((small.iterations, &small.optimizer.milestones[..]), (400, &[300, 366][..]));
    assert_eq!((small.model.masks, small.optimizer.learning_rate, small.checkpoint.every_steps), (true, 0.005, 100));
    assert_eq!((small.compute.precision, small.compute.threads, small.data.threads), (Precision::Float32, 8, 2));
    let of = |images, masks| load("small", &[]).resolve(&Facts { images, masks, ..LAPTOP }).unwrap().0;
    assert_eq!((of(60, false).iterations, of(100, false).model.masks), (375, false));
    assert_eq!(of(3, true).iterations, 300);
    assert!(of(100, false).to_toml().contains("\nmasks = false  # auto: the objects have no masks\n"));
    let toml = small.to_toml();
    assert!(toml.contains("\niterations = 400  # auto: 25 passes over 874 images, from 300 to 400 on cpu\n"), "{toml}");
    let gpu = Facts { gpus: vec![DeviceFacts { memory_bytes: 24 << 30, fast_bf16: true }], ..LAPTOP };
    let (on_gpu, warnings) = load("small", &[]).resolve(&gpu).unwrap();
    assert_eq!((on_gpu.compute.precision, on_gpu.data.threads, warnings), (Precision::Bf16, 7, vec![]));
    assert_eq!((on_gpu.iterations, &on_gpu.optimizer.milestones[..]), (3000, &[2250, 2750][..]));
}

#[test]
fn milestones_are_at_three_quarters_and_eleven_twelfths() {
    for (iterations, expected) in [(24_000, vec![18_000, 22_000]), (10, vec![7, 9]), (2, vec![1]), (1, vec![])] {
        let words = [format!("iterations={iterations}"), "optimizer.warmup_iterations=0".to_owned()];
        let settings = Settings::load(Some("small"), None, &words).unwrap();
        assert_eq!(settings.resolve(&LAPTOP).unwrap().0.optimizer.milestones, expected, "{iterations}");
    }
}

#[test]
fn config_toml_gives_the_same_settings_back() {
    let mut settings =
        load("small", &["data.short_sides=256", "model.anchor_ratios=1,2", "optimizer.milestones=30,50"]);
    settings.set_data("my photos".to_owned());
    settings.set_init("runs/a # b".to_owned());
    assert_eq!(settings.optimizer.milestones, Auto::Set(vec![30, 50]));
    let (resolved, _) = settings.resolve(&LAPTOP).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, resolved.to_toml()).unwrap();
    let back = Resolved::read(&path).unwrap();
    assert_eq!(back.to_toml(), resolved.to_toml());
    assert_eq!((back.data.source.as_str(), back.model.init.as_str()), ("my photos", "runs/a # b"));
    assert_eq!((&back.data.short_sides[..], &back.model.anchor_ratios[..]), (&[256][..], &[1.0, 2.0][..]));
    let origin = |key: &str| back.describe().into_iter().find(|row| row.key == key).unwrap().origin;
    assert_eq!(origin("data.source"), Origin::Run("command line".to_owned()));
    assert_eq!(origin("regions.count"), Origin::Run("preset small".to_owned()));
    assert_eq!(origin("regions.positive_fraction"), Origin::Run("preset voc-r50-c4-24k".to_owned()));
    assert_eq!(resolved.describe().len(), DETECTION.keys().count());
    // It repeats the run, on data of any size.
    let again = Settings::load(None, Some(&path), &[]).unwrap().resolve(&Facts { images: 9, ..LAPTOP }).unwrap().0;
    assert_eq!((again.iterations, again.optimizer.milestones), (400, vec![30, 50]));
    let named = Settings::load(Some("small"), Some(&path), &[]).unwrap_err().to_string();
    assert!(named.starts_with("--preset small has no effect"), "{named}");
    // Every value of a run is resolved.
    let auto = resolved.to_toml().replace("\niterations = 400 ", "\niterations = \"auto\" ");
    let error = Resolved::parse(&auto, Path::new("config.toml")).unwrap_err().to_string();
    assert_eq!(error, "invalid value for `iterations` (config.toml): expected an integer of at least 1, got \"auto\"");
}

#[test]
fn runs_of_the_two_tasks_are_told_apart() {
    let detection = resolve("small", &[]).0.to_toml();
    let settings = mochi_config::Settings::preset("small").unwrap();
    let facts = mochi_config::Facts { images: 4000, ..mochi_config::Facts::default() };
    let pretraining = settings.resolve(&facts).unwrap().0.to_toml();
    let path = Path::new("config.toml");
    assert_eq!(Task::parse(&detection, path), Ok(Task::Detection));
    assert_eq!(Task::parse(&pretraining, path), Ok(Task::Pretraining));
    assert!(pretraining.lines().nth(1).unwrap().starts_with("format"), "runs of earlier versions read alike");

    let error = Resolved::parse(&pretraining, path).unwrap_err();
    assert_eq!(
        error.to_string(),
        "config.toml has the settings of a pre-training run, expected those of a detection run"
    );
    assert_eq!(error.hint().unwrap(), "give a run or a settings file of `mochi detect train`");
    let error = mochi_config::Resolved::parse(&detection, path).unwrap_err();
    assert_eq!(
        error.to_string(),
        "config.toml has the settings of a detection run, expected those of a pre-training run"
    );
    assert_eq!(error.hint().unwrap(), "give a run or a settings file of `mochi pretrain`");

    // As settings to start from.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, &detection).unwrap();
    assert_eq!(Task::read(&file), Ok(Task::Detection));
    let error = mochi_config::Settings::load(None, Some(&file), &["moco.batsh=3".to_owned()]).unwrap_err();
    assert_eq!(error.problems().len(), 2, "{error}");
    assert!(error.to_string().contains("has the settings of a detection run"), "{error}");
    std::fs::write(&file, &pretraining).unwrap();
    let error = Settings::load(None, Some(&file), &[]).unwrap_err().to_string();
    assert!(error.ends_with("has the settings of a pre-training run, expected those of a detection run"), "{error}");
    std::fs::write(&file, "task = \"detection\"\nextends = \"coco-r50-c4-1x\"\n").unwrap();
    assert_eq!(Settings::load(None, Some(&file), &[]).unwrap().iterations, Auto::Set(90_000));

    let error = |text: &str| Task::parse(text, path).unwrap_err().to_string();
    assert_eq!(error("seed = 1\n"), "missing key `format` (config.toml)");
    assert_eq!(
        error("task = \"detektion\"\n"),
        "invalid value for `task` (config.toml): expected \"pretraining\" or \"detection\", got \"detektion\""
    );
    assert!(error("task = = 2").starts_with("invalid TOML (config.toml, line 1): "));
}

#[test]
fn one_fault_is_one_sentence_with_a_hint() {
    let cases = [
        ("data.bacth=3", "unknown key `data.bacth` (command line)", Some("did you mean `data.batch`?")),
        (
            "moco.queue=3",
            "unknown key `moco.queue` (command line)",
            Some("docs/reference/detection-settings.md lists every key"),
        ),
        (
            "fast",
            "invalid argument \"fast\": expected KEY=VALUE",
            Some("write for example optimizer.learning_rate=0.01"),
        ),
        (
            "model.norm=forzen",
            "invalid value for `model.norm` (command line): expected \"batch\" or \"frozen\", got \"forzen\"",
            Some("did you mean \"frozen\"?"),
        ),
        (
            "model.masks=maybe",
            "invalid value for `model.masks` (command line): expected \"auto\", true or false, got \"maybe\"",
            None,
        ),
        (
            "data.short_sides=[800, 640]",
            "invalid value for `data.short_sides` (command line): expected a list of increasing integers from 16 to 16384, got [800, 640]",
            None,
        ),
        (
            "model.anchor_sizes=32,0",
            "invalid value for `model.anchor_sizes` (command line): expected a list of numbers above 0 and at most 16384, such as \
             [0.5, 1.0, 2.0], got [32, 0]",
            None,
        ),
        (
            "optimizer.milestones=5000000000000",
            "invalid value for `optimizer.milestones` (command line): expected \"auto\" or a list of increasing positive integers, such as \
             [120, 160], got [5000000000000]",
            None,
        ),
    ];
    for (word, message, hint) in cases {
        let error = Settings::load(None, None, &[word.to_owned()]).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint().as_deref()), (message, hint), "{word}");
    }
    let preset = |name: &str| Settings::preset(name).unwrap_err();
    assert_eq!(preset("voc-r50-c4-24").hint().unwrap(), "did you mean \"voc-r50-c4-24k\"?");
    assert_eq!(preset("moco-v2").hint().unwrap(), "it is a preset of `mochi pretrain`");
    let other = mochi_config::Settings::preset("coco-r50-c4-1x").unwrap_err();
    assert_eq!(other.hint().unwrap(), "it is a preset of `mochi detect train`");
    let both = Settings::load(Some("moco-v2"), None, &["data.bacth=3".to_owned()]).unwrap_err();
    assert_eq!(both.problems().len(), 2);
    assert_eq!(both.hint().unwrap(), "see docs/reference/detection-settings.md for every key and its values");
}

#[test]
fn values_that_cannot_stand_together() {
    let conflict = |words: &[&str], facts: &Facts| {
        let error = load("voc-r50-c4-24k", words).resolve(facts).unwrap_err();
        (error.to_string(), error.hint().unwrap())
    };
    let case = |words: &[&str], message: &str, hint: &str| {
        assert_eq!(conflict(words, &LAPTOP), (message.to_owned(), hint.to_owned()), "{words:?}");
    };
    case(&["data.batch=12"], "`data.groups` is 8 and does not divide `data.batch`, 12", "set data.groups=6");
    case(
        &["iterations=20000"],
        "`optimizer.milestones` contains [22000] but `iterations` is 20000",
        "set optimizer.milestones=auto (here [15000, 18333])",
    );
    case(&["data.short_sides="], "`data.short_sides` is empty", "list one side or more, in pixels");
    case(
        &["data.longest_side=800", "data.test_short_side=832"],
        "`data.test_short_side` has 832 pixels, more than `data.longest_side`, 800",
        "set data.longest_side to at least 832",
    );
    case(
        &["model.norm=frozen"],
        "`model.norm` is \"frozen\" but `model.init` is \"none\": random weights have no statistics to keep",
        "set model.norm=batch, or give weights with --init",
    );
    case(
        &["model.freeze=res2"],
        "`model.freeze` is \"res2\" but `model.init` is \"none\": random weights would stay",
        "set model.freeze=none, or give weights with --init",
    );
    case(
        &["model.freeze=res4", "model.init=run", "model.arch=resnet20"],
        "`model.freeze` is \"res4\", which is the head of resnet20: it has no res5",
        "set model.freeze=res3",
    );
    case(
        &["model.arch=patch-resnet"],
        "`model.arch` is \"patch-resnet\", which has one feature map; detection needs a ResNet with several",
        "pre-train with model.arch=resnet18, or another ResNet",
    );
    case(
        &["model.architecture=fpn", "model.anchor_sizes=32,64"],
        "`model.anchor_sizes` has 2 sizes but the feature pyramid of resnet50 has 5 maps, each with one size",
        "give 5 sizes, such as model.anchor_sizes=[16, 32, 64, 128, 256]",
    );
    case(
        &["compute.device=cuda"],
        "`compute.device` is \"cuda\" but no CUDA device is usable",
        "run `mochi doctor` to see why, or set compute.device=cpu",
    );
    assert_eq!(
        conflict(&["model.masks=true"], &Facts { masks: false, ..LAPTOP }),
        (
            "`model.masks` is true but the objects of the data have no masks".to_owned(),
            "set model.masks=false, or auto".to_owned()
        )
    );
    assert_eq!(conflict(&[], &Facts { images: 0, ..LAPTOP }).0, "the data has no images to train on");
    assert_eq!(conflict(&[], &Facts { classes: 0, ..LAPTOP }).0, "the data has no class of objects");
    let several = conflict(&["data.batch=12", "compute.device=cuda"], &LAPTOP).0;
    assert!(several.starts_with("invalid configuration (2 problems):\n"), "{several}");
    let last =
        ["model.architecture=fpn", "model.freeze=res4", "model.arch=resnet20", "model.anchor_sizes=16,32,64,128"];
    let limits = ["proposals.train_before_nms=2000", "model.init=run"];
    assert_eq!(resolve("voc-r50-c4-24k", &[&last[..], &limits].concat()).1, [], "res4 is not the head");
    let frozen = ["model.freeze=res4", "model.norm=frozen", "model.init=run"];
    assert_eq!(resolve("voc-r50-c4-24k", &frozen).1, []);
}

#[test]
fn limits_of_c4_with_a_pyramid_are_warned_about() {
    let warned = |preset: &str, words: &[&str]| resolve(preset, words).1;
    let preset = "voc-r50-c4-24k".to_owned();
    let warning = Warning::ProposalsOfC4 { preset, before_nms: 12_000, of_pyramid: 2000 };
    assert_eq!(warned("voc-r50-c4-24k", &["model.architecture=fpn"]), [warning]);
    assert_eq!(warned("voc-r50-c4-24k", &["model.architecture=fpn", "proposals.test_before_nms=1000"]), []);
    assert_eq!(warned("coco-r50-fpn-1x", &[]), []);
    assert_eq!(warned("small", &["model.architecture=fpn", "model.anchor_sizes=16,32,64,128,256"]), []);
}

#[test]
fn a_smaller_batch_needs_more_iterations_and_a_smaller_rate() {
    let warned = |words: &[&str]| {
        let warnings = resolve("voc-r50-c4-24k", words).1;
        warnings.into_iter().map(|w| (w.to_string(), w.hint().unwrap())).collect::<Vec<_>>()
    };
    let fewer = (
        "data.batch (8) is smaller than the preset's 16, and iterations (24000) is the preset's: training sees 50 % of its images".to_owned(),
        "set iterations=48000 and optimizer.milestones=[36000, 44000]".to_owned(),
    );
    assert_eq!(warned(&["data.batch=8"]), std::slice::from_ref(&fewer));
    assert_eq!(warned(&["data.batch=8", "iterations=48000", "optimizer.milestones=36000,44000"]), []);
    let rate = (
        "optimizer.learning_rate (0.02) is far from the linear rule, 0.02 x 8 / 16 = 0.01".to_owned(),
        "set optimizer.learning_rate=auto (here 0.01)".to_owned(),
    );
    assert_eq!(warned(&["data.batch=8", "optimizer.learning_rate=0.02"]), [rate, fewer]);
    assert_eq!(warned(&["optimizer.learning_rate=0.015"]), []);
    assert_eq!(warned(&["optimizer.learning_rate=0.0"]).len(), 1);
    assert_eq!(
        warned(&["optimizer.warmup_iterations=24000"]),
        [(
            "optimizer.warmup_iterations (24000) is not below iterations (24000): the learning rate rises until the end".to_owned(),
            "set optimizer.warmup_iterations below 24000".to_owned()
        )]
    );
    assert_eq!(resolve("small", &["data.batch=2"]).1, [], "automatic iterations follow the batch");
    assert_eq!(
        resolve("small", &["model.arch=resnet20", "model.stem=cifar"]).1,
        [Warning::StemIgnored { arch: Arch::Resnet20 }]
    );
    assert_eq!(warned(&["compute.precision=bf16"]).len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the data and the machine, the automatic values stand together and come back from `config.toml`.
    #[test]
    fn automatic_values_always_stand_together(
        images in 1usize..3_000_000, batch in 1usize..512, masks: bool, cores in 1usize..256, gpus in 0usize..3, fast_bf16: bool,
    ) {
        let device = DeviceFacts { memory_bytes: 0, fast_bf16 };
        let facts = Facts { images, classes: 1, masks, cores, cpu: device, gpus: vec![device; gpus], unmasked: (0, 0) };
        let (resolved, warnings) = load("small", &[&format!("data.batch={batch}")]).resolve(&facts).unwrap();
        // The batch was written, not chosen.
        let larger = (batch > images).then_some(Warning::BatchLargerThanData { batch, images });
        prop_assert_eq!(warnings, Vec::from_iter(larger));
        prop_assert!((300..=3000).contains(&resolved.iterations));
        prop_assert_eq!(resolved.optimizer.milestones.len(), 2);
        prop_assert_eq!(resolved.model.masks, masks);
        let back = Resolved::parse(&resolved.to_toml(), Path::new("config.toml")).unwrap();
        prop_assert_eq!(back.to_toml(), resolved.to_toml());
    }

    /// No text of any kind makes the reader panic.
    #[test]
    fn any_word_and_file_is_taken_or_refused(key in "[a-z_.=]{0,20}", value in ".{0,20}", text in "(?s).{0,200}") {
        if let Err(error) = Settings::load(None, None, &[format!("data.{key}={value}")]) {
            prop_assert!(!error.to_string().is_empty());
        }
        let _ = Resolved::parse(&text, Path::new("config.toml"));
        let _ = Task::parse(&text, Path::new("config.toml"));
    }
}

#[test]
fn objects_without_masks_and_a_batch_larger_than_the_data_are_warned_about() {
    let warned = |arguments: &[&str], facts: &Facts| {
        let (_, warnings) = load("small", arguments).resolve(facts).unwrap();
        let texts = warnings.iter().map(|warning| format!("{warning} | {}", warning.hint().unwrap_or_default()));
        texts.collect::<Vec<_>>().join("\n")
    };
    let half = Facts { unmasked: (6, 12), ..LAPTOP };
    assert!(warned(&["model.masks=true"], &half).contains("6 of 12 objects have no mask"));
    assert!(!warned(&["model.masks=false"], &half).contains("have no mask") && !warned(&[], &LAPTOP).contains("mask"));
    let few = warned(&["data.batch=8"], &Facts { images: 6, ..LAPTOP });
    assert!(few.contains("larger than the 6 training images") && few.contains("data.batch to at most 6"), "{few}");
}
