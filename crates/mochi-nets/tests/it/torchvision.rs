//! Networks against torchvision (and plain torch for the CIFAR family and the CIFAR stem), computed in float64 by
//! `fixtures/make_resnet_cases.py` on weights that a formula gives both sides.
#![allow(clippy::unwrap_used, reason = "test helpers; clippy.toml frees only the tests themselves")]

use crate::formula::{formula, summary};
use mochi_nets::{Arch, Backbone, NormMode, Stem};
use mochi_tensor::{Compute, Kind, ParameterStore, Role, Tensor, read_tensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The project's bound for networks in float32.
const TOLERANCE: f64 = 1e-4;
const CASES: [&str; 6] =
    ["resnet18", "resnet50", "resnet18_cifar_groups", "resnet20", "patch_resnet", "patch_resnet_28"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn error(ours: &Tensor, theirs: &Tensor) -> f64 {
    assert_eq!(ours.size(), theirs.size());
    let (ours, theirs) = (ours.to_kind(Kind::Double), theirs.to_kind(Kind::Double));
    (ours - &theirs).abs().max().double_value(&[]) / theirs.abs().max().double_value(&[])
}

/// Rows of summaries: the norm relative to itself, entries relative to the tensor's largest, or to the largest of `reference` where that is larger.
fn row_error(ours: &Tensor, theirs: &Tensor, reference: &Tensor) -> f64 {
    let [ours, theirs, reference] =
        [ours, theirs, reference].map(|t| Vec::<f64>::try_from(t.to_kind(Kind::Double)).unwrap());
    let scale = [theirs[0].max(reference[0]), theirs[1].max(reference[1])];
    let off = |(i, (a, b)): (usize, (&f64, &f64))| (a - b).abs() / scale[usize::from(i == 1)];
    ours.iter().zip(&theirs).enumerate().map(off).fold(0.0, |worst, e| if e > worst || e.is_nan() { e } else { worst })
}

/// Shifts that keep activations away from a ReLU's corner, as the script sets them.
fn settle(store: &ParameterStore) {
    let bottleneck = store.iter().any(|(name, _, _)| name.ends_with(".bn3.bias"));
    for (name, tensor, _) in store.iter().filter(|(name, _, _)| name.ends_with(".bias")) {
        let inner =
            name.starts_with("layer") && (name.ends_with(".bn1.bias") || bottleneck && name.ends_with(".bn2.bias"));
        let shifts: Vec<f32> = (0..tensor.numel()).map(|c| if inner && c % 2 == 1 { -4.0 } else { 4.0 }).collect();
        mochi_tensor::no_grad(|| tensor.shallow_clone().copy_(&Tensor::from_slice(&shifts)));
    }
}

/// Name, tensor and role of everything but the counters, which have no place in the fixtures.
fn stored(store: &ParameterStore) -> impl Iterator<Item = (&str, &Tensor, Role)> {
    store.iter().filter(|(_, _, role)| *role != Role::Counter)
}

/// Every error of a case in one layout by what it is of.
fn errors(case: &str, channels_last: bool) -> BTreeMap<String, f64> {
    let (file, metadata) = read_tensors(&fixture(&format!("{case}.safetensors"))).unwrap();
    let number = |name: &str| metadata[name].parse::<i64>().unwrap();
    let arch: Arch = metadata["arch"].parse().unwrap();
    let stem = if metadata["stem"] == "cifar" { Stem::Cifar } else { Stem::Standard };
    let compute = Compute { channels_last, ..Compute::CPU };
    let mut store = ParameterStore::new();
    let net = Backbone::new(arch, stem, compute, &mut store).unwrap();
    let weights: BTreeMap<String, Tensor> =
        stored(&store).map(|(name, tensor, _)| (name.to_owned(), formula(name, &tensor.size()))).collect();
    store.load(&weights, "").unwrap();
    let images = compute.input(&formula("input", &[number("batch"), 3, number("size"), number("size")])).unwrap();

    let mut found = BTreeMap::new();
    // The file has features of the first images of a large batch.
    let stored_features = |ours: &Tensor, name: &str| error(&ours.narrow(0, 0, file[name].size()[0]), &file[name]);
    let ours = mochi_tensor::no_grad(|| net.pooled(&images, NormMode::Eval)).unwrap();
    found.insert("features_eval".to_owned(), stored_features(&ours, "features_eval"));
    let ours = net.pooled(&images, NormMode::Train { groups: number("groups") }).unwrap();
    found.insert("features".to_owned(), stored_features(&ours, "features"));

    store.load(&weights, "").unwrap();
    settle(&store);
    let ours = net.pooled(&images, NormMode::Train { groups: number("groups") }).unwrap();
    (&ours * formula("cotangent", &ours.size())).mean(Kind::Float).backward();
    let mut row = [0, 0];
    for (name, tensor, role) in stored(&store) {
        let (table, at, value) = match role {
            Role::Parameter => ("gradients", &mut row[0], tensor.grad()),
            Role::Buffer | Role::Counter => ("statistics", &mut row[1], tensor.shallow_clone()),
        };
        let theirs = file[table].get(*at);
        // A shift behind an open ReLU is taken out again by the next norm: its gradient is 0 up to rounding and has no digits of its
        // own. Its scale's, the row before, is a sum over the same pixels.
        let reference = if name.ends_with(".bias") { file[table].get(*at - 1) } else { theirs.shallow_clone() };
        found.insert(format!("{table}: {name}"), row_error(&summary(name, &value), &theirs, &reference));
        *at += 1;
    }
    assert_eq!([file["gradients"].size()[0], file["statistics"].size()[0]], row);
    found
}

fn hold(channels_last: bool) {
    let mut bad = Vec::new();
    for case in CASES {
        let found = errors(case, channels_last);
        let worst = found.iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        println!("{case}: worst {:.1e} in {}", worst.1, worst.0);
        // A NaN is bad too.
        bad.extend(
            found
                .into_iter()
                .filter(|(_, error)| error.is_nan() || *error > TOLERANCE)
                .map(|(what, error)| format!("{case} {what}: {error:.1e}")),
        );
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn the_fused_layout_computes_what_torchvision_does() {
    hold(true);
}

#[test]
fn the_contiguous_layout_computes_what_torchvision_does() {
    hold(false);
}

#[test]
fn names_shapes_and_their_order_are_torchvisions() {
    for name in ["resnet18", "resnet34", "resnet50", "resnet101"] {
        let mut store = ParameterStore::new();
        Backbone::new(name.parse().unwrap(), Stem::Standard, Compute::CPU, &mut store).unwrap();
        let ours: Vec<String> = stored(&store)
            .map(|(name, tensor, _)| {
                std::iter::once(name.to_owned())
                    .chain(tensor.size().iter().map(i64::to_string))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        let theirs = std::fs::read_to_string(fixture(&format!("{name}.names.txt"))).unwrap();
        assert_eq!(ours, theirs.lines().collect::<Vec<_>>(), "{name}");
        // torch's strict load wants a counter after each running variance (house review, defect 22).
        let all: Vec<(&str, &Tensor, Role)> = store.iter().collect();
        for (at, (norm, ..)) in all.iter().enumerate().filter(|(_, (name, ..))| name.ends_with(".running_var")) {
            let (counter, tensor, role) = &all[at + 1];
            assert_eq!(*counter, norm.replace("running_var", "num_batches_tracked"));
            assert_eq!((tensor.size(), tensor.kind(), *role), (Vec::new(), Kind::Int64, Role::Counter));
        }
    }
}

#[test]
fn parameter_counts_are_the_published_ones() {
    // torchvision without fc; ResNet-20 as counted by hand from He et al. (0.27 M with its 650 of the classifier).
    for (name, count) in [
        ("resnet18", 11_176_512),
        ("resnet34", 21_284_672),
        ("resnet50", 23_508_032),
        ("resnet101", 42_500_160),
        ("resnet20", 269_072),
    ] {
        let mut store = ParameterStore::new();
        Backbone::new(name.parse().unwrap(), Stem::Standard, Compute::CPU, &mut store).unwrap();
        assert_eq!(store.parameter_count(), count, "{name}");
    }
}
