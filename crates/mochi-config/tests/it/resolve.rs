//! Layers, automatic values, warnings and `config.toml`.
use std::path::Path;

use mochi_config::{
    Auto, Device, DeviceFacts, Facts, Layout, Origin, PRETRAINING, Precision, Resolved, Settings, Warning,
};
use proptest::prelude::*;

use crate::{LAPTOP, load, with_gpu};

fn warnings(preset: &str, words: &[&str], facts: Facts) -> Vec<String> {
    load(preset, words).resolve(&facts).unwrap().1.iter().map(ToString::to_string).collect()
}

#[test]
fn later_layers_cover_earlier_ones_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, "extends = \"moco-v1\"\nseed = 3\n[moco]\nbatch = 64\nmomentum = 1\n").unwrap();
    let words = ["moco.batch=32", "compute.device=cpu", "data.source=2024", "optimizer.milestones=[3, 5]"];
    let settings = Settings::load(None, Some(&file), &words.map(str::to_owned)).unwrap();
    assert_eq!(settings.preset_name(), "moco-v1");
    assert_eq!((settings.seed, settings.moco.batch, settings.moco.momentum), (3, Auto::Set(32), Auto::Set(1.0)));
    assert_eq!(settings.compute.device, Auto::Set(Device::Cpu));
    assert_eq!(settings.data.source, "2024");
    assert_eq!(settings.optimizer.milestones, [3, 5]);
    let origin = |key: &str| settings.describe().into_iter().find(|line| line.key == key).unwrap().origin;
    assert_eq!(origin("moco.batch"), Origin::CommandLine);
    assert_eq!(origin("seed"), Origin::File(file.clone()));
    assert_eq!(origin("moco.temperature"), Origin::Preset("moco-v1".to_owned()));
    assert_eq!(origin("moco.queue"), Origin::Preset("moco-v2".to_owned()));
    let named = Settings::load(Some("demo"), Some(&file), &[]).unwrap();
    assert_eq!(named.preset_name(), "demo", "a named preset takes the place of the file's");
    assert_eq!(Settings::load(None, None, &[]).unwrap().preset_name(), PRETRAINING.default_preset);
}

#[test]
fn auto_follows_the_data_and_the_machine() {
    let resolve = |facts: Facts| load("small-mochi", &[]).resolve(&facts).unwrap().0;
    let small = resolve(LAPTOP);
    assert_eq!((small.epochs, small.moco.batch, small.moco.queue, small.moco.bn_groups), (224.0, 256, 512, 8));
    let n = &small.negatives;
    assert_eq!((n.hardest, n.pairs, n.query_mixes, n.warmup_epochs), (64, 32, 4, 56.0));
    assert_eq!((small.optimizer.learning_rate, small.optimizer.warmup_epochs), (0.001, 6.72));
    assert_eq!((small.compute.device, small.compute.precision), (Device::Cpu, Precision::Float32));
    assert_eq!((small.compute.threads, small.data.threads, small.checkpoint.every_steps), (8, 2, 20));

    let large = resolve(with_gpu(1_281_167, 16 << 30));
    assert_eq!((large.epochs, large.moco.batch, large.moco.queue, large.negatives.hardest), (50.0, 256, 65_536, 1024));
    assert_eq!((large.compute.device, large.compute.layout), (Device::Cuda(0), Layout::ChannelsLast));

    let few = resolve(Facts { images: 20, ..LAPTOP });
    assert_eq!((few.moco.batch, few.moco.queue, few.moco.bn_groups), (20, 20, 1));
    let tight =
        resolve(Facts { images: 1_000_000, cpu: DeviceFacts { memory_bytes: 1 << 30, fast_bf16: false }, ..LAPTOP });
    assert_eq!(tight.moco.batch, 32, "the batch gives way to the memory");
    let lars = load("small-mochi", &["optimizer.name=lars", "moco.batch=128"]).resolve(&LAPTOP).unwrap().0;
    assert_eq!(lars.optimizer.learning_rate, 0.15);
}

