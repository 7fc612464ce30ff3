//! The method of a step, from the views to gradients: which encoder makes the keys, what the positives are, what the candidate keys are.
//!
//! ```text
//! encoder    momentum: [momentum], a pass for each direction          shared: [shared], all views in one pass
//! positive   the key, its nearest neighbor in the queue, or the class (within the batch)
//! candidates    [candidates]: the queue, interpolated or not, the batch's keys, or both
//! queries    plain, mixed ([mixing]: Un-Mix, i-Mix, MixCo), or both
//! ```

pub(crate) mod candidates;
pub(crate) mod mixing;
pub(crate) mod momentum;
pub(crate) mod shared;

use mochi_config::{NegativesFrom, Positive, Resolved};
use mochi_contrast::{Diagnostics, Loss, Measures, SampleMetadata};
use mochi_random::Beta;
use mochi_tensor::Tensor;

use mixing::Mixing;

/// What the settings choose.
#[derive(Debug)]
pub(crate) struct Method {
    pub positive: Positive,
    pub from: NegativesFrom,
    /// Whether keys enter the queue.
    pub queue: bool,
    /// Whether the loss is NNCLR's within the batch (or SimCLR's, SupCon's).
    pub within_batch: bool,
    pub symmetric: bool,
    /// Beta distribution of the positives' extrapolation.
    pub extrapolate: Option<Beta>,
    /// Beta distribution of the queue's interpolation.
    pub interpolate: Option<Beta>,
    pub mixing: Option<Mixing>,
}

impl Method {
    pub fn new(settings: &Resolved) -> Self {
        let beta = |v: f64| (v > 0.0).then(|| Beta::symmetric(v));
        Self {
            positive: settings.moco.positive,
            from: settings.negatives.from,
            queue: settings.uses_queue(),
            within_batch: settings.within_batch(),
            symmetric: settings.moco.symmetric,
            extrapolate: beta(settings.moco.extrapolate),
            interpolate: beta(settings.negatives.interpolate),
            mixing: Mixing::new(&settings.mix),
        }
    }
}

/// One step's input.
#[derive(Clone, Copy)]
pub(crate) struct StepInput<'a> {
    /// Views (B, 3, S, S), float32: two, or more with a shared encoder.
    pub views: &'a [Tensor],
    /// What is known of their images.
    pub metadata: SampleMetadata<'a>,
    /// What is known of the images of all ranks.
    pub everyone: SampleMetadata<'a>,
    pub step: u64,
    /// Whether there are synthetic negatives: not during warm-up.
    pub synthesize: bool,
    /// Whether periodic diagnostics are due.
    pub diagnostics: bool,
}

/// Embeddings with a graph, and the loss's gradient with respect to them.
pub(crate) type UpstreamGradient = (Tensor, Tensor);

/// What a step gives to the optimizer, the queue and the record.
pub(crate) struct StepOutput {
    pub gradients: Vec<UpstreamGradient>,
    /// Keys of all ranks for the queue, oldest first.
    pub keys: Vec<Tensor>,
    pub loss: f64,
    pub loss_chance: f64,
    pub measures: Measures,
    pub fewer_hard_negatives: Option<usize>,
    /// Periodic diagnostics of the first direction, if they were asked for.
    pub diagnostics: Option<Diagnostics>,
}

impl StepOutput {
    /// Of one loss.
    pub fn of(query: Tensor, loss: Loss) -> Self {
        Self {
            gradients: vec![(query, loss.gradient)],
            keys: Vec::new(),
            loss: loss.value,
            loss_chance: loss.chance,
            measures: loss.measures,
            fewer_hard_negatives: loss.fewer_hard_negatives,
            diagnostics: None,
        }
    }

    /// Adds another loss of the same step.
    pub fn add(&mut self, other: StepOutput) {
        self.gradients.extend(other.gradients);
        self.keys.extend(other.keys);
        self.loss += other.loss;
        self.loss_chance += other.loss_chance;
        self.fewer_hard_negatives = self.fewer_hard_negatives.into_iter().chain(other.fewer_hard_negatives).min();
    }
}

/// Rows of a batch.
pub(crate) fn rows_of(tensor: &Tensor) -> usize {
    tensor.size().first().map_or(0, |&n| usize::try_from(n).unwrap_or(0))
}
