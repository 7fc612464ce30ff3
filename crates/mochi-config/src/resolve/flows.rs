//! Which ways of choosing encoder, positives and negatives stand together. What is refused here has no meaning or no code; everything
//! else composes.

use super::Facts;
use crate::Resolved;
use crate::choice::{EncoderKind, ImageMix, NegativesFrom, Positive};
use crate::error::Problem;

impl Resolved {
    /// Whether keys are kept over the steps: as negatives, or to find neighbours among.
    pub fn uses_queue(&self) -> bool {
        self.negatives.from != NegativesFrom::Batch || self.moco.positive == Positive::Nearest
    }

    /// Whether the loss is one of those within a batch (SimCLR, SupCon, NNCLR), which stand for themselves.
    pub fn within_batch(&self) -> bool {
        self.negatives.from == NegativesFrom::Batch
            && (self.moco.encoder == EncoderKind::Shared || self.moco.positive != Positive::Key)
    }
}

/// Every combination of this run that cannot stand.
pub(super) fn problems(resolved: &Resolved, facts: &Facts) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut conflict = |message: &str, hint: &str| {
        problems.push(Problem::Conflict { message: message.to_owned(), hint: hint.to_owned() });
    };
    let Resolved { moco, negatives, mix, .. } = resolved;
    let shared = moco.encoder == EncoderKind::Shared;
    let from_batch = negatives.from == NegativesFrom::Batch;
    if shared && !from_batch {
        conflict(
            "`moco.encoder` is \"shared\", which has no key encoder to fill a queue of negatives",
            "set negatives.from=batch (SimCLR), or moco.encoder=momentum",
        );
    }
    if moco.positive == Positive::Label && !(shared && from_batch) {
        conflict(
            "`moco.positive` is \"label\", which only the loss within a batch has (SupCon)",
            "set moco.encoder=shared and negatives.from=batch",
        );
    }
    if moco.positive == Positive::Label && !facts.labels {
        conflict(
            "`moco.positive` is \"label\" but the data set has no classes",
            "give a folder whose sub-folders are classes, or a list with a class after each path",
        );
    }
    if negatives.filters.iter().any(|guard| guard.name() == "class-oracle") && !facts.labels {
        conflict(
            "`negatives.filters` names class-oracle but the data set has no classes",
            "give a folder whose sub-folders are classes, or leave the guard out",
        );
    }
    if mix.images == ImageMix::Mixco && (moco.batch / 2) % moco.bn_groups != 0 {
        let (groups, pairs) = (moco.bn_groups, moco.batch / 2);
        conflict(
            &format!("`moco.bn_groups` is {groups} and does not divide the {pairs} mixed images of MixCo"),
            "set moco.bn_groups to a divisor of half the batch",
        );
    }
    if shared && mix.images != ImageMix::None {
        conflict(
            "`mix.images` mixes queries against keys of a key encoder, but `moco.encoder` is \"shared\"",
            "set moco.encoder=momentum, or mix.images=none",
        );
    }
    if from_batch && negatives.interpolate > 0.0 {
        conflict(
            "`negatives.interpolate` mixes the queue's keys, but `negatives.from` is \"batch\"",
            "set negatives.from=queue, or negatives.interpolate=0",
        );
    }
    if resolved.within_batch() {
        let name = match moco.positive {
            Positive::Key => "SimCLR's",
            Positive::Label => "SupCon's",
            Positive::Nearest => "NNCLR's",
        };
        let mut refuse = |set: bool, what: &str, off: &str| {
            if set {
                conflict(
                    &format!("{what} does not reach {name} loss within the batch"),
                    &format!("set {off}, or moco.encoder=momentum with negatives.from=queue"),
                );
            }
        };
        refuse(
            negatives.synthesises(),
            "synthesis (`negatives.pairs`, `negatives.query_mixes`, `negatives.extra`)",
            "negatives.pairs=0, negatives.query_mixes=0 and negatives.extra=[]",
        );
        refuse(!negatives.filters.is_empty(), "`negatives.filters`", "negatives.filters=[]");
        refuse(moco.loss.name() != "info-nce", "`moco.loss`", "moco.loss=info-nce");
        refuse(moco.extrapolate > 0.0, "`moco.extrapolate`", "moco.extrapolate=0");
        refuse(!shared && mix.images != ImageMix::None, "`mix.images`", "mix.images=none");
    }
    problems
}