/// H6.3: automatic values come from the properties of the device that computes, never of another one.
#[test]
fn h6_3_automatic_values_are_those_of_the_chosen_device() {
    let old_gpu = DeviceFacts { memory_bytes: 16 << 30, fast_bf16: false };
    let new_gpu = DeviceFacts { memory_bytes: 24 << 30, fast_bf16: true };
    let slow_cpu = DeviceFacts { memory_bytes: 512 << 30, fast_bf16: false };
    let facts = Facts {
        images: 1_281_167,
        labels: true,
        cores: 32,
        cpu: slow_cpu,
        gpus: vec![old_gpu, new_gpu],
        ..Facts::default()
    };
    let resolve = |words: &[&str]| load("moco-v2", words).resolve(&facts).unwrap();

    let (cpu, warned) = resolve(&["compute.device=cpu"]);
    assert_eq!((cpu.compute.device, cpu.compute.precision), (Device::Cpu, Precision::Float32));
    assert_eq!(warned, []);
    let (_, warned) = resolve(&["compute.device=cpu", "compute.precision=bf16"]);
    assert_eq!(warned, [Warning::SlowBf16 { device: Device::Cpu }], "the CPU computes, so the CPU's bf16 counts");

    let (auto, _) = resolve(&[]);
    assert_eq!((auto.compute.device, auto.compute.precision), (Device::Cuda(0), Precision::Float32));
    let (second, warned) = resolve(&["compute.device=cuda:1"]);
    assert_eq!((second.compute.device, second.compute.precision), (Device::Cuda(1), Precision::Bf16));
    assert_eq!(warned, []);
    assert!(second.to_toml().contains("\ndevice = \"cuda:1\"  # command line\n"), "{}", second.to_toml());
    assert_eq!(Resolved::parse(&second.to_toml(), Path::new("x")).unwrap().compute, second.compute);

    // 24 GiB hold a batch of 256 images of ResNet-50 at 224 pixels in bf16, but not of ResNet-101 at 448 pixels.
    let large = ["moco.batch=auto", "model.arch=resnet101", "data.size=448", "compute.device=cuda:1"];
    let (limited, _) = resolve(&large);
    assert_eq!(limited.moco.batch, 32, "the memory is the GPU's, not the machine's");
    let (_, warned) = resolve(&[&large[1..], &["moco.batch=256", "compute.device=cuda:1"]].concat());
    assert!(
        matches!(warned.as_slice(), [Warning::MemoryTight { have_mib, .. }] if *have_mib == 24 << 10),
        "{warned:?}"
    );
}

#[test]
fn warnings_say_why() {
    assert_eq!(
        warnings("small-mochi", &["moco.queue=65536"], LAPTOP),
        [
            "moco.queue (65536) exceeds the 4000 keys produced per epoch: the queue contains older keys of each query's own image, which \
             act as false negatives"
        ]
    );
    let (_, list) = load("small-mochi", &["moco.queue=65536"]).resolve(&LAPTOP).unwrap();
    assert_eq!(
        list[0].hint().unwrap(),
        "set negatives.filters=[\"same-image\"], which excludes these keys, or moco.queue=auto (here 512)"
    );
    assert!(
        warnings("small-mochi", &["moco.queue=8000", "moco.symmetric=true"], LAPTOP)[0]
            .contains("is large for the 8000"),
        "two keys per image"
    );
    assert_eq!(
        warnings("small-mochi", &["negatives.hardest=2000"], LAPTOP),
        ["negatives.hardest (2000) exceeds the 512 available negatives: all of them are used as mixing candidates"]
    );
    assert!(warnings("moco-v2", &["moco.queue=512", "moco.batch=64"], LAPTOP).is_empty(), "plain MoCo mixes nothing");
    assert_eq!(
        warnings("small-mochi", &["epochs=5", "negatives.warmup_epochs=5"], LAPTOP),
        ["negatives.warmup_epochs (5) is not below epochs (5): no negative is ever synthesized"]
    );
    assert_eq!(
        warnings("small-mochi", &["data.size=32", "model.stem=standard"], LAPTOP),
        ["model.stem \"standard\" reduces a view of 32 pixels to a feature map of 1 x 1"]
    );
    assert_eq!(
        warnings("moco-v1", &["epochs=130", "moco.queue=1024", "moco.batch=64"], LAPTOP),
        ["optimizer.milestones [160] are not reached with epochs=130"]
    );
    let (resolved, list) = load("small-mochi", &["negatives.hardest=2000"]).resolve(&LAPTOP).unwrap();
    assert_eq!(resolved.negatives.hardest, 512);
    assert_eq!(list, [Warning::HardestClamped { hardest: 2000, columns: 512 }]);
}

#[test]
fn zero_epochs_writes_the_untrained_encoder_of_any_data() {
    let facts = Facts { images: 10, ..LAPTOP };
    let (resolved, warnings) = load("moco-v2", &["epochs=0"]).resolve(&facts).unwrap();
    assert_eq!((resolved.epochs, resolved.total_steps(10)), (0.0, 0));
    assert_eq!(warnings, []);
}

