//! Each part of the detector against its reference.

use mochi_annotations::{Mask, Placement, Rle};
use mochi_detection::PlacedMask;
use mochi_detection::anchors::{AnchorGrid, Anchors};
use mochi_detection::box_head::{self, DetectionLimits};
use mochi_detection::boxes::{ImageSize, iou};
use mochi_detection::coding::BoxCoder;
use mochi_detection::mask_head;
use mochi_detection::matcher::{Label, Matcher};
use mochi_detection::nms::{nms, nms_by_class};
use mochi_detection::paste::paste;
use mochi_detection::proposals::{ProposalLimits, proposals};
use mochi_detection::roi_align::{BINS, Region, roi_align};
use mochi_detection::rpn::{RpnTargets, SAMPLING};
use mochi_tensor::{BatchNorm, Kind, NormMode, Tensor};

use crate::fixture::{Fixture, box_gap, gap};

/// Differences of float32 sums in another order.
const ROUNDING: f64 = 1e-6;

#[test]
fn anchors_are_detectron2s() {
    let fixture = Fixture::read();
    assert_eq!(Anchors::standard().of_cell(), fixture.boxes("anchors/out.cells"));
    assert_eq!(Anchors::standard().of_map(3, 4, 16.0), fixture.boxes("anchors/out.grid_3x4"));
}

#[test]
fn box_offsets_are_detectron2s() {
    let fixture = Fixture::read();
    let (sources, targets) = (fixture.boxes("coding/in.src"), fixture.boxes("coding/in.dst"));
    let deltas = fixture.boxes("coding/in.deltas_k3");
    for (coder, name) in [(BoxCoder::RPN, "rpn"), (BoxCoder::ROI, "roi")] {
        let codes: Vec<_> = sources.iter().zip(&targets).map(|(&s, &t)| coder.encode(s, t)).collect();
        assert!(box_gap(&codes, &fixture.boxes(&format!("coding/out.encode_{name}"))) < 1e-6);
        let decoded: Vec<_> = deltas.iter().enumerate().map(|(i, &d)| coder.decode(d, sources[i / 3])).collect();
        assert!(box_gap(&decoded, &fixture.boxes(&format!("coding/out.decode_{name}"))) < 2e-6);
    }
}

#[test]
fn matches_are_detectron2s() {
    let fixture = Fixture::read();
    let (truths, candidates) = (fixture.boxes("match/in.gt"), fixture.boxes("match/in.candidates"));
    let table: Vec<f32> = truths.iter().flat_map(|&t| candidates.iter().map(move |&c| iou(t, c))).collect();
    assert_eq!(table, fixture.floats("match/out.iou"));
    let label = |label| match label {
        Label::Negative => 0,
        Label::Ignored => -1,
        Label::Positive => 1,
    };
    for (matcher, name) in [(Matcher::RPN, "rpn"), (Matcher::ROI, "roi")] {
        let matches = matcher.assign(&truths, &candidates);
        let own: Vec<usize> = matches.iter().map(|m| m.truth).collect();
        assert_eq!(own, fixture.indices(&format!("match/out.{name}_index")));
        let labels: Vec<i64> = matches.iter().map(|m| label(m.label)).collect();
        assert_eq!(labels, fixture.integers(&format!("match/out.{name}_label")));
    }
    let far: Vec<_> = [truths, fixture.boxes("match/in.far_gt")].concat();
    let labels = |truths: &[_]| -> Vec<i64> {
        Matcher::RPN.assign(truths, &candidates).iter().map(|m| label(m.label)).collect()
    };
    assert_eq!(labels(&far), fixture.integers("match/out.far_label"));
    assert_eq!(labels(&[]), fixture.integers("match/out.no_gt_label"));
}

#[test]
fn samples_have_detectron2s_sizes() {
    let fixture = Fixture::read();
    let rows = fixture.about["match"]["sampling_256_half"].as_str().unwrap();
    for (positives, negatives, taken) in
        [(0, 900, (0, 256)), (3, 900, (3, 253)), (300, 900, (128, 128)), (300, 10, (128, 10))]
    {
        assert!(rows.contains(&format!("({positives}, {negatives}, {}, {})", taken.0, taken.1)), "{rows}");
        let (positives, negatives): (Vec<usize>, Vec<usize>) =
            ((0..positives).collect(), (1000..1000 + negatives).collect());
        let (p, n) = SAMPLING.draw(&positives, &negatives, &mut |n| (0..n).rev().collect());
        assert_eq!((p.len(), n.len()), taken);
        assert!(p.iter().all(|i| positives.contains(i)) && n.iter().all(|i| negatives.contains(i)));
        assert_eq!(n[0], *negatives.last().unwrap());
    }
}

