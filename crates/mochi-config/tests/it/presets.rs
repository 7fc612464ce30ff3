//! Built-in presets: each value that its source states.

use std::path::Path;

use mochi_config::{Arch, Augment, Auto, Described, Facts, PRETRAINING, Resolved, Settings, Task, Warning, detection};

use crate::{LAPTOP, load, with_gpu};

const IMAGENET_100: usize = 126_689;
const IMAGENET_1K: usize = 1_281_167;

/// The dataset that a preset is meant for, on a machine with enough memory.
fn own_facts(preset: &str) -> Facts {
    match preset {
        "small" => LAPTOP,
        "demo" => Facts { images: 60_000, cores: 2, short_side: Some(28), ..LAPTOP },
        "moco-v2-cifar" | "supcon" => with_gpu(50_000, 80 << 30),
        "mochi-1024-1024-128" | "mochi-1024-256-512" | "mochi-1024-128-256" => with_gpu(IMAGENET_100, 80 << 30),
        "simclr" | "nnclr" => with_gpu(IMAGENET_1K, 1 << 40),
        _ => with_gpu(IMAGENET_1K, 80 << 30),
    }
}

fn resolved(preset: &str) -> Resolved {
    Settings::preset(preset).unwrap().resolve(&own_facts(preset)).unwrap().0
}

#[test]
fn every_preset_resolves_without_an_unexpected_warning_on_its_own_data() {
    for preset in PRETRAINING.presets() {
        let (resolved, warnings) = Settings::preset(preset.name).unwrap().resolve(&own_facts(preset.name)).unwrap();
        assert_eq!(warnings, [], "{}", preset.name);
        assert_eq!(resolved.preset_name(), preset.name);
        let summary = preset.summary();
        assert!(summary.ends_with('.') && !summary.contains("Source:"), "{}: {summary}", preset.name);
    }
}

#[test]
fn the_standard_stem_is_too_coarse_for_28_pixels() {
    let warnings = |words: &[&str]| load("demo", words).resolve(&own_facts("demo")).unwrap().1;
    let standard = ["model.arch=resnet18", "model.stem=standard"];
    assert_eq!(warnings(&standard), [Warning::StemTooCoarse { size: 28, cells: 1 }]);
    assert_eq!(warnings(&["model.arch=resnet18"]), [], "the automatic stem is the finer one");
    assert_eq!(warnings(&["model.arch=resnet20", "model.stem=cifar"]), [Warning::StemIgnored { arch: Arch::Resnet20 }]);
    assert_eq!(warnings(&["model.stem=standard"]), [], "patch-resnet pools 28 pixels to 4 x 4");
}

#[test]
fn small_is_simclr_at_sizes_that_follow_from_the_data() {
    let of = |images| Settings::preset("small").unwrap().resolve(&Facts { images, ..LAPTOP }).unwrap().0;
    let run = of(4000);
    assert!(run.within_batch() && !run.negatives.synthesizes());
    assert_eq!((run.data.views, run.moco.batch, run.moco.bn_groups, run.model.head.as_str()), (8, 64, 1, "mlp-bn"));
    assert_eq!(
        (run.optimizer.name.as_str(), run.optimizer.learning_rate, run.optimizer.weight_decay),
        ("adamw", 0.001, 0.01)
    );
    assert_eq!((run.epochs, run.optimizer.warmup_epochs), (55.9, 1.68), "as many views as 224 epochs of two views");
    // A smaller batch: the rate falls with its square root.
    let few = of(16);
    assert_eq!((few.moco.batch, few.optimizer.learning_rate), (16, 0.0005));
    let two = Settings::load(Some("small"), None, &["data.views=2", "optimizer.name=sgd"].map(str::to_owned));
    let two = two.unwrap().resolve(&LAPTOP).unwrap().0;
    assert_eq!((two.moco.batch, two.optimizer.learning_rate, two.epochs), (256, 0.12, 224.0));

    let (mochi, _) = Settings::preset("small-mochi").unwrap().resolve(&LAPTOP).unwrap();
    assert!(mochi.uses_queue() && mochi.negatives.synthesizes());
}

#[test]
fn mochi_presets_have_the_sizes_in_their_names() {
    let mut count = 0;
    for preset in PRETRAINING.presets() {
        let Some(numbers) = preset.name.strip_prefix("mochi-") else { continue };
        let n = resolved(preset.name).negatives;
        assert_eq!(format!("{}-{}-{}", n.hardest, n.pairs, n.query_mixes), numbers);
        count += 1;
    }
    assert_eq!(count, 9);
}

/// A1: the presets reported on ImageNet-100 have that dataset's queue, so that few queries meet their own older key.
#[test]
fn a1_mochi_presets_of_imagenet_100_have_its_queue() {
    for preset in PRETRAINING.presets().filter(|preset| preset.name.starts_with("mochi-")) {
        let settings = resolved(preset.name);
        let images = own_facts(preset.name).images;
        let (queue, warmup) = if images == IMAGENET_100 { (16_384, 10.0) } else { (65_536, 15.0) };
        assert_eq!((settings.moco.queue, settings.negatives.warmup_epochs), (queue, warmup), "{}", preset.name);
        assert!((queue as f64 / images as f64).powi(2) / 2.0 < 0.05);
    }
}

