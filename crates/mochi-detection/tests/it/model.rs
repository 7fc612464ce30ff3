//! The whole Mask R-CNN C4 against detectron2 (`detection_model_numbers.json`): real detectron2 ran it in float64 with weights and images from a formula.

use std::path::Path;

use mochi_annotations::{Mask, Placement};
use mochi_detection::boxes::ImageSize;
use mochi_detection::proposals::ProposalLimits;
use mochi_detection::sampling::Sampling;
use mochi_detection::{Detector, DetectorSpec, ImageGroup, PlacedMask, Truth, names};
use mochi_nets::{Arch, NormMode, Stem};
use mochi_tensor::{Compute, Kind, Optimizer, ParameterGroup, Precision, Role, Tensor, Update, no_grad, with_seed};
use serde_json::Value;

const TRAIN: NormMode = NormMode::Train { groups: 1 };

fn numbers() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/detection_model_numbers.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Values in [0, 1) of a name: FNV-1a and SplitMix64.
fn uniform(name: &str, count: usize) -> Vec<f64> {
    let hash =
        name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (1..=count as u64)
        .map(|i| {
            let mut z = hash.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            (z >> 40) as f64 / f64::from(1 << 24)
        })
        .collect()
}

/// The value of one of detectron2's tensors.
fn value(name: &str, shape: &[i64]) -> Tensor {
    let v = |i: f64| 2.0 * i - 1.0;
    let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
    let norm = name.contains(".norm.");
    let values: Vec<f64> = uniform(name, count)
        .into_iter()
        .map(v)
        .map(|v| match name {
            _ if norm && name.ends_with("weight") => (if name.contains("conv3.norm") { 0.25 } else { 1.0 }) + 0.1 * v,
            _ if norm => 0.1 * v,
            _ if name.ends_with("bias") => 0.05 * v,
            _ => 3f64.sqrt() * deviation(name, shape) * v,
        })
        .collect();
    Tensor::from_slice(&values).view(shape)
}

fn deviation(name: &str, shape: &[i64]) -> f64 {
    let fixed = [
        ("rpn_head.conv.weight", 0.01),
        ("objectness_logits.weight", 0.01),
        ("anchor_deltas.weight", 0.01),
        ("cls_score.weight", 0.02),
        ("bbox_pred.weight", 0.01),
        ("mask_head.predictor.weight", 0.02),
        ("mask_head.deconv.weight", 0.015625),
    ];
    let fan = shape[1..].iter().product::<i64>() as f64;
    fixed.iter().find(|(end, _)| name.ends_with(end)).map_or((2.0 / fan).sqrt(), |(_, deviation)| *deviation)
}

fn detector() -> Detector {
    let arch = Arch::ResNet50;
    let spec = DetectorSpec {
        train_proposals: ProposalLimits { before_nms: 200, after_nms: 60 },
        test_proposals: ProposalLimits { before_nms: 100, after_nms: 30 },
        regions: Sampling { count: 24, positive_fraction: 0.25 },
        ..DetectorSpec::c4(arch, Stem::Standard, 6, true)
    };
    let compute = Compute { precision: Precision::Float64, ..Compute::CPU };
    let detector = with_seed(0, || Detector::new(spec, compute)).unwrap();
    detector.store().set_kind(Kind::Double);
    no_grad(|| {
        for (name, tensor, role) in detector.store().iter().filter(|(.., role)| *role == Role::Parameter) {
            assert_eq!(role, Role::Parameter);
            tensor.shallow_clone().copy_(&value(&names::detectron2(name), &tensor.size()));
        }
    });
    detector
}

const SIZES: [ImageSize; 2] = [ImageSize { height: 96, width: 128 }, ImageSize { height: 80, width: 112 }];

/// Normalized image number `i`, (1, 3, h, w).
fn image(i: usize) -> Tensor {
    let ImageSize { height, width } = SIZES[i];
    let count = 3 * (height * width) as usize;
    let values: Vec<f64> = uniform(&format!("image{i}"), count).into_iter().map(|u| (256.0 * u).floor()).collect();
    let channel = |values: [f32; 3]| Tensor::from_slice(&values.map(f64::from)).view([3, 1, 1]);
    let pixels = Tensor::from_slice(&values).view([1, 3, i64::from(height), i64::from(width)]);
    (pixels - channel([123.675, 116.280, 103.530])) / channel([58.395, 57.120, 57.375])
}

/// The first images, padded to the largest.
fn group(count: usize) -> ImageGroup {
    let pixels = Tensor::zeros([count as i64, 3, 96, 128], (Kind::Double, mochi_tensor::Device::Cpu));
    for i in 0..count {
        let image = image(i);
        let place = pixels.narrow(0, i as i64, 1).narrow(2, 0, image.size()[2]).narrow(3, 0, image.size()[3]);
        place.shallow_clone().copy_(&image);
    }
    ImageGroup { pixels, sizes: SIZES[..count].to_vec() }
}

