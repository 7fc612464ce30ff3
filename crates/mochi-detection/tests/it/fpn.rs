//! Mask R-CNN with a feature pyramid against modules of torchvision with detectron2's rules (`fpn_numbers.json`, by `make_fpn_cases.py`).

use mochi_annotations::{Mask, Placement, Rle};
use mochi_detection::anchors::Anchors;
use mochi_detection::boxes::ImageSize;
use mochi_detection::proposals::ProposalLimits;
use mochi_detection::sampling::Sampling;
use mochi_detection::{Architecture, Detector, DetectorSpec, PlacedMask, Truth, level, names};
use mochi_nets::{Arch, NormMode, Stem};
use mochi_tensor::{Compute, Device, Kind, Precision, Role, Tensor, no_grad, with_seed};
use serde_json::Value;

use crate::formula::{self, close};

const TRAIN: NormMode = NormMode::Train { groups: 1 };

const SIZES: [ImageSize; 2] = [ImageSize { height: 220, width: 250 }, ImageSize { height: 200, width: 224 }];

const DEVIATIONS: [(&str, f64); 7] = [
    ("rpn_head.conv.weight", 0.01),
    ("objectness_logits.weight", 0.005),
    ("anchor_deltas.weight", 0.002),
    ("cls_score.weight", 0.004),
    ("bbox_pred.weight", 0.001),
    ("mask_head.predictor.weight", 0.02),
    ("mask_head.deconv.weight", 0.03),
];

/// The script's `permuted`.
fn permuted(n: usize) -> Vec<usize> {
    let divisor = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let step = ((5 * n / 8).max(1)..n + 2).find(|&step| divisor(step, n) == 1).unwrap_or(1);
    (0..n).map(|i| i * step % n).collect()
}

fn truths(about: &Value) -> Vec<Truth> {
    (0..2)
        .map(|i| {
            let counts: Vec<Vec<u32>> = serde_json::from_value(about["counts"][i].clone()).unwrap();
            let ImageSize { height, width } = SIZES[i];
            let mask =
                |counts| PlacedMask { mask: Mask::Rle(Rle { height, width, counts }), placement: Placement::IDENTITY };
            Truth {
                bounds: serde_json::from_value(about["boxes"][i].clone()).unwrap(),
                classes: serde_json::from_value(about["classes"][i].clone()).unwrap(),
                masks: counts.into_iter().map(mask).collect(),
            }
        })
        .collect()
}

#[test]
fn regions_belong_to_detectron2s_levels() {
    let numbers = formula::numbers("fpn_numbers.json");
    let boxes: Vec<[f32; 4]> = serde_json::from_value(numbers["levels"]["boxes"].clone()).unwrap();
    let own: Vec<u32> = serde_json::from_value(numbers["levels"]["own"].clone()).unwrap();
    assert_eq!(boxes.iter().map(|&bounds| level(bounds, 2, 5)).collect::<Vec<_>>(), own);
    assert_eq!(level([5.0, 5.0, 1.0, 9.0], 2, 5), 2, "a negative area");
}

/// Sums, norms and three values of each map.
fn check_maps(maps: &[Tensor], wanted: &Value) {
    assert_eq!(maps.len(), 5);
    for (at, (map, wanted)) in maps.iter().zip(wanted.as_array().unwrap()).enumerate() {
        let flat = map.contiguous().view([-1]);
        let last = flat.size()[0] - 1;
        let entry = |at: i64| flat.double_value(&[at]);
        let ours = [
            flat.sum(Kind::Double).double_value(&[]),
            flat.norm().double_value(&[]),
            entry(0),
            entry((last + 1) / 2),
            entry(last),
        ];
        for (ours, wanted) in ours.into_iter().zip(wanted.as_array().unwrap()) {
            close(ours, wanted, 1e-9, &format!("P{}", at + 2));
        }
    }
}

