//! Checks of resolved settings of detection: [`problems`] that prevent a run and [`warnings`] that do not.

use super::choice::{Architecture, Freeze, Norm};
use super::facts::Facts;
use super::resolved::Resolved;
use super::rules;
use super::settings::Settings;
use mochi_text::counted;

use crate::choice::{Arch, Stem};
use crate::error::Problem;
use crate::facts::DeviceFacts;
use crate::resolve::compute;
use crate::sections::NO_WEIGHTS;
use crate::warning::Warning;

/// A learning rate that differs from the linear rule by more than this factor is warned about.
const RATE_FACTOR: f64 = 1.5;

/// Values that contradict each other, the data or the machine.
pub(super) fn problems(resolved: &Resolved, facts: &Facts) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut conflict = |message: String, hint: String| problems.push(Problem::Conflict { message, hint });
    let Resolved { data, model, optimizer, iterations, .. } = resolved;
    if facts.images == 0 {
        conflict(
            "the data has no images to train on".to_owned(),
            "give a folder with images and annotations, or set data.split".to_owned(),
        );
    } else if facts.classes == 0 {
        conflict("the data has no class of objects".to_owned(), "give annotations with objects".to_owned());
    }
    if !data.batch.is_multiple_of(data.groups) {
        let fitting = (1..=data.groups.min(data.batch)).rev().find(|&n| data.batch.is_multiple_of(n)).unwrap_or(1);
        conflict(
            format!("`data.groups` is {} and does not divide `data.batch`, {}", data.groups, data.batch),
            format!("set data.groups={fitting}"),
        );
    }
    let late: Vec<u64> = optimizer.milestones.iter().copied().filter(|at| at >= iterations).collect();
    if !late.is_empty() {
        conflict(
            format!("`optimizer.milestones` contains {late:?} but `iterations` is {iterations}"),
            format!("set optimizer.milestones=auto (here {:?})", rules::milestones(*iterations).0),
        );
    }
    sides(resolved, &mut conflict);
    if model.masks && !facts.masks {
        conflict(
            "`model.masks` is true but the objects of the data have no masks".to_owned(),
            "set model.masks=false, or auto".to_owned(),
        );
    }
    let random = model.init == NO_WEIGHTS;
    if random && model.norm == Norm::Frozen {
        conflict(
            "`model.norm` is \"frozen\" but `model.init` is \"none\": random weights have no statistics to keep"
                .to_owned(),
            "set model.norm=batch, or give weights with --init".to_owned(),
        );
    }
    if random && model.freeze != Freeze::None {
        conflict(
            format!("`model.freeze` is \"{}\" but `model.init` is \"none\": random weights would stay", model.freeze),
            "set model.freeze=none, or give weights with --init".to_owned(),
        );
    }
    if model.arch == Arch::PatchResnet {
        conflict(
            format!(
                "`model.arch` is \"{}\", which has one feature map; detection needs a ResNet with several",
                model.arch
            ),
            "pre-train with model.arch=resnet18, or another ResNet".to_owned(),
        );
    }
    if model.arch.is_cifar_family() && model.freeze == Freeze::Res4 && model.architecture == Architecture::C4 {
        conflict(
            format!("`model.freeze` is \"res4\", which is the head of {}: it has no res5", model.arch),
            "set model.freeze=res3".to_owned(),
        );
    }
    let maps = if model.arch.is_cifar_family() { 4 } else { 5 };
    let sizes = model.anchor_sizes.len();
    if model.architecture == Architecture::Fpn && sizes != maps {
        conflict(
            format!(
                "`model.anchor_sizes` has {} but the feature pyramid of {} has {maps} maps, each with one size",
                counted(sizes, "size"),
                model.arch
            ),
            format!("give {maps} sizes, such as model.anchor_sizes={:?}", &[16, 32, 64, 128, 256][..maps]),
        );
    }
    problems.extend(compute::problem(resolved.compute.device, &facts.machine()));
    problems
}

