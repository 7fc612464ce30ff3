//! Initial values follow PyTorch's rules: kernels by He's normal (torchvision: fan-out; the CIFAR family: fan-in), linear layers uniform in
//! 1/sqrt(in), norms 1 and 0.
#![allow(clippy::unwrap_used, reason = "test helpers; clippy.toml frees only the tests themselves")]

use mochi_nets::{Arch, Encoder, EncoderSpec, HeadKind, NormMode, Stem};
use mochi_tensor::{Compute, Kind, Tensor, with_seed};

fn encoder(arch: Arch, head: HeadKind) -> Encoder {
    let spec = EncoderSpec { arch, stem: Stem::Standard, head, dim: 128 };
    with_seed(7, || Encoder::new(&spec, Compute::CPU)).unwrap()
}

/// Count, mean, deviation and largest absolute value.
fn moments(tensor: &Tensor) -> (f64, f64, f64, f64) {
    let t = tensor.detach().to_kind(Kind::Double);
    let mean = t.mean(Kind::Double).double_value(&[]);
    let deviation = (&t - mean).square().mean(Kind::Double).sqrt().double_value(&[]);
    (t.numel() as f64, mean, deviation, t.abs().max().double_value(&[]))
}

#[test]
fn kernels_are_normal_with_hes_deviation() {
    for (arch, fan_out) in [(Arch::ResNet18, true), (Arch::ResNet50, true), (Arch::Cifar { blocks: 3 }, false)] {
        let encoder = encoder(arch, HeadKind::Mlp);
        let mut kernels = 0;
        for (name, tensor, _) in encoder.store().iter().filter(|(_, t, _)| t.dim() == 4) {
            kernels += 1;
            let size = tensor.size();
            let fan = if fan_out { size[0] } else { size[1] } * size[2] * size[3];
            let wanted = (2.0 / fan as f64).sqrt();
            let (count, mean, deviation, largest) = moments(tensor);
            // Five standard errors of a mean and of a deviation.
            assert!(mean.abs() < 5.0 * wanted / count.sqrt(), "{arch} {name}: mean {mean}");
            assert!(
                (deviation / wanted - 1.0).abs() < 5.0 / (2.0 * count).sqrt(),
                "{arch} {name}: deviation {deviation}, not {wanted}"
            );
            // Normal, not uniform, whose largest value would be sqrt(3) deviations.
            assert!(largest > 2.0 * wanted, "{arch} {name}");
        }
        assert_eq!(
            kernels,
            match arch {
                Arch::ResNet18 => 20,
                Arch::ResNet50 => 53,
                _ => 19,
            }
        );
    }
}

#[test]
fn linear_layers_are_uniform_and_norms_neutral() {
    for (head, names) in [(HeadKind::Mlp, vec!["fc.0", "fc.2"]), (HeadKind::Linear, vec!["fc"])] {
        let encoder = encoder(Arch::ResNet18, head);
        let linear: Vec<&str> =
            encoder.store().iter().map(|(name, _, _)| name).filter(|name| name.starts_with("fc")).collect();
        let wanted: Vec<String> =
            names.iter().flat_map(|name| [format!("{name}.weight"), format!("{name}.bias")]).collect();
        assert_eq!(linear, wanted);
        for (name, tensor, _) in encoder.store().iter().filter(|(name, _, _)| name.starts_with("fc")) {
            let bound = 1.0 / 512f64.sqrt();
            let (count, mean, deviation, largest) = moments(tensor);
            assert!(
                largest <= bound * (1.0 + 1e-6) && largest > bound * (1.0 - 10.0 / count),
                "{name}: {largest} of {bound}"
            );
            assert!(mean.abs() < 5.0 * bound / (3.0 * count).sqrt(), "{name}: mean {mean}");
            assert!(
                (deviation * 3.0f64.sqrt() / bound - 1.0).abs() < 5.0 / count.sqrt(),
                "{name}: deviation {deviation}"
            );
        }
        for (name, tensor, _) in encoder.store().iter().filter(|(name, t, _)| t.dim() < 2 && !name.starts_with("fc")) {
            let value = if name.ends_with("weight") || name.ends_with("running_var") { 1.0 } else { 0.0 };
            assert!(tensor.equal(&tensor.full_like(value)), "{name}");
        }
    }
}

#[test]
fn a_seed_gives_the_same_network() {
    let (one, two) =
        (encoder(Arch::Cifar { blocks: 3 }, HeadKind::Mlp), encoder(Arch::Cifar { blocks: 3 }, HeadKind::Mlp));
    assert!(one.store().identical(&two.store().export("")));
}

/// torchvision's `zero_init_residual`: at first the blocks add nothing, and the features are the pooled response of the first convolution.
#[test]
fn the_blocks_of_the_patch_resnet_start_as_the_identity() {
    let encoder = encoder(Arch::PatchResNet, HeadKind::Mlp);
    let scales: Vec<&str> = encoder
        .store()
        .iter()
        .filter(|(_, tensor, _)| tensor.dim() == 1 && tensor.numel() == 256 && tensor.equal(&tensor.zeros_like()))
        .map(|(name, ..)| name)
        .filter(|name| name.ends_with(".weight"))
        .collect();
    assert_eq!(scales, ["layer1.0.bn3.weight", "layer1.1.bn3.weight"]);
    let images = Tensor::rand([2, 3, 40, 48], (Kind::Float, mochi_tensor::Device::Cpu));
    let features = mochi_tensor::no_grad(|| encoder.features(&images, NormMode::Eval)).unwrap();
    // Running statistics of a new norm are 0 and 1, with an epsilon of 1e-5. There are two, after the convolution and of the features.
    let first = images.conv2d(encoder.first_filters(), None::<Tensor>, 4, 3, 1, 1).relu() / 1.00001;
    let wanted = first.avg_pool2d([2, 2], [2, 2], [0, 0], true, false, None).adaptive_avg_pool2d([3, 3]).flatten(1, -1);
    assert_eq!(features.size(), [2, 2304]);
    assert!(features.allclose(&wanted, 1e-5, 1e-6, false));
}