#[test]
fn rpn_losses_and_gradients_are_detectron2s() {
    let fixture = Fixture::read();
    let (logits, deltas) = (fixture.tensor("rpn_loss/in.logits"), fixture.tensor("rpn_loss/in.deltas"));
    let (logits, deltas) = (logits.set_requires_grad(true), deltas.set_requires_grad(true));
    let (labels, goals) = (fixture.integers("rpn_loss/in.labels"), fixture.boxes("rpn_loss/in.target_boxes"));
    let anchors = fixture.boxes("rpn_loss/in.anchors");
    let mut targets = RpnTargets { images: 2, ..RpnTargets::default() };
    for (at, label) in labels.iter().enumerate().filter(|(_, label)| **label >= 0) {
        targets.sampled.push(at as i64);
        targets.positive.push(*label == 1);
        if *label == 1 {
            targets.deltas.push(BoxCoder::RPN.encode(anchors[at % anchors.len()], goals[at]));
        }
    }
    let [objectness, boxes] = targets.losses(&logits, &deltas).unwrap();
    (&objectness + &boxes).backward();
    assert!(gap(&objectness, &fixture.tensor("rpn_loss/out.cls")) < ROUNDING);
    assert!(gap(&boxes, &fixture.tensor("rpn_loss/out.loc")) < ROUNDING);
    assert!(gap(&logits.grad(), &fixture.tensor("rpn_loss/grad.logits")) < ROUNDING);
    assert!(gap(&deltas.grad(), &fixture.tensor("rpn_loss/grad.deltas")) < ROUNDING);
}

#[test]
fn box_losses_and_gradients_are_detectron2s() {
    let fixture = Fixture::read();
    let leaf = |name: &str| fixture.tensor(&format!("roi_loss/in.{name}")).set_requires_grad(true);
    let (scores, deltas) = (leaf("scores"), leaf("deltas"));
    let (classes, goals) = (fixture.integers("roi_loss/in.classes"), fixture.boxes("roi_loss/in.gt_boxes"));
    let targets: Vec<_> = classes.iter().zip(goals).filter(|(class, _)| **class < 5).map(|(_, goal)| goal).collect();
    let bounds = fixture.boxes("roi_loss/in.proposals");
    let [class, boxes] = box_head::losses(&scores, &deltas, &bounds, &classes, &targets).unwrap();
    (&class + &boxes).backward();
    assert!(gap(&class, &fixture.tensor("roi_loss/out.cls")) < ROUNDING);
    assert!(gap(&boxes, &fixture.tensor("roi_loss/out.box")) < ROUNDING);
    assert!(gap(&scores.grad(), &fixture.tensor("roi_loss/grad.scores")) < ROUNDING);
    assert!(gap(&deltas.grad(), &fixture.tensor("roi_loss/grad.deltas")) < ROUNDING);
    let [none, zero] = box_head::losses(&scores.narrow(0, 0, 0), &deltas.narrow(0, 0, 0), &[], &[], &[]).unwrap();
    assert_eq!((none.double_value(&[]), zero.double_value(&[])), (0.0, 0.0));
}

/// In float64 to the last digits; in float32 torchvision computes the coordinates in float32 as well.
#[test]
fn roi_align_and_its_gradient_are_torchvisions() {
    let fixture = Fixture::read();
    let rows: Vec<f64> = Vec::try_from(&fixture.tensor("roi_align/in.rois_f64").view([-1])).unwrap();
    let regions: Vec<Region> = rows
        .as_chunks::<5>()
        .0
        .iter()
        .map(|row| Region { image: row[0] as usize, bounds: [row[1], row[2], row[3], row[4]].map(|side| side as f32) })
        .collect();
    for (kind, suffix, tolerance) in [(Kind::Double, "_f64", 2e-6), (Kind::Float, "", 5e-5)] {
        let map = fixture.tensor("roi_align/in.features_f64").copy().detach().to_kind(kind).set_requires_grad(true);
        let pooled = roi_align(&map, &regions, 1.0 / 16.0, BINS).unwrap();
        (&pooled * fixture.tensor("roi_align/in.grad_out_f64").to_kind(kind)).sum(kind).backward();
        let wanted = |name: &str| fixture.tensor(&format!("roi_align/{name}{suffix}"));
        assert!(gap(&pooled, &wanted("out.pooled")) < tolerance, "{}", gap(&pooled, &wanted("out.pooled")));
        assert!(gap(&map.grad(), &wanted("grad.features")) < 10.0 * tolerance);
    }
    let map = fixture.tensor("roi_align/in.features_f64");
    assert_eq!(roi_align(&map, &[], 1.0 / 16.0, BINS).unwrap().size(), [0, 3, 14, 14]);
    assert!(roi_align(&map, &[Region { image: 2, bounds: [0.0; 4] }], 1.0 / 16.0, BINS).is_err());
}

