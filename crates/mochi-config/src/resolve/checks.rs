//! What cannot stand ([`problems`]) and what deserves a word ([`warnings`]) once every value is known.

use super::{Facts, rules};
use crate::Resolved;
use crate::choice::{Device, EncoderKind, Precision, Schedule, Stem};
use crate::error::Problem;
use crate::warning::Warning;

/// Everything that cannot stand together, or not with this data set and machine.
pub(super) fn problems(resolved: &Resolved, facts: &Facts) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut conflict = |message: String, hint: String| problems.push(Problem::Conflict { message, hint });
    let Resolved { moco, negatives, compute, epochs, .. } = resolved;
    // No epoch, no batch: the untrained encoder can be written for any data set.
    if *epochs > 0 && facts.images < 2 {
        let images = if facts.images == 1 { "1 image" } else { "no image" };
        conflict(
            format!("the data set holds {images}: contrast needs at least 2"),
            "give a folder that holds more images".to_owned(),
        );
    } else if *epochs > 0 && moco.batch > facts.images {
        conflict(
            format!("`moco.batch` is {} but the data set holds {} images", moco.batch, facts.images),
            format!("set moco.batch to at most {}, or auto", facts.images),
        );
    }
    if moco.batch % moco.bn_groups != 0 {
        conflict(
            format!("`moco.bn_groups` is {} and does not divide `moco.batch`, {}", moco.bn_groups, moco.batch),
            format!("set moco.bn_groups to {}, or auto", rules::bn_groups(moco.batch).0),
        );
    } else if moco.batch / moco.bn_groups < 2 {
        conflict(
            format!("`moco.bn_groups` is {}: groups of one image have no statistics", moco.bn_groups),
            format!("set moco.bn_groups to at most {}, or auto", moco.batch / 2),
        );
    }
    if negatives.hardest == 0 && negatives.synthesises() {
        conflict(
            "`negatives.hardest` is 0, which leaves nothing to mix".to_owned(),
            if negatives.extra.is_empty() {
                "set negatives.hardest to at least 1, or negatives.pairs and negatives.query_mixes to 0".to_owned()
            } else {
                "set negatives.hardest to at least 1, or leave out all points, negatives.extra as well".to_owned()
            },
        );
    }
    for (key, calls) in [("negatives.extra", &negatives.extra), ("negatives.filters", &negatives.filters)] {
        for (at, call) in calls.iter().enumerate() {
            if calls.iter().take(at).any(|other| other.name() == call.name()) {
                conflict(format!("`{key}` names {} twice", call.name()), "name it once".to_owned());
            }
            if let (Some(from), Some(to)) = (call.get("from"), call.get("to"))
                && from >= to
            {
                conflict(
                    format!("`{key}` has {call}, which keeps nothing"),
                    "let the ring end at a larger share than it begins with, as ring(from=0.01, to=0.1)".to_owned(),
                );
            }
        }
    }
    if compute.device == Device::Cuda && !facts.cuda {
        conflict(
            "`compute.device` is \"cuda\" but no CUDA device works here".to_owned(),
            "`mochi doctor` says why; compute.device=cpu trains without".to_owned(),
        );
    }
    problems
}

/// Everything that can stand but deserves a word.
pub(super) fn warnings(resolved: &Resolved, facts: &Facts, bytes_per_image: u64, warnings: &mut Vec<Warning>) {
    let Resolved { moco, negatives, model, data, compute, optimizer, epochs, .. } = resolved;
    let (images, epochs) = (facts.images, *epochs);
    if epochs == 0 {
        return;
    }
    let keys_an_image = if moco.symmetric { 2 } else { 1 };
    let (epoch_keys, step_keys) = (images.saturating_mul(keys_an_image), moco.batch.saturating_mul(keys_an_image));
    if resolved.uses_queue() && moco.queue > epoch_keys {
        let (suggested, _) = rules::queue(images, moco.batch, moco.symmetric);
        warnings.push(Warning::QueueLargerThanData { queue: moco.queue, images, keys: epoch_keys, suggested });
    }
    if resolved.uses_queue() && moco.queue < step_keys {
        warnings.push(Warning::QueueSmallerThanBatch { queue: moco.queue, keys: step_keys });
    }
    if negatives.synthesises() && negatives.warmup_epochs >= epochs {
        warnings.push(Warning::SynthesisNeverStarts { warmup: negatives.warmup_epochs, epochs });
    }
    if negatives.distinct && negatives.pairs > 0 && negatives.hardest == 1 {
        warnings.push(Warning::NothingDistinct);
    }
    // Strides of 32 in all: under 3 x 3 cells little is left to see.
    let cells = data.size.div_ceil(32);
    if model.arch.is_cifar_family() {
        if model.stem == Stem::Cifar {
            warnings.push(Warning::StemIgnored { arch: model.arch });
        }
    } else if model.stem == Stem::Standard && cells < 3 {
        warnings.push(Warning::StemTooCoarse { size: data.size, cells });
    }
    let milestones: Vec<u32> = optimizer.milestones.iter().copied().filter(|&at| at >= epochs).collect();
    if optimizer.schedule == Schedule::Step && !milestones.is_empty() {
        warnings.push(Warning::MilestonesBeyondEnd { milestones, epochs });
    }
    if optimizer.warmup_epochs >= epochs {
        warnings.push(Warning::OnlyWarmup { warmup: optimizer.warmup_epochs, epochs });
    }
    // A shared encoder has both views in one pass: there is no key's batch of its own.
    if moco.bn_groups == 1 && moco.encoder == EncoderKind::Momentum {
        warnings.push(Warning::BatchNormLeak);
    }
    if moco.symmetric && moco.encoder == EncoderKind::Shared {
        warnings.push(Warning::SymmetricIgnored);
    }
    if compute.precision == Precision::Bf16 && !facts.bf16_fast {
        warnings.push(Warning::SlowBf16);
    }
    let need = bytes_per_image.saturating_mul(moco.batch as u64);
    if facts.memory_bytes > 0 && need > facts.memory_bytes {
        let (need_mib, have_mib) = (need >> 20, facts.memory_bytes >> 20);
        warnings.push(Warning::MemoryTight { batch: moco.batch, need_mib, have_mib });
    }
}
