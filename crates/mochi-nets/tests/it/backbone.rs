//! Feature maps, single stages and freezing.
#![allow(clippy::unwrap_used, reason = "test helpers; clippy.toml frees only the tests themselves")]

use crate::formula::formula;
use mochi_nets::{Arch, Backbone, NormMode, ShapeSpec, Stage, Stem};
use mochi_tensor::{Compute, Kind, Optimizer, ParameterGroup, ParameterStore, Tensor, Update, no_grad, with_seed};

const TRAIN: NormMode = NormMode::Train { groups: 1 };

fn build(arch: &str, stem: Stem) -> (Backbone, ParameterStore) {
    let mut store = ParameterStore::new();
    let arch: Arch = arch.parse().unwrap();
    (with_seed(1, || Backbone::new(arch, stem, Compute::CPU, &mut store)).unwrap(), store)
}

fn images(size: [i64; 2]) -> Tensor {
    Compute::CPU.input(&formula("input", &[2, 3, size[0], size[1]])).unwrap()
}

#[test]
fn maps_have_detectron2s_names_strides_and_channels() {
    // detectron2's ResNet-50 and -18 (`output_shape()`); the CIFAR stem divides the strides by 4.
    for (arch, stem, channels, strides) in [
        ("resnet50", Stem::Standard, vec![256, 512, 1024, 2048], vec![4, 8, 16, 32]),
        ("resnet18", Stem::Standard, vec![64, 128, 256, 512], vec![4, 8, 16, 32]),
        ("resnet18", Stem::Cifar, vec![64, 128, 256, 512], vec![1, 2, 4, 8]),
        ("resnet20", Stem::Cifar, vec![16, 32, 64], vec![1, 2, 4]),
        ("patch-resnet", Stem::Standard, vec![256], vec![8]),
        ("patch-resnet", Stem::Cifar, vec![256], vec![4]),
    ] {
        let (backbone, _) = build(arch, stem);
        let wanted: Vec<(Stage, ShapeSpec)> = Stage::ALL[1..]
            .iter()
            .zip(channels.iter().zip(&strides))
            .map(|(&stage, (&channels, &stride))| (stage, ShapeSpec { channels, stride }))
            .collect();
        assert_eq!(backbone.shapes().collect::<Vec<_>>(), wanted, "{arch}");
        // 65 and 33 pixels: a side of n gives ceil(n / stride) cells.
        let (high, wide) = (65, 33);
        let maps = no_grad(|| backbone.features(&[images([high, wide])], NormMode::Eval, Stage::Res5)).unwrap();
        for (map, (stage, shape)) in maps[0].iter().zip(&wanted) {
            assert_eq!((map.stage, map.shape), (*stage, *shape));
            let cells = |n: i64| n.div_euclid(shape.stride) + i64::from(n % shape.stride != 0);
            assert_eq!(map.values.size(), [2, shape.channels, cells(high), cells(wide)], "{arch} {stage}");
        }
        assert_eq!(maps[0].iter().count(), wanted.len());
    }
}

/// The pooled features are held to torchvision's; the maps are what is pooled.
#[test]
fn the_last_map_pools_to_the_features_and_stages_can_run_alone() {
    let (backbone, store) = build("resnet18", Stem::Standard);
    let before = store.export("");
    let images = images([64, 64]);
    for mode in [NormMode::Eval, TRAIN] {
        store.load(&before, "").unwrap();
        let pooled = no_grad(|| backbone.pooled(&images, mode)).unwrap();
        store.load(&before, "").unwrap();
        let maps = no_grad(|| backbone.features(std::slice::from_ref(&images), mode, Stage::Res4)).unwrap();
        assert!(maps[0].get(Stage::Res5).is_none() && maps[0].get(Stage::Stem).is_none());
        let res4 = maps[0].get(Stage::Res4).unwrap().values.shallow_clone();
        let res5 = no_grad(|| backbone.stage(Stage::Res5, &[res4], mode)).unwrap();
        assert!(res5[0].mean_dim([2i64, 3].as_slice(), false, Kind::Float).equal(&pooled), "{mode:?}");
    }
    let error = backbone.stage(Stage::Stem, std::slice::from_ref(&images), NormMode::Eval).unwrap_err().to_string();
    assert!(error.contains("res2, res3, res4, res5"), "{error}");
    let (cifar, _) = build("resnet20", Stem::Cifar);
    assert!(cifar.stage(Stage::Res5, &[images], NormMode::Eval).is_err());
}

#[test]
fn frozen_stages_neither_learn_nor_follow_the_batch() {
    let (mut backbone, store) = build("resnet18", Stem::Standard);
    backbone.freeze_through(Stage::Res3);
    let frozen = |name: &str| ["conv1", "bn1", "layer1.", "layer2."].iter().any(|prefix| name.starts_with(prefix));
    for (name, tensor) in store.named_parameters() {
        assert_eq!(tensor.requires_grad(), !frozen(name), "{name}");
    }
    let mut optimizer =
        Optimizer::new(Update::Sgd, 0.9, vec![ParameterGroup::new(1.0, 1e-4).with(&store, "", |_| true)]).unwrap();
    let before = store.export("");
    let features = backbone.pooled(&images([64, 64]), TRAIN).unwrap();
    features.square().mean(Kind::Float).backward();
    optimizer.step(0.1).unwrap();
    for (name, now) in store.export("") {
        assert_eq!(now.equal(&before[&name]), frozen(&name), "{name}");
    }
}

#[test]
fn norms_are_frozen_by_name_and_kernels_go_on_learning() {
    let (mut backbone, store) = build("resnet20", Stem::Cifar);
    backbone.freeze_norms(|name| name.starts_with("layer1."));
    let before = store.export("");
    backbone.pooled(&images([16, 16]), TRAIN).unwrap().square().mean(Kind::Float).backward();
    for (name, tensor) in store.named_parameters() {
        let frozen = name.starts_with("layer1.") && name.contains(".bn");
        assert_eq!(tensor.grad().defined(), !frozen, "{name}");
    }
    for (name, now) in store.export("").iter().filter(|(name, _)| name.contains("running")) {
        assert_eq!(now.equal(&before[name]), name.starts_with("layer1."), "{name}");
    }
}