/// Sides of images that contradict each other.
fn sides(resolved: &Resolved, conflict: &mut impl FnMut(String, String)) {
    let data = &resolved.data;
    let longest = data.longest_side;
    let largest = data.short_sides.last().copied();
    if largest.is_none() {
        conflict("`data.short_sides` is empty".to_owned(), "list one side or more, in pixels".to_owned());
    }
    let sides = [("data.short_sides", largest), ("data.test_short_side", Some(data.test_short_side))];
    for (key, side) in sides {
        if let Some(side) = side.filter(|&side| side > longest) {
            conflict(
                format!("`{key}` has {side} pixels, more than `data.longest_side`, {longest}"),
                format!("set data.longest_side to at least {side}"),
            );
        }
    }
}

/// Valid settings that probably do not do what they should, on the chosen device.
pub(super) fn warnings(resolved: &Resolved, facts: &Facts, device: DeviceFacts) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let (without, objects) = facts.unmasked;
    if resolved.model.masks && without > 0 {
        warnings.push(Warning::ObjectsWithoutMasks { without, objects });
    }
    if resolved.data.batch > facts.images {
        warnings.push(Warning::BatchLargerThanData { batch: resolved.data.batch, images: facts.images });
    }
    let Resolved { data, model, optimizer, iterations, .. } = resolved;
    let (rule, _) = rules::learning_rate(data.batch);
    let ratio = optimizer.learning_rate / rule;
    if !(1.0 / RATE_FACTOR..=RATE_FACTOR).contains(&ratio) {
        let learning_rate = optimizer.learning_rate;
        warnings.push(Warning::RateOffRule { learning_rate, batch: data.batch, rule });
    }
    warnings.extend(fewer_images(resolved));
    warnings.extend(proposals_of_c4(resolved));
    if optimizer.warmup_iterations >= *iterations {
        let warmup = optimizer.warmup_iterations;
        warnings.push(Warning::OnlyWarmupIterations { warmup, iterations: *iterations });
    }
    if !model.arch.has_choice_of_stem() && model.stem == Stem::Cifar {
        warnings.push(Warning::StemIgnored { arch: model.arch });
    }
    compute::warnings(&resolved.compute, device, &mut warnings);
    warnings
}

/// The preset's iterations with a smaller batch. On VOC, that gave an AP of 44.8 instead of 56.7 (WXinlong/DenseCL, issue 6).
fn fewer_images(resolved: &Resolved) -> Option<Warning> {
    let preset = Settings::preset(&resolved.preset).ok()?;
    let (batch, of_preset, iterations) = (resolved.data.batch, preset.data.batch, resolved.iterations);
    if preset.iterations.written() != Some(iterations) || batch >= of_preset {
        return None;
    }
    let more = |at: u64| (at as f64 * of_preset as f64 / batch as f64).round() as u64;
    let milestones = resolved.optimizer.milestones.iter().map(|&at| more(at)).collect();
    Some(Warning::FewerImages { batch, of_preset, iterations, needed: more(iterations), milestones })
}

/// The limits of a published preset for `c4`, with `fpn`, whose limits are smaller because they are those of each map.
fn proposals_of_c4(resolved: &Resolved) -> Option<Warning> {
    let preset = Settings::preset(&resolved.preset).ok()?;
    let before_nms = resolved.proposals.train_before_nms;
    let kept = resolved.proposals == preset.proposals && preset.model.architecture == Architecture::C4;
    let of_pyramid = Settings::preset(PYRAMID).ok()?.proposals.train_before_nms;
    (kept && resolved.model.architecture == Architecture::Fpn && before_nms > of_pyramid)
        .then(|| Warning::ProposalsOfC4 { preset: resolved.preset.clone(), before_nms, of_pyramid })
}

/// The published preset with a feature pyramid.
const PYRAMID: &str = "coco-r50-fpn-1x";