/// A1: a queue in which more than 5 % of the queries meet their own older key is warned about, unless the filter excludes it.
#[test]
fn a1_a_queue_with_many_own_keys_is_warned_about() {
    let warnings = |preset: &str, arguments: &[&str], images: usize| {
        load(preset, arguments).resolve(&Facts { images, ..own_facts(preset) }).unwrap().1
    };
    let told = warnings("moco-v2", &[], IMAGENET_100);
    assert_eq!(
        told.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "moco.queue (65536) is large for the 126689 keys produced per epoch: 13 % of the queries have the previous key of their \
             own image in the queue, which acts as a false negative"
        ]
    );
    assert_eq!(
        told[0].hint().unwrap(),
        "set negatives.filters=[\"same-image\"], which excludes these keys, or moco.queue=auto (here 16384)"
    );
    assert_eq!(warnings("moco-v2", &["negatives.filters=[\"same-image\"]"], IMAGENET_100), []);
    assert_eq!(warnings("moco-v2", &["moco.symmetric=true"], 2 * IMAGENET_100), [], "two keys per image");
    // (K/n)^2/2 is 5.3 % and 4.9 %.
    assert_eq!(warnings("moco-v2", &[], 202_000).len(), 1);
    assert_eq!(warnings("moco-v2", &[], 210_000), []);
    assert_eq!(warnings("nnclr", &[], 200_000), [], "the queue holds no negatives");
}

/// A2: the temperature is that of the authors' ImageNet command, `--mixco-t 1`.
#[test]
fn a2_mixco_has_temperature_1() {
    let mix = resolved("mixco").mix;
    assert_eq!((mix.images.as_str(), mix.alpha, mix.weight, mix.temperature), ("mixco", 1.0, 1.0, 1.0));
}

/// A5: crops of 0.2 to 1, and a learning rate and weight decay that take the steps of the authors' scaled loss.
#[test]
fn a5_supcon_takes_the_steps_of_the_authors_command() {
    let settings = resolved("supcon");
    assert_eq!((settings.data.augment, settings.data.size), (Augment::SupconCifar, 32));
    let (rate, decay, scale) = (settings.optimizer.learning_rate, settings.optimizer.weight_decay, 0.1 / 0.07);
    // SGD on c * loss: v <- m v + c g + d w, w <- w - r v. With v = c u it is u <- m u + g + (d / c) w, w <- w - (r c) u.
    assert!((rate / (0.5 * scale) - 1.0).abs() < 1e-12, "{rate}");
    assert!((decay / (1e-4 / scale) - 1.0).abs() < 1e-12, "{decay}");
    assert_eq!((settings.moco.temperature, settings.moco.batch, settings.epochs), (0.1, 1024, 1000.0));
    assert_eq!(settings.model.head.as_str(), "mlp", "two layers without batch norm");
    assert_eq!(settings.optimizer.warmup_epochs, 10.0);
}

/// A6: the authors' ImageNet command as it is today: CutMix, alpha 1, batch 512, 800 epochs.
#[test]
fn a6_i_mix_is_the_authors_imagenet_command() {
    let settings = resolved("i-mix");
    let (mix, moco, optimizer) = (&settings.mix, &settings.moco, &settings.optimizer);
    assert_eq!((mix.images.as_str(), mix.alpha, mix.region), ("i-mix", 1.0, 1.0));
    assert_eq!((moco.batch, moco.queue, moco.temperature, moco.momentum), (512, 65_536, 0.2, 0.999));
    assert_eq!((optimizer.learning_rate, optimizer.weight_decay, optimizer.warmup_epochs), (0.06, 1e-4, 10.0));
    assert_eq!((settings.epochs, settings.negatives.from.as_str(), moco.bn_groups), (800.0, "both", 8));
}

/// B5: the counts and strengths of the authors' command.
#[test]
fn b5_synco_has_the_counts_of_the_authors_command() {
    let settings = resolved("synco");
    let n = &settings.negatives;
    assert_eq!((n.hardest, n.query_mixes, n.pairs, n.warmup_epochs), (1024, 256, 256, 10.0));
    let extra: Vec<String> = n.extra.iter().map(ToString::to_string).collect();
    assert_eq!(
        extra,
        [
            "{ extrapolate = { max = 1.5, s = 256 } }",
            "{ noise = { s = 64, sigma = 0.01 } }",
            "{ perturb = { delta = 0.01, s = 64 } }",
            "{ adversarial = { eta = 0.01, s = 64 } }"
        ]
    );
}

