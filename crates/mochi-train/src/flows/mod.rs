//! The ways of a step from two views to gradients: who makes the keys, what queries are drawn towards, what they are pushed from.
//!
//! ```text
//! encoder    momentum: [momentum], a side for each direction          shared: [shared], both views in one pass
//! positive   the key, its nearest neighbour in the queue, or the class (within the batch)
//! columns    [columns]: the queue, interpolated or not, the batch's keys, or both
//! queries    plain, mixed ([mixing]: Un-Mix, i-Mix, MixCo), or both
//! ```

pub(crate) mod columns;
pub(crate) mod mixing;
pub(crate) mod momentum;
pub(crate) mod shared;

use mochi_config::{EncoderKind, NegativesFrom, Positive, Resolved};
use mochi_contrast::{Known, Look, Loss, Measures};
use mochi_random::Beta;
use mochi_tensor::Tensor;

use mixing::Mixing;

/// What the settings choose.
#[derive(Debug)]
pub(crate) struct Ways {
    pub encoder: EncoderKind,
    pub positive: Positive,
    pub from: NegativesFrom,
    /// Whether keys enter the queue.
    pub queue: bool,
    /// Whether the loss is NNCLR's within the batch (or SimCLR's, SupCon's).
    pub within_batch: bool,
    pub symmetric: bool,
    /// Law of the positives' extrapolation.
    pub extrapolate: Option<Beta>,
    /// Law of the queue's interpolation.
    pub interpolate: Option<Beta>,
    pub mixing: Option<Mixing>,
}

impl Ways {
    pub fn new(settings: &Resolved) -> Self {
        let law = |v: f64| (v > 0.0).then(|| Beta::symmetric(v));
        Self {
            encoder: settings.moco.encoder,
            positive: settings.moco.positive,
            from: settings.negatives.from,
            queue: settings.uses_queue(),
            within_batch: settings.within_batch(),
            symmetric: settings.moco.symmetric,
            extrapolate: law(settings.moco.extrapolate),
            interpolate: law(settings.negatives.interpolate),
            mixing: Mixing::new(&settings.mix),
        }
    }
}

/// One step's input.
#[derive(Clone, Copy)]
pub(crate) struct Now<'a> {
    /// Two views (B, 3, S, S), float32.
    pub views: [&'a Tensor; 2],
    /// What is known of their images.
    pub known: Known<'a>,
    pub step: u64,
    /// Off during warm-up epochs.
    pub synthesise: bool,
}

/// Embeddings with a graph and the gradient that they receive.
pub(crate) type Pull = (Tensor, Tensor);

/// What a step leaves for the optimizer, the queue and the record.
pub(crate) struct Taken {
    pub pulls: Vec<Pull>,
    /// Keys for the queue, oldest first.
    pub keys: Vec<Tensor>,
    pub loss: f64,
    pub loss_ceiling: f64,
    pub measures: Measures,
    pub clamped: Option<usize>,
    /// The closer look, where the learner asked for one.
    pub look: Option<Look>,
}

impl Taken {
    /// Of one loss.
    pub fn of(query: Tensor, loss: Loss, loss_ceiling: f64) -> Self {
        Self {
            pulls: vec![(query, loss.gradient)],
            keys: Vec::new(),
            loss: loss.value,
            loss_ceiling,
            measures: loss.measures,
            clamped: loss.clamped,
            look: None,
        }
    }

    /// Adds what another loss of the same direction pulls and counts.
    pub fn add(&mut self, other: Taken) {
        self.pulls.extend(other.pulls);
        self.keys.extend(other.keys);
        self.loss += other.loss;
        self.loss_ceiling += other.loss_ceiling;
        self.clamped = self.clamped.into_iter().chain(other.clamped).min();
    }
}

/// Rows of a batch.
pub(crate) fn rows_of(tensor: &Tensor) -> usize {
    tensor.size().first().map_or(0, |&n| usize::try_from(n).unwrap_or(0))
}