#[test]
fn nms_is_torchvisions() {
    let fixture = Fixture::read();
    let (boxes, scores) = (fixture.boxes("nms/in.boxes"), fixture.floats("nms/in.scores"));
    let classes = fixture.indices("nms/in.classes");
    for threshold in [0.5, 0.7] {
        let kept = fixture.indices(&format!("nms/out.keep_{threshold}"));
        assert_eq!(nms_by_class(&boxes, &scores, &classes, threshold, 1000), kept);
        assert_eq!(nms_by_class(&boxes, &scores, &classes, threshold, 9), kept[..9]);
        let kept = fixture.indices(&format!("nms/out.keep_one_class_{threshold}"));
        assert_eq!(nms(&boxes, &scores, threshold, 1000), kept);
        assert_eq!(nms(&boxes, &scores, threshold, 17), kept[..17]);
    }
}

#[test]
fn proposals_are_detectron2s() {
    let fixture = Fixture::read();
    let mut anchors = AnchorGrid::default();
    anchors.push(fixture.boxes("proposals/in.anchors"));
    let found = proposals(
        &fixture.floats("proposals/in.logits"),
        &fixture.boxes("proposals/in.deltas"),
        &anchors,
        ImageSize { height: 90, width: 137 },
        ProposalLimits { before_nms: 300, after_nms: 50 },
    );
    let (boxes, logits): (Vec<_>, Vec<_>) = found.into_iter().map(|p| (p.bounds, p.logit)).unzip();
    assert!(box_gap(&boxes, &fixture.boxes("proposals/out.boxes")) < 2e-6);
    assert_eq!(logits, fixture.floats("proposals/out.logits"));
}

#[test]
fn detections_are_detectron2s() {
    let fixture = Fixture::read();
    let input = |name: &str| fixture.tensor(&format!("detections/in.{name}"));
    let size = ImageSize { height: 90, width: 137 };
    let bounds = fixture.boxes("detections/in.proposals");
    let found =
        box_head::detections(&input("scores"), &input("deltas"), &bounds, size, DetectionLimits::STANDARD).unwrap();
    let boxes: Vec<_> = found.iter().map(|d| d.bounds).collect();
    assert!(box_gap(&boxes, &fixture.boxes("detections/out.boxes")) < 2e-6);
    assert_eq!(found.iter().map(|d| d.class).collect::<Vec<_>>(), fixture.indices("detections/out.classes"));
    let scores = found.iter().zip(fixture.floats("detections/out.scores")).map(|(d, wanted)| (d.score - wanted).abs());
    assert!(scores.fold(0.0, f32::max) < 1e-6);
}

#[test]
fn mask_loss_and_gradient_are_detectron2s() {
    let fixture = Fixture::read();
    let logits = fixture.tensor("masks/in.logits").set_requires_grad(true);
    let targets: Vec<bool> = fixture.integers("masks/out.target_14").into_iter().map(|value| value != 0).collect();
    let loss = mask_head::loss(&logits, &fixture.integers("masks/in.classes"), &targets).unwrap();
    loss.backward();
    assert!(gap(&loss, &fixture.tensor("masks/out.loss")) < ROUNDING);
    assert!(gap(&logits.grad(), &fixture.tensor("masks/grad.logits")) < ROUNDING);
    assert_eq!(mask_head::loss(&logits.narrow(0, 0, 0), &[], &[]).unwrap().double_value(&[]), 0.0);
}

#[test]
fn pasted_masks_are_detectron2s() {
    let fixture = Fixture::read();
    let (masks, boxes) = (fixture.floats("paste/in.probs"), fixture.boxes("paste/in.boxes"));
    let wanted = fixture.integers("paste/out.mask");
    for ((mask, bounds), wanted) in masks.chunks(14 * 14).zip(boxes).zip(wanted.chunks(40 * 56)) {
        let rle = paste(mask, 14, bounds, ImageSize { height: 40, width: 56 });
        let columns: Vec<bool> =
            rle.counts.iter().enumerate().flat_map(|(i, &run)| vec![i % 2 == 1; run as usize]).collect();
        let pixels: Vec<i64> = (0..40 * 56).map(|at| i64::from(columns[(at % 56) * 40 + at / 56])).collect();
        assert_eq!(pixels, wanted);
    }
    let empty = paste(&[1.0; 196], 14, [5.0, 5.0, 5.0, 9.0], ImageSize { height: 4, width: 3 });
    assert_eq!(empty.counts, [12]);
}