#[test]
fn slow_a_pyramid_with_norms_is_torchvisions() {
    let numbers = &formula::numbers("fpn_numbers.json")["normed"];
    let spec = DetectorSpec {
        pyramid_norm: true,
        ..DetectorSpec::new(Architecture::Fpn, Arch::ResNet18, Stem::Standard, 6, true)
    };
    let detector = formula::detector(spec, &DEVIATIONS);
    let maps = detector.feature_maps(&formula::group(&SIZES), TRAIN).unwrap();
    check_maps(&maps, &numbers["maps"]);
    maps.iter().map(|map| (map * map).mean(Kind::Double)).reduce(|a, b| a + b).unwrap().backward();
    let norms = numbers["grad_norm"].as_object().unwrap();
    assert_eq!(norms.len(), 8 * 3);
    for (name, wanted) in norms {
        close(formula::tensor(&detector, name).grad().norm().double_value(&[]), wanted, 1e-8, name);
    }
    assert_eq!(detector.norms().count(), 20 + 8);
}

/// Maps, losses, gradients, detections and masks.
#[test]
fn slow_mask_r_cnn_with_a_feature_pyramid_is_detectron2s() {
    let numbers = formula::numbers("fpn_numbers.json");
    let spec = DetectorSpec {
        train_proposals: ProposalLimits { before_nms: 60, after_nms: 300 },
        test_proposals: ProposalLimits { before_nms: 30, after_nms: 100 },
        regions: Sampling { count: 24, positive_fraction: 0.25 },
        ..DetectorSpec::new(Architecture::Fpn, Arch::ResNet18, Stem::Standard, 6, true)
    };
    let detector = formula::detector(spec, &DEVIATIONS);
    let images = [formula::group(&SIZES)];
    let truths = [truths(&numbers["about"])];
    check_maps(&no_grad(|| detector.feature_maps(&images[0], TRAIN)).unwrap(), &numbers["maps"]);

    let losses = detector.losses(&images, &truths, TRAIN, &mut permuted).unwrap();
    for (name, ours) in [
        ("loss_cls", &losses.classes),
        ("loss_box_reg", &losses.boxes),
        ("loss_mask", losses.masks.as_ref().unwrap()),
        ("loss_rpn_cls", &losses.rpn_objectness),
        ("loss_rpn_loc", &losses.rpn_boxes),
    ] {
        close(ours.double_value(&[]), &numbers["losses"][name], 1e-6, name);
    }
    losses.total().unwrap().backward();
    let norms = numbers["grad_norm"].as_object().unwrap();
    assert_eq!(norms.len(), detector.store().named_parameters().count());
    for (name, wanted) in norms {
        close(formula::tensor(&detector, name).grad().norm().double_value(&[]), wanted, 1e-5, name);
    }

    no_grad(|| detector.losses(&images, &truths, NormMode::Collect, &mut permuted)).unwrap();
    detector.norms().for_each(|norm| norm.finish_collection().unwrap());
    let found = detector.detect(&images[0], &SIZES).unwrap();
    for (found, wanted) in found.iter().zip(numbers["eval"].as_array().unwrap()) {
        assert_eq!(found.len() as u64, wanted["n"].as_u64().unwrap());
        for (at, found) in found.iter().take(wanted["scores"].as_array().unwrap().len()).enumerate() {
            close(f64::from(found.score), &wanted["scores"][at], 1e-6, "score");
            assert_eq!(found.class as u64, wanted["classes"][at].as_u64().unwrap());
            for side in 0..4 {
                let wanted = wanted["boxes"][at][side].as_f64().unwrap();
                assert!((f64::from(found.bounds[side]) - wanted).abs() < 1e-4, "box {at}: {:?}", found.bounds);
            }
            let pixels: u32 = found.mask.as_ref().unwrap().counts.iter().skip(1).step_by(2).sum();
            assert_eq!(u64::from(pixels), wanted["mask_pixels"][at].as_u64().unwrap(), "mask {at}");
        }
    }
}