#[test]
fn config_toml_records_origins_and_reads_back() {
    let (resolved, _) = load("small-mochi", &["data.source=a \"b\"  # c", "seed=7"]).resolve(&LAPTOP).unwrap();
    let text = resolved.to_toml();
    assert!(text.contains("extends = \"small-mochi\"\n"), "{text}");
    assert!(text.contains("\nseed = 7  # command line\n"), "{text}");
    assert!(
        text.contains("\nqueue = 512  # auto: about a quarter of 4000 keys per epoch, from 256 to 65536\n"),
        "{text}"
    );
    let back = Resolved::parse(&text, Path::new("config.toml")).unwrap();
    assert_eq!(back.to_toml(), text, "values and remarks alike");
    assert_eq!(back.data.source, "a \"b\"  # c");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, &text).unwrap();
    let again = Settings::load(None, Some(&path), &[]).unwrap().resolve(&LAPTOP).unwrap().0;
    assert_eq!(
        (again.moco.clone(), again.negatives.clone(), again.preset_name()),
        (resolved.moco.clone(), resolved.negatives.clone(), resolved.preset_name())
    );
}

#[test]
fn config_toml_must_be_complete_and_resolved() {
    let text = load("small-mochi", &[]).resolve(&LAPTOP).unwrap().0.to_toml();
    let cut = text.replace("temperature = 0.2", "").replace("queue = 512", "queue = \"auto\"");
    let error = Resolved::parse(&cut, Path::new("config.toml")).unwrap_err().to_string();
    assert!(error.contains("missing key `moco.temperature` (config.toml)"), "{error}");
    assert!(
        error.contains(
            "invalid value for `moco.queue` (config.toml): expected an integer from 1 to 67108864, got \"auto\""
        ),
        "{error}"
    );
}

