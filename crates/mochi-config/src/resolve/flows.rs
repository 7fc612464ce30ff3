//! Supported combinations of key encoder, positives and negatives. What is refused here has no meaning or no implementation; everything else
//! can be combined.

use crate::choice::{EncoderKind, ImageMix, NegativesFrom, Positive};
use crate::error::Problem;
use crate::facts::Facts;
use crate::resolved::Resolved;

impl Resolved {
    /// Whether the keys of past steps are kept: as negatives, or as candidates for the nearest neighbor.
    pub fn uses_queue(&self) -> bool {
        self.negatives_from_queue() || self.moco.positive == Positive::Nearest
    }

    /// Whether keys of the queue are negatives.
    pub fn negatives_from_queue(&self) -> bool {
        self.negatives.from != NegativesFrom::Batch
    }

    /// Number of candidate keys of a query, of which `negatives.hardest` are the hard negatives.
    pub fn candidate_keys(&self) -> usize {
        candidate_keys(self.negatives.from, self.moco.queue, self.moco.batch)
    }

    /// Whether the loss is computed within a batch (SimCLR, SupCon, NNCLR). These losses support no synthesis, filters or loss variants.
    pub fn within_batch(&self) -> bool {
        !self.negatives_from_queue()
            && (self.moco.encoder == EncoderKind::Shared || self.moco.positive != Positive::Key)
    }
}

/// Number of candidate keys of a query, by their source, the length of the queue and the size of the batch.
pub(super) fn candidate_keys(from: NegativesFrom, queue: usize, batch: usize) -> usize {
    match from {
        NegativesFrom::Queue => queue,
        NegativesFrom::Batch => batch,
        NegativesFrom::Both => queue.saturating_add(batch),
    }
}

/// Every unsupported combination of these settings.
pub(super) fn problems(resolved: &Resolved, facts: &Facts) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut conflict = |message: &str, hint: &str| {
        problems.push(Problem::Conflict { message: message.to_owned(), hint: hint.to_owned() });
    };
    let Resolved { moco, negatives, mix, .. } = resolved;
    let shared = moco.encoder == EncoderKind::Shared;
    let from_batch = !resolved.negatives_from_queue();
    if shared && !from_batch {
        conflict(
            "`moco.encoder` is \"shared\", which has no key encoder to fill a queue of negatives",
            "set negatives.from=batch (SimCLR), or moco.encoder=momentum",
        );
    }
    if moco.positive == Positive::Label && !(shared && from_batch) {
        conflict(
            "`moco.positive` is \"label\", which requires a loss within the batch (SupCon)",
            "set moco.encoder=shared and negatives.from=batch",
        );
    }
    if moco.positive == Positive::Label && !facts.labels {
        conflict(
            "`moco.positive` is \"label\" but the dataset has no labels",
            "give a folder whose subfolders are classes, or a list with a class after each path",
        );
    }
    if negatives.filters.iter().any(|filter| filter.name() == "class-oracle") && !facts.labels {
        conflict(
            "`negatives.filters` contains class-oracle but the dataset has no labels",
            "give a folder whose subfolders are classes, or remove the filter",
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
            "`mix.images` requires a key encoder, but `moco.encoder` is \"shared\"",
            "set moco.encoder=momentum, or mix.images=none",
        );
    }
    if from_batch && negatives.interpolate > 0.0 {
        conflict(
            "`negatives.interpolate` mixes the keys of the queue, but `negatives.from` is \"batch\"",
            "set negatives.from=queue, or negatives.interpolate=0",
        );
    }
    if resolved.data.views > 2 && (!shared || moco.positive == Positive::Nearest) {
        conflict(
            &format!(
                "`data.views` is {}, but more than 2 views require a shared encoder and their own images as positives",
                resolved.data.views
            ),
            "set data.views=2, or moco.encoder=shared with moco.positive=key or label",
        );
    }
    if resolved.within_batch() {
        let name = match moco.positive {
            Positive::Key => "SimCLR",
            Positive::Label => "SupCon",
            Positive::Nearest => "NNCLR",
        };
        let mut refuse = |set: bool, what: &str, off: &str| {
            if set {
                conflict(
                    &format!("{what} is not supported by the {name} loss"),
                    &format!(
                        "set {off}, or moco.encoder=momentum with negatives.from=queue (as the preset small-mochi has)"
                    ),
                );
            }
        };
        refuse(
            negatives.synthesizes(),
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