/// In each precision, with two groups of which one has no object and an image so small that its last map has one cell.
#[test]
fn a_step_has_finite_losses_and_gradients_everywhere() {
    for (precision, pyramid_norm) in [(Precision::Float32, false), (Precision::Float32, true), (Precision::Bf16, true)]
    {
        let spec = DetectorSpec {
            pyramid_norm,
            regions: Sampling { count: 16, positive_fraction: 0.25 },
            ..DetectorSpec::new(Architecture::Fpn, Arch::ResNet18, Stem::Standard, 2, true)
        };
        let compute = Compute { precision, ..Compute::CPU };
        let detector = with_seed(1, || Detector::new(spec, compute)).unwrap();
        let group = |height: u32, width: u32| mochi_detection::ImageGroup {
            pixels: Tensor::ones([1, 3, i64::from(height), i64::from(width)], (Kind::Float, Device::Cpu)),
            sizes: vec![ImageSize { height, width }],
        };
        let mask = Mask::Polygons(vec![vec![5.0, 5.0, 45.0, 5.0, 45.0, 60.0]]);
        let masks = vec![PlacedMask { mask, placement: Placement::IDENTITY }];
        let truth = Truth { bounds: vec![[5.0, 5.0, 45.0, 60.0]], classes: vec![1], masks };
        let groups = [group(70, 50), group(30, 30)];
        let truths = [vec![truth], vec![Truth::default()]];
        let losses = detector.losses(&groups, &truths, TRAIN, &mut |n| (0..n).collect()).unwrap();
        let total = losses.total().unwrap();
        assert!(total.double_value(&[]).is_finite(), "{precision:?}");
        total.backward();
        for (name, tensor) in detector.store().named_parameters() {
            let gradient = tensor.grad();
            assert!(gradient.defined() && gradient.norm().double_value(&[]).is_finite(), "{precision:?} {name}");
        }
    }
}

/// Shapes of every ResNet's pyramid, and detectron2's names of its tensors.
#[test]
fn every_resnet_has_a_pyramid() {
    let images = || mochi_detection::ImageGroup {
        pixels: Tensor::zeros([1, 3, 40, 70], (Kind::Float, Device::Cpu)),
        sizes: vec![ImageSize { height: 40, width: 70 }],
    };
    for (arch, anchors, maps, lowest) in [
        (Arch::ResNet18, 5, vec![[16, 24], [8, 12], [4, 6], [2, 3], [1, 2]], 2),
        (Arch::ResNet50, 5, vec![[16, 24], [8, 12], [4, 6], [2, 3], [1, 2]], 2),
        (Arch::Cifar { blocks: 3 }, 4, vec![[40, 72], [20, 36], [10, 18], [5, 9]], 0),
    ] {
        let mut spec = DetectorSpec::new(Architecture::Fpn, arch, Stem::Standard, 3, true);
        spec.anchors = Anchors { sizes: vec![16.0; anchors], ratios: vec![1.0] };
        let detector = Detector::new(spec.clone(), Compute::CPU).unwrap();
        let found = no_grad(|| detector.feature_maps(&images(), NormMode::Eval)).unwrap();
        let shapes: Vec<_> = found.iter().map(Tensor::size).collect();
        assert_eq!(shapes, maps.iter().map(|[h, w]| vec![1, 256, *h, *w]).collect::<Vec<_>>(), "{arch}");
        let all: Vec<String> =
            detector.store().iter().map(|(name, ..)| names::detectron2(name, Architecture::Fpn)).collect();
        for wanted in [
            &format!("backbone.fpn_lateral{lowest}.weight"),
            "backbone.bottom_up.stem.conv1.norm.weight",
            "roi_heads.mask_head.mask_fcn4.bias",
        ] {
            assert!(all.iter().any(|name| name == wanted), "{wanted}");
        }
        assert!(detector.backbone_tensors().all(|(name, _, role)| role == Role::Counter || !name.starts_with("fpn")));
        assert!(detector.detect(&images(), &[ImageSize { height: 40, width: 70 }]).is_ok());
        spec.anchors.sizes.pop();
        let error = Detector::new(spec, Compute::CPU).unwrap_err().to_string();
        assert!(error.contains(&format!("{} sizes of anchors for {anchors} maps", anchors - 1)), "{error}");
    }
}
