//! Checks of resolved settings: [`problems`] that prevent a run and [`warnings`] that do not.

use mochi_contrast_core::filters::Rule;
use mochi_contrast_core::strategies::{pair_mixing, query_mixing};

use super::{compute, rules};
use crate::choice::{Arch, EncoderKind, FirstFilters, ImageMix, Schedule, Stem};
use crate::error::Problem;
use crate::facts::{DeviceFacts, Facts};
use crate::origin::Origin;
use crate::resolved::Resolved;
use crate::sections::NO_WEIGHTS;
use crate::selection::Selection;
use crate::warning::Warning;

/// Queues in which more than this fraction of the queries find the previous key of their own image are warned about.
const OWN_KEY_FRACTION: f64 = 0.05;

/// Values that several processes cannot share.
fn of_processes(resolved: &Resolved, processes: usize, conflict: &mut impl FnMut(String, String)) {
    let Resolved { moco, mix, .. } = resolved;
    if !moco.batch.is_multiple_of(processes) {
        conflict(
            format!("`moco.batch` is {}, which {processes} processes cannot share equally", moco.batch),
            format!(
                "set moco.batch to a multiple of {processes}, such as {}",
                (moco.batch / processes).max(2) * processes
            ),
        );
    }
    if moco.bn_groups > 1 && !moco.bn_groups.is_multiple_of(processes) {
        conflict(
            format!(
                "`moco.bn_groups` is {}, which is neither 1 nor a multiple of the {processes} processes",
                moco.bn_groups
            ),
            format!(
                "set moco.bn_groups to 1 (statistics over all processes), to a multiple of {processes}, or to auto"
            ),
        );
    }
    let pairs = moco.batch / 2;
    if mix.images == ImageMix::Mixco && !pairs.is_multiple_of(processes) {
        conflict(
            format!(
                "`mix.images` is \"mixco\", whose {pairs} pairs of images {processes} processes cannot share equally"
            ),
            format!("set moco.batch to a multiple of {}", 2 * processes),
        );
    }
}

/// Values that contradict each other, the dataset or the machine.
pub(super) fn problems(resolved: &Resolved, facts: &Facts) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut conflict = |message: String, hint: String| problems.push(Problem::Conflict { message, hint });
    let Resolved { moco, model, negatives, epochs, .. } = resolved;
    // Without an epoch there is no batch: the untrained encoder can be written for any dataset.
    if *epochs > 0.0 && facts.images < 2 {
        let images = if facts.images == 1 { "1 image" } else { "no images" };
        conflict(
            format!("the dataset has {images}; contrastive learning requires at least 2"),
            "give a folder with more images".to_owned(),
        );
    } else if *epochs > 0.0 && moco.batch > facts.images {
        conflict(
            format!("`moco.batch` is {} but the dataset has {} images", moco.batch, facts.images),
            format!("set moco.batch to at most {}, or auto", facts.images),
        );
    }
    if let Some(start) = facts.start {
        let differs = |key: &str, own: &str, of_weights: &str| {
            let message = format!("`model.{key}` is {own}, but the weights of `model.init` are of {of_weights}");
            (message, format!("leave model.{key} out: it follows the weights"))
        };
        if start.arch != model.arch {
            let (message, hint) = differs("arch", model.arch.as_str(), start.arch.as_str());
            conflict(message, hint);
        } else if let Some(stem) = start.stem.filter(|&stem| stem != model.stem && model.arch.has_choice_of_stem()) {
            let (message, hint) = differs("stem", model.stem.as_str(), &format!("{} with the stem {stem}", start.arch));
            conflict(message, hint);
        }
    }
    if model.init != NO_WEIGHTS && model.first_filters == FirstFilters::Kmeans {
        conflict(
            "`model.first_filters` is \"k-means\", but `model.init` gives the filters".to_owned(),
            "leave one of them out".to_owned(),
        );
    }
    if moco.batch % moco.bn_groups != 0 {
        conflict(
            format!("`moco.bn_groups` is {} and does not divide `moco.batch`, {}", moco.bn_groups, moco.batch),
            format!("set moco.bn_groups to {}, or auto", rules::bn_groups(moco.batch, facts.processes).0),
        );
    } else if moco.batch / moco.bn_groups < 2 {
        conflict(
            format!("`moco.bn_groups` is {}, which leaves groups of one image without statistics", moco.bn_groups),
            format!("set moco.bn_groups to at most {}, or auto", moco.batch / 2),
        );
    }
    if facts.processes > 1 {
        of_processes(resolved, facts.processes, &mut conflict);
    }
    if negatives.hardest == 0 && negatives.synthesizes() {
        conflict(
            "`negatives.hardest` is 0, which leaves no keys to synthesize from".to_owned(),
            if negatives.extra.is_empty() {
                "set negatives.hardest to at least 1, or negatives.pairs=0 and negatives.query_mixes=0".to_owned()
            } else {
                "set negatives.hardest to at least 1, or negatives.pairs=0, negatives.query_mixes=0 and negatives.extra=[]"
                    .to_owned()
            },
        );
    }
    for (key, name) in [
        ("negatives.extra", repeated(negatives.extra.iter().map(Selection::name))),
        ("negatives.filters", repeated(negatives.filters.iter().map(Selection::name))),
    ] {
        if let Some(name) = name {
            conflict(format!("`{key}` contains {name} twice"), "list it once".to_owned());
        }
    }
    let counts = [
        (pair_mixing::SPEC.name, "pairs", negatives.pairs),
        (query_mixing::SPEC.name, "query_mixes", negatives.query_mixes),
    ];
    for (name, key, count) in counts {
        if count > 0 && negatives.extra.iter().any(|strategy| strategy.name() == name) {
            conflict(
                format!("`negatives.extra` contains {name}, and `negatives.{key}` is {count}: the same strategy twice"),
                format!("set negatives.{key}=0"),
            );
        }
    }
    for filter in &negatives.filters {
        if let Rule::OutsideRanks { from, to } = filter.build().rule
            && from >= to
        {
            conflict(
                format!("`negatives.filters` contains {filter}, which keeps no key"),
                "set `to` to a larger fraction than `from`".to_owned(),
            );
        }
    }
    problems.extend(compute::problem(resolved.compute.device, &facts.machine()));
    problems
}

