//! The whole Mask R-CNN C4 against detectron2 (`detection_model_numbers.json`): real detectron2 ran it in float64 with weights and images from a formula.

use mochi_annotations::{Mask, Placement};
use mochi_detection::boxes::ImageSize;
use mochi_detection::proposals::ProposalLimits;
use mochi_detection::sampling::Sampling;
use mochi_detection::{Architecture, Detector, DetectorSpec, PlacedMask, Truth};
use mochi_nets::{Arch, NormMode, Stem};
use mochi_tensor::{Kind, Optimizer, ParameterGroup, Update, no_grad};
use serde_json::Value;

use crate::formula::{self, close};

const TRAIN: NormMode = NormMode::Train { groups: 1 };

const DEVIATIONS: [(&str, f64); 7] = [
    ("rpn_head.conv.weight", 0.01),
    ("objectness_logits.weight", 0.01),
    ("anchor_deltas.weight", 0.01),
    ("cls_score.weight", 0.02),
    ("bbox_pred.weight", 0.01),
    ("mask_head.predictor.weight", 0.02),
    ("mask_head.deconv.weight", 0.015625),
];

fn detector() -> Detector {
    let spec = DetectorSpec {
        train_proposals: ProposalLimits { before_nms: 200, after_nms: 60 },
        test_proposals: ProposalLimits { before_nms: 100, after_nms: 30 },
        regions: Sampling { count: 24, positive_fraction: 0.25 },
        ..DetectorSpec::new(Architecture::C4, Arch::ResNet50, Stem::Standard, 6, true)
    };
    formula::detector(spec, &DEVIATIONS)
}

const SIZES: [ImageSize; 2] = [ImageSize { height: 96, width: 128 }, ImageSize { height: 80, width: 112 }];

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

/// Losses of three steps, gradients, running and precise statistics, detections and masks.
#[test]
fn slow_mask_r_cnn_c4_is_detectron2s() {
    let numbers = formula::numbers("detection_model_numbers.json");
    let detector = detector();
    let (images, truth) = ([formula::group(&SIZES)], [truths(&numbers)]);
    let decay = |name: &str| !name.contains("bn") && !name.contains("downsample.1") && !name.starts_with("head_norm");
    let groups = vec![
        ParameterGroup::new(1.0, 1e-4).with(detector.store(), "", decay),
        ParameterGroup::new(1.0, 0.0).with(detector.store(), "", |name| !decay(name)),
    ];
    let mut optimizer = Optimizer::new(Update::Sgd, 0.9, groups).unwrap();
    let tensor = |name: &str| formula::tensor(&detector, name);
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
    let batches = [formula::group(&SIZES), formula::group(&SIZES[..1])];
    for images in batches {
        let truth = truths(&numbers)[..images.sizes.len()].to_vec();
        no_grad(|| detector.losses(&[images], &[truth], NormMode::Collect, &mut |n| (0..n).collect())).unwrap();
    }
    detector.norms().for_each(|norm| norm.finish_collection().unwrap());
    running(&numbers["running_precise"], "precise");
    let originals = SIZES.map(|ImageSize { height, width }| ImageSize { height: 2 * height, width: 2 * width });
    let found = detector.detect(&formula::group(&SIZES), &originals).unwrap();
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