#[test]
fn moco_presets_are_those_of_the_authors() {
    let v2 = resolved("moco-v2");
    assert_eq!((v2.moco.batch, v2.moco.queue, v2.moco.momentum, v2.moco.temperature), (256, 65_536, 0.999, 0.2));
    assert_eq!((v2.epochs, v2.optimizer.learning_rate, v2.optimizer.weight_decay), (200.0, 0.03, 1e-4));
    let v1 = Settings::preset("moco-v1").unwrap();
    assert_eq!(
        (v1.moco.temperature, v1.model.head.as_str(), v1.data.augment),
        (0.07, "linear", Auto::Set(Augment::MocoV1))
    );
    assert_eq!((v1.optimizer.schedule.as_str(), v1.optimizer.milestones), ("step", vec![120, 160]));
    assert_eq!(v1.moco.queue, Auto::Set(65_536));
    let cifar = resolved("moco-v2-cifar");
    assert_eq!(
        (cifar.moco.batch, cifar.moco.queue, cifar.moco.momentum, cifar.moco.temperature),
        (512, 4096, 0.99, 0.1)
    );
    assert_eq!((cifar.optimizer.learning_rate, cifar.optimizer.weight_decay, cifar.moco.bn_groups), (0.06, 5e-4, 8));
    // A4: the authors' head has a batch norm after both layers.
    let simclr = resolved("simclr");
    assert_eq!(simclr.model.head.as_str(), "mlp-bn");
    assert_eq!((simclr.moco.batch, simclr.moco.temperature, simclr.epochs), (4096, 0.1, 1000.0));
    assert_eq!((simclr.optimizer.name.as_str(), simclr.optimizer.learning_rate), ("lars", 4.8));
    let un_mix = resolved("un-mix").mix;
    assert_eq!((un_mix.images.as_str(), un_mix.alpha, un_mix.region), ("un-mix", 1.0, 0.5));
}

/// Each key with its value, without its origin.
fn values(described: Vec<Described>) -> Vec<(&'static str, String)> {
    described.into_iter().map(|row| (row.key, row.value.to_string())).collect()
}

/// The settings of a file, and those of a preset.
fn of_text_and_preset(task: Task, text: String, preset: &str) -> [Vec<(&'static str, String)>; 2] {
    let path = Path::new("printed.toml");
    match task {
        Task::Pretraining => {
            let printed = Settings::load_text(path, text, &[]).unwrap();
            [values(printed.describe()), values(Settings::preset(preset).unwrap().describe())]
        }
        Task::Detection => {
            let printed = detection::Settings::load_text(path, text).unwrap();
            [values(printed.describe()), values(detection::Settings::preset(preset).unwrap().describe())]
        }
    }
}

#[test]
fn the_complete_text_names_every_key_and_gives_the_settings_of_the_preset() {
    for &task in Task::ALL {
        for preset in task.schema().presets() {
            let text = preset.complete_text(task.schema());
            let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}\n{text}", preset.name));
            for key in task.schema().keys() {
                let found = match key.name.split_once('.') {
                    None => table.get(key.name),
                    Some((section, field)) => table.get(section).and_then(|section| section.get(field)),
                };
                assert!(found.is_some(), "{}: {} is missing\n{text}", preset.name, key.name);
            }
            for line in preset.text.lines() {
                assert!(text.contains(line), "{}: {line}", preset.name);
            }
            let [printed, own] = of_text_and_preset(task, text, preset.name);
            assert_eq!(printed, own, "{}", preset.name);
        }
    }
}

#[test]
fn inherited_keys_are_marked_with_their_preset_and_its_sources() {
    let text = |name: &str| PRETRAINING.preset(name).unwrap().complete_text(&PRETRAINING);
    let mochi = text("mochi-1024-128-256");
    assert!(mochi.starts_with("# MoCHi (1024, 128, 256)"), "{mochi}");
    assert!(mochi.contains("\nquery_mixes = 256\nfrom = \"queue\"  # from moco-v2\n"), "{mochi}");
    assert!(mochi.contains("\nwarmup_epochs = 10.0  # from mochi-1024-1024-128\n"), "{mochi}");
    assert!(mochi.contains("\n# K of the paper: "), "the comment of an inherited key\n{mochi}");
    assert!(mochi.contains("\nqueue = 16384  # from mochi-1024-1024-128\n"), "{mochi}");
    assert!(mochi.contains("\n#\n# moco-v2:\n# MoCo v2 "), "{mochi}");
    assert!(mochi.contains("\n# Source: facebookresearch/moco, "), "{mochi}");
    let synco = text("synco");
    assert!(synco.contains("{ adversarial = { s = 64, eta = 0.01 } },\n]\nwarmup_epochs = 10\nfrom = "), "{synco}");
    assert_eq!(text("moco-v2"), PRETRAINING.preset("moco-v2").unwrap().text, "it inherits nothing");
    let detection = &detection::DETECTION;
    let pyramid = detection.preset("coco-r50-fpn-1x").unwrap().complete_text(detection);
    assert!(pyramid.contains("\n# voc-r50-c4-24k, [regions]:\n# detectron2, config/defaults.py.\n"), "{pyramid}");
}

#[test]
fn presets_of_papers_name_their_sources() {
    for preset in PRETRAINING.presets().filter(|preset| !["small", "small-mochi", "demo"].contains(&preset.name)) {
        assert!(preset.text.lines().nth(1).is_some_and(|line| line.starts_with("# Source: ")), "{}", preset.name);
    }
}