/// The first name that occurs a second time.
fn repeated(names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let mut seen = Vec::new();
    names.into_iter().find(|name| {
        let again = seen.contains(name);
        seen.push(*name);
        again
    })
}

/// Valid settings that probably do not do what they should, on a dataset of `images` images and the chosen device.
pub(super) fn warnings(
    resolved: &Resolved,
    images: usize,
    device: DeviceFacts,
    bytes_per_image: u64,
    warnings: &mut Vec<Warning>,
) {
    let Resolved { moco, negatives, model, data, compute, optimizer, epochs, .. } = resolved;
    let epochs = *epochs;
    if epochs == 0.0 {
        return;
    }
    queue_warnings(resolved, images, warnings);
    if negatives.synthesizes() && negatives.warmup_epochs >= epochs {
        warnings.push(Warning::SynthesisNeverStarts { warmup: negatives.warmup_epochs, epochs });
    }
    let automatic = |key| matches!(resolved.origins.get(key), Some(Origin::Auto(_)));
    // A map under 3 x 3 has little spatial information. A size that follows from a time budget is meant to.
    let stride = if model.arch == Arch::PatchResnet { 8 } else { 32 };
    let cells = data.size.div_ceil(stride);
    if !model.arch.has_choice_of_stem() {
        if model.stem == Stem::Cifar {
            warnings.push(Warning::StemIgnored { arch: model.arch });
        }
    } else if model.stem == Stem::Standard && cells < 3 && !automatic("data.size") {
        warnings.push(Warning::StemTooCoarse { size: data.size, cells });
    }
    let milestones: Vec<u32> = optimizer.milestones.iter().copied().filter(|&at| f64::from(at) >= epochs).collect();
    if optimizer.schedule == Schedule::Step && !milestones.is_empty() {
        warnings.push(Warning::MilestonesBeyondEnd { milestones, epochs });
    }
    if optimizer.warmup_epochs >= epochs {
        warnings.push(Warning::OnlyWarmup { warmup: optimizer.warmup_epochs, epochs });
    }
    // A shared encoder encodes both views in one pass, so the keys have no batch statistics of their own.
    if moco.bn_groups == 1 && moco.encoder == EncoderKind::Momentum {
        warnings.push(Warning::BatchNormLeak);
    }
    if moco.symmetric && moco.encoder == EncoderKind::Shared {
        warnings.push(Warning::SymmetricIgnored);
    }
    compute::warnings(compute, device, warnings);
    let need = bytes_per_image.saturating_mul(moco.batch as u64);
    if device.memory_bytes > 0 && need > device.memory_bytes {
        warnings.push(Warning::MemoryTight {
            batch: moco.batch,
            need_mib: need >> 20,
            device: compute.device,
            have_mib: device.memory_bytes >> 20,
        });
    }
}

/// Warnings about the size of the queue.
fn queue_warnings(resolved: &Resolved, images: usize, warnings: &mut Vec<Warning>) {
    if !resolved.uses_queue() {
        return;
    }
    let Resolved { moco, negatives, .. } = resolved;
    let (queue, keys_per_image) = (moco.queue, if moco.symmetric { 2 } else { 1 });
    let (keys, step_keys) = (images.saturating_mul(keys_per_image), moco.batch.saturating_mul(keys_per_image));
    // Only as negatives do they do harm: NNCLR's queue may hold them, and the filter excludes them.
    // In a single epoch no image comes a second time.
    let own_keys = resolved.epochs > 1.0
        && resolved.negatives_from_queue()
        && !negatives.filters.iter().any(|f| f.name() == "same-image");
    if own_keys && keys > 0 {
        let (suggested, _) = rules::queue(images, moco.batch, moco.symmetric);
        let fraction = (queue as f64 / keys as f64).powi(2) / 2.0;
        if queue > keys {
            warnings.push(Warning::QueueLargerThanData { queue, keys, suggested });
        } else if fraction > OWN_KEY_FRACTION {
            warnings.push(Warning::QueueHoldsOwnKeys { queue, keys, percent: 100.0 * fraction, suggested });
        }
    }
    if queue < step_keys {
        warnings.push(Warning::QueueSmallerThanBatch { queue, keys: step_keys });
    }
}