#[test]
fn parts_of_a_batch_share_detectron2s_naive_statistics() {
    let fixture = Fixture::read();
    let input = |name: &str| fixture.tensor(&format!("naive_syncbn/{name}"));
    let leaf = |name: &str| input(name).set_requires_grad(true);
    let (weight, bias) = (leaf("in.weight"), leaf("in.bias"));
    let running = |value: f64| Tensor::full([4], value, (Kind::Float, mochi_tensor::Device::Cpu));
    let (mean, variance) = (running(0.0), running(1.0));
    let norm = BatchNorm::from_parts(
        weight.shallow_clone(),
        bias.shallow_clone(),
        mean.shallow_clone(),
        variance.shallow_clone(),
    )
    .unwrap();
    let xs = [leaf("in.x0"), leaf("in.x1")];
    let clones = || xs.iter().map(Tensor::shallow_clone).collect::<Vec<_>>();
    let ys = norm.forward_together(clones(), NormMode::Train { groups: 1 }, false, None).unwrap();
    // DDP's loss is the mean of the workers' losses.
    let sums: Vec<Tensor> =
        ys.iter().enumerate().map(|(i, y)| (y * input(&format!("in.g{i}"))).sum(Kind::Float)).collect();
    ((&sums[0] + &sums[1]) / 2.0).backward();
    for (i, (x, y)) in xs.iter().zip(&ys).enumerate() {
        assert!(gap(y, &input(&format!("out.y{i}"))) < 5.0 * ROUNDING);
        assert!(gap(&x.grad(), &input(&format!("grad.x{i}"))) < 5.0 * ROUNDING);
    }
    assert!(gap(&weight.grad(), &input("grad.weight")) < 5.0 * ROUNDING);
    assert!(gap(&bias.grad(), &input("grad.bias")) < 5.0 * ROUNDING);
    assert!(gap(&mean, &input("out.running_mean")) < ROUNDING);
    assert!(gap(&variance, &input("out.running_var")) < ROUNDING);
}

/// The same polygons, for the image as it is and for one that was resized and mirrored.
#[test]
fn mask_targets_of_polygons_are_detectron2s() {
    let fixture = Fixture::read();
    let polygons: Vec<Vec<Vec<f64>>> = serde_json::from_value(fixture.about["masks"]["polygons"].clone()).unwrap();
    let bounds = fixture.boxes("masks/in.boxes");
    for side in [14u16, 28] {
        let wanted: Vec<bool> = fixture.integers(&format!("masks/out.target_{side}")).iter().map(|&v| v != 0).collect();
        for ((polygons, &bounds), wanted) in polygons.iter().zip(&bounds).zip(wanted.chunks(usize::from(side * side))) {
            let mask = Mask::Polygons(polygons.clone());
            let placed = PlacedMask { mask: mask.clone(), placement: Placement::IDENTITY };
            assert_eq!(placed.rasterize(bounds, side), wanted);
            let placement = Placement { scale: [0.5, 2.0], mirrored: None };
            let moved = placement.bounds(bounds.map(f64::from)).map(|side| side as f32);
            assert_eq!(PlacedMask { mask, placement }.rasterize(moved, side), wanted, "exact powers of two");
        }
    }
}

/// A half-filled image: its left half, whatever the size and side that the image is shown with.
#[test]
fn mask_targets_of_run_lengths_follow_the_placement() {
    let rle = Rle { height: 6, width: 8, counts: vec![0, 24, 24] };
    let cells = |mirrored, bounds| {
        let placement = Placement::resize((8, 6), (16, 18), mirrored);
        PlacedMask { mask: Mask::Rle(rle.clone()), placement }.rasterize(bounds, 4)
    };
    let rows = |row: [bool; 4]| [row; 4].concat();
    assert_eq!(cells(false, [0.0, 0.0, 16.0, 18.0]), rows([true, true, false, false]));
    assert_eq!(cells(true, [0.0, 0.0, 16.0, 18.0]), rows([false, false, true, true]));
    assert_eq!(cells(false, [4.0, 6.0, 12.0, 12.0]), rows([true, true, false, false]));
    assert_eq!(cells(true, [0.0, 0.0, 8.0, 9.0]), rows([false; 4]));
    assert_eq!(cells(false, [-30.0, 0.0, -10.0, 9.0]), rows([false; 4]));
}