#[test]
fn config_toml_of_another_format_is_refused() {
    let text = load("small-mochi", &[]).resolve(&LAPTOP).unwrap().0.to_toml();
    assert!(text.contains("\nformat = 4\n"), "{text}");
    let read = |text: &str| Resolved::parse(text, Path::new("config.toml")).unwrap_err();
    let newer = read(&text.replace("format = 4", "format = 5"));
    assert_eq!(newer.to_string(), "config.toml was written by a newer Mochi, config format 5; this one reads 4");
    assert_eq!(newer.hint().unwrap(), "use the version of Mochi that wrote the file");
    // An older one has other keys, which would be four problems more.
    let older = text.replace("format = 4", "format = 3").replace("temperature =", "tau =").replace("queue =", "bank =");
    assert_eq!(
        read(&older).to_string(),
        "config.toml was written by an older Mochi, config format 3; this one reads 4"
    );
    let none = read(&text.replace("format = 4\n", ""));
    assert_eq!(none.to_string(), "missing key `format` (config.toml)");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text.replace("format = 4", "format = 5")).unwrap();
    let started_from = Settings::load(None, Some(&path), &[]).unwrap_err().to_string();
    assert!(started_from.ends_with("config.toml was written by a newer Mochi, config format 5; this one reads 4"));
    std::fs::write(&path, &older).unwrap();
    let started_from = Settings::load(None, Some(&path), &[]).unwrap_err();
    assert_eq!(started_from.problems().len(), 1, "{started_from}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the dataset and the machine, the automatic values stand together and are sensible.
    #[test]
    fn automatic_values_always_stand_together(
        images in 2usize..3_000_000, cores in 1usize..256, memory in 0u64..(1 << 40), gpus in 0usize..3, fast_bf16: bool,
        symmetric: bool,
    ) {
        let device = DeviceFacts { memory_bytes: memory, fast_bf16 };
        let facts = Facts { images, labels: true, cores, cpu: device, gpus: vec![device; gpus], ..Facts::default() };
        let (resolved, warnings) =
            load("small-mochi", &[&format!("moco.symmetric={symmetric}")]).resolve(&facts).unwrap();
        let moco = &resolved.moco;
        let keys = if symmetric { 2 * images } else { images };
        prop_assert!(moco.batch >= 2 && moco.batch <= 256 && moco.batch <= images);
        prop_assert!(moco.queue <= keys && moco.queue >= moco.batch.min(keys));
        prop_assert!(moco.batch % moco.bn_groups == 0);
        prop_assert!(resolved.negatives.hardest <= moco.queue && resolved.negatives.hardest > 0);
        prop_assert!(resolved.negatives.warmup_epochs < resolved.epochs);
        prop_assert!(resolved.total_steps(images) > 0);
        // The queue has at least 256 keys and those of one step, which can be more than a quarter of the keys per epoch.
        let least = if symmetric { 2 * moco.batch } else { moco.batch }.max(256);
        let expected = |warning: &Warning| match warning {
            Warning::BatchNormLeak | Warning::MemoryTight { .. } => true,
            Warning::QueueHoldsOwnKeys { keys, .. } => *keys <= 4 * least,
            _ => false,
        };
        prop_assert!(warnings.iter().all(expected), "{warnings:?}");
        let back = Resolved::parse(&resolved.to_toml(), Path::new("config.toml")).unwrap();
        prop_assert_eq!(back.to_toml(), resolved.to_toml());
    }

    /// No text of any kind makes the reader panic, and each fault keeps to one line.
    #[test]
    fn any_word_is_taken_or_refused_in_words(key in "[a-z_.=]{0,20}", value in ".{0,20}") {
        if let Err(error) = Settings::load(None, None, &[format!("{key}={value}"), format!("moco.{key}={value}")]) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    /// Any text is TOML that is checked or a fault that is told.
    #[test]
    fn any_file_is_read_or_refused(text in "(?s).{0,200}") {
        let _ = Resolved::parse(&text, Path::new("config.toml"));
    }
}

#[test]
fn data_of_the_command_line_is_said_to_be_so() {
    let mut settings = load("small-mochi", &[]);
    settings.set_sources("my photos".to_owned(), vec!["more".to_owned()], true);
    let (resolved, _) = settings.resolve(&LAPTOP).unwrap();
    assert!(
        resolved.to_toml().contains("\nsource = \"my photos\"  # command line\nalso = [\"more\"]  # command line\n")
    );
}

#[test]
fn more_sources_are_a_list_of_texts() {
    let also = |word: &str| Settings::load(None, None, &[word.to_owned()]);
    let (resolved, _) = also("data.also=[\"a b\", 'c']").unwrap().resolve(&LAPTOP).unwrap();
    assert!(resolved.to_toml().contains("\nalso = [\"a b\", \"c\"]  # command line\n"), "{}", resolved.to_toml());
    assert_eq!(Resolved::parse(&resolved.to_toml(), Path::new("x")).unwrap().data.also, ["a b", "c"]);
    assert!(load("small-mochi", &[]).data.also.is_empty());
    for wrong in ["data.also=photos", "data.also=[1]"] {
        assert!(also(wrong).unwrap_err().to_string().contains("a list of strings"), "{wrong}");
    }
}

#[test]
fn names_with_arguments_need_no_quotes_on_the_command_line() {
    fn list<T: std::fmt::Display>(selections: &[T]) -> String {
        selections.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
    let settings = load("synco", &["negatives.extra.noise.s=32", "negatives.extra.weight.w=2", "moco.loss=hcl"]);
    assert_eq!(
        list(&settings.negatives.extra),
        "{ extrapolate = { max = 1.5, s = 256 } }, { noise = { s = 32, sigma = 0.01 } }, { perturb = { delta = 0.01, s = 64 } }, \
         { adversarial = { eta = 0.01, s = 64 } }, { weight = { w = 2.0 } }"
    );
    assert_eq!(settings.moco.loss.to_string(), "{ hcl = { beta = 1.0, c = 0.1 } }");
    let settings =
        load("small-mochi", &["moco.loss.hcl.beta=0.5", "moco.loss.hcl.c=0.05", "negatives.filters=same-image,margin"]);
    assert_eq!(settings.moco.loss.to_string(), "{ hcl = { beta = 0.5, c = 0.05 } }");
    assert_eq!(list(&settings.negatives.filters), "\"same-image\", { margin = { m = 0.05 } }");
    let settings = load(
        "small-mochi",
        &["negatives.filters=[{ margin = { m = 0.1 } }, 'same-image']", "optimizer.milestones=3,5"],
    );
    assert_eq!(list(&settings.negatives.filters), "{ margin = { m = 0.1 } }, \"same-image\"");
    assert_eq!(settings.optimizer.milestones, [3, 5]);
    let (resolved, _) = load("synco", &["moco.loss.hcl.beta=0.5"]).resolve(&with_gpu(1_281_167, 80 << 30)).unwrap();
    let back = Resolved::parse(&resolved.to_toml(), Path::new("config.toml")).unwrap();
    assert_eq!((back.negatives, back.moco), (resolved.negatives, resolved.moco));
    assert_eq!(list(&load("synco", &["negatives.extra="]).negatives.extra), "", "an empty list");
    for wrong in ["negatives.extra.noise=3", "moco.loss.hcl.beta.x=1", "data.size.noise.s=3"] {
        assert!(Settings::load(Some("small-mochi"), None, &[wrong.to_owned()]).is_err(), "{wrong}");
    }
}