fn truths(numbers: &Value) -> Vec<Truth> {
    let about = &numbers["about"];
    let images = about["gt_boxes"].as_array().unwrap().iter().zip(about["gt_classes"].as_array().unwrap());
    images
        .map(|(boxes, classes)| {
            let boxes: Vec<[f64; 4]> = serde_json::from_value(boxes.clone()).unwrap();
            let polygon = |&[x0, y0, x1, y1]: &[f64; 4]| {
                let (w, h) = (x1 - x0, y1 - y0);
                vec![x0 + 0.3 * w, y0, x1, y0 + 0.4 * h, x0 + 0.6 * w, y1, x0, y0 + 0.5 * h]
            };
            let mask =
                |b: &[f64; 4]| PlacedMask { mask: Mask::Polygons(vec![polygon(b)]), placement: Placement::IDENTITY };
            Truth {
                bounds: boxes.iter().map(|b| b.map(|side| side as f32)).collect(),
                classes: serde_json::from_value(classes.clone()).unwrap(),
                masks: boxes.iter().map(mask).collect(),
            }
        })
        .collect()
}

fn close(ours: f64, wanted: &Value, tolerance: f64, what: &str) {
    let wanted = wanted.as_f64().unwrap();
    let gap = (ours - wanted).abs() / wanted.abs().max(1e-3);
    assert!(gap < tolerance, "{what}: {ours} is not {wanted} ({gap:.1e})");
}

/// Losses of three steps, gradients, running and precise statistics, detections and masks.
#[test]
fn slow_mask_r_cnn_c4_is_detectron2s() {
    let numbers = numbers();
    let detector = detector();
    let (images, truth) = ([group(2)], [truths(&numbers)]);
    let decay = |name: &str| !name.contains("bn") && !name.contains("downsample.1") && !name.starts_with("head_norm");
    let groups = vec![
        ParameterGroup::new(1.0, 1e-4).with(detector.store(), "", decay),
        ParameterGroup::new(1.0, 0.0).with(detector.store(), "", |name| !decay(name)),
    ];
    let mut optimizer = Optimizer::new(Update::Sgd, 0.9, groups).unwrap();
    let tensor = |wanted: &str| {
        detector.store().iter().find(|(name, ..)| names::detectron2(name) == wanted).unwrap().1.shallow_clone()
    };
    let running = |wanted: &Value, what: &str| {
        for (name, values) in wanted.as_object().unwrap() {
            // Sum and norm over the channels.
            let tensor = tensor(name);
            close(tensor.sum(Kind::Double).double_value(&[]), &values[0], 1e-6, &format!("{what} {name}, sum"));
            close(tensor.norm().double_value(&[]), &values[1], 1e-6, &format!("{what} {name}, norm"));
        }
    };
    for (step, wanted) in numbers["losses"].as_array().unwrap().iter().enumerate() {
        let losses = detector.losses(&images, &truth, TRAIN, &mut |n| (0..n).collect()).unwrap();
        for (name, ours) in [
            ("loss_cls", &losses.classes),
            ("loss_box_reg", &losses.boxes),
            ("loss_mask", losses.masks.as_ref().unwrap()),
            ("loss_rpn_cls", &losses.rpn_objectness),
            ("loss_rpn_loc", &losses.rpn_boxes),
        ] {
            close(ours.double_value(&[]), &wanted[name], 1e-6, &format!("step {step}, {name}"));
        }
        optimizer.clear_gradients().unwrap();
        losses.total().unwrap().backward();
        if step == 0 {
            let norms = numbers["grad_norm"].as_object().unwrap();
            assert_eq!(norms.len(), detector.store().named_parameters().count());
            for (name, wanted) in norms {
                close(tensor(name).grad().norm().double_value(&[]), wanted, 1e-5, name);
            }
            for (name, first) in numbers["grad_first3"].as_object().unwrap() {
                let gradient = tensor(name).grad().contiguous().view([-1]);
                for (i, wanted) in first.as_array().unwrap().iter().enumerate() {
                    let (ours, wanted) = (gradient.double_value(&[i as i64]), wanted.as_f64().unwrap());
                    assert!((ours - wanted).abs() < 1e-7 + 1e-5 * wanted.abs(), "{name}[{i}]: {ours}, {wanted}");
                }
            }
            running(&numbers["running_after_1"], "after a step");
        }
        optimizer.step(2e-5).unwrap();
    }
    let batches = [group(2), group(1)];
    for images in batches {
        let truth = truths(&numbers)[..images.sizes.len()].to_vec();
        no_grad(|| detector.losses(&[images], &[truth], NormMode::Collect, &mut |n| (0..n).collect())).unwrap();
    }
    detector.norms().for_each(|norm| norm.finish_collection().unwrap());
    running(&numbers["running_precise"], "precise");
    let originals = SIZES.map(|ImageSize { height, width }| ImageSize { height: 2 * height, width: 2 * width });
    let found = detector.detect(&group(2), &originals).unwrap();
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
