//! What learns, and one step of it (MoCo, algorithm 1; facebookresearch/moco `builder.py`):
//!
//! 1. `q = f_q(view 1)`
//! 2. `f_k <- m f_k + (1 - m) f_q` (parameters only)
//! 3. `k = f_k(view 2)`, without gradient
//! 4. loss against the queue **before** k enters it, with MoCHi's synthetic negatives
//! 5. backward, SGD
//! 6. k enters the queue
//!
//! `symmetric` swaps the views for a second pair of passes and adds the two losses (MoCo's CIFAR demo); both sets of keys enter the queue.
//!
//! With `bn_groups` > 1, batch statistics are taken over slices of the batch, and the keys' batch is shuffled before `f_k` and put back
//! in order after: a key then shares its statistics with other images than its query does. That is what shuffle-BN is for; on one
//! device shuffling alone does nothing.

use mochi_config::{OptimizerName, Resolved};
use mochi_contrast::{Context, DrawKey, Known, Loss, Measures, Objective, Queue, info_nce};
use mochi_nets::{Encoder, EncoderSpec, NormMode};
use mochi_random::{Philox, below};
use mochi_tensor::{Compute, Optimizer, Tensor, TensorError, Update, momentum_update, no_grad, with_seed};

use crate::{TrainError, encoder_spec, objective};

/// Stream of the shuffling draws: away from the points' and the loader's.
const SHUFFLE: u64 = 0x5348_5546;

/// Encoders, queue and optimizer of a run.
#[derive(Debug)]
pub struct Learner {
    /// f_q, the encoder that learns and is kept.
    pub query: Encoder,
    /// f_k, its moving average.
    pub key: Encoder,
    /// The negatives.
    pub queue: Queue,
    /// State of SGD or LARS.
    pub optimizer: Optimizer,
    objective: Objective,
    /// The objective of warm-up epochs.
    warmup: Objective,
    seed: u64,
    momentum: f64,
    symmetric: bool,
    groups: i64,
}

/// What a step saw.
#[derive(Debug, Clone, Copy)]
pub struct StepReport {
    /// Mean loss over the queries (over both directions if symmetric).
    pub loss: f64,
    /// ln(1 + K + s + s'): the loss of an encoder that knows nothing.
    pub loss_ceiling: f64,
    /// Measurements of the loss.
    pub measures: Measures,
    /// Where a query had fewer valid negatives than N: how many.
    pub clamped: Option<usize>,
}

/// A loss with the embeddings that it came from.
struct Side {
    query: Tensor,
    key: Tensor,
    loss: Loss,
}

impl Learner {
    /// Fresh encoders and queue from the settings' seed; f_k starts as a copy of f_q.
    ///
    /// # Errors
    /// Settings that the networks' room does not know, or no memory.
    pub fn new(settings: &Resolved, compute: Compute) -> Result<Self, TrainError> {
        let spec: EncoderSpec = encoder_spec(settings)?;
        let (query, mut key, queue) = with_seed(settings.seed, || -> Result<_, TrainError> {
            let query = Encoder::new(&spec, compute)?;
            let queue = Queue::new(settings.moco.queue, settings.model.dim, compute.device)?;
            Ok((query, Encoder::new(&spec, compute)?, queue))
        })?;
        key.freeze();
        key.store().copy_from(query.store())?;
        let update = match settings.optimizer.name {
            OptimizerName::Sgd => Update::Sgd,
            OptimizerName::Lars => Update::Lars,
        };
        let (momentum, decay) = (settings.optimizer.momentum, settings.optimizer.weight_decay);
        let optimizer = Optimizer::new(update, momentum, decay, &[("", query.store())]);
        let objective = objective(settings)?;
        Ok(Self {
            query,
            key,
            queue,
            optimizer,
            warmup: objective.without_synthesis(),
            objective,
            seed: settings.seed,
            momentum: settings.moco.momentum,
            symmetric: settings.moco.symmetric,
            groups: i64::try_from(settings.moco.bn_groups).unwrap_or(1).max(1),
        })
    }

    /// One step on two batches of views (B, 3, S, S), float32, of images of which `known` says what is known. `synthesise` is off during
    /// warm-up epochs.
    ///
    /// # Errors
    /// [`TrainError::Contrast`] where embeddings or loss are not finite: then no parameter of f_q has moved.
    pub fn step(
        &mut self,
        views: [&Tensor; 2],
        known: Known,
        step: u64,
        learning_rate: f64,
        synthesise: bool,
    ) -> Result<StepReport, TrainError> {
        let mode = NormMode::Train { groups: self.groups };
        let inputs = [self.query.compute().input(views[0])?, self.query.compute().input(views[1])?];
        let first_query = self.query.embed(&inputs[0], mode)?;
        momentum_update(self.key.store(), self.query.store(), self.momentum)?;
        let mut sides = vec![self.side(first_query, &inputs[1], known, step, 0, synthesise)?];
        if self.symmetric {
            let query = self.query.embed(&inputs[1], mode)?;
            sides.push(self.side(query, &inputs[0], known, step, 1, synthesise)?);
        }
        self.optimizer.clear_gradients()?;
        // The gradient of the loss in q is known in closed form; autograd takes it from there.
        let mut root: Option<Tensor> = None;
        for side in &sides {
            let part = side.query.f_mul(&side.loss.gradient)?.f_sum(mochi_tensor::Kind::Float)?;
            root = Some(match root {
                Some(sum) => sum.f_add(&part)?,
                None => part,
            });
        }
        if let Some(root) = root {
            root.f_backward()?;
        }
        self.optimizer.step(learning_rate)?;
        for side in &sides {
            self.queue.enqueue(&side.key, known)?;
        }
        let n = sides.len() as f64;
        Ok(StepReport {
            loss: sides.iter().map(|s| s.loss.value).sum::<f64>() / n,
            loss_ceiling: self.loss_ceiling(synthesise),
            measures: sides[0].loss.measures,
            clamped: sides.iter().filter_map(|side| side.loss.clamped).min(),
        })
    }

    /// The loss of an encoder that knows nothing: ln(1 + K + s + s') for InfoNCE.
    pub fn loss_ceiling(&self, synthesise: bool) -> f64 {
        self.objective_of(synthesise).ceiling(self.queue.len())
    }

    fn objective_of(&self, synthesise: bool) -> &Objective {
        if synthesise { &self.objective } else { &self.warmup }
    }

    /// Keys of `images` and the loss of `query` against them.
    fn side(
        &self,
        query: Tensor,
        images: &Tensor,
        known: Known,
        step: u64,
        side: u32,
        synthesise: bool,
    ) -> Result<Side, TrainError> {
        let key = no_grad(|| self.keys(images, step, side))?;
        let draws = DrawKey { seed: self.seed, step, side, first_query: 0 };
        let context = Context { draws, queries: known, columns: self.queue.known(), ..Context::default() };
        let loss = info_nce(&query, &key, self.queue.rows(), self.objective_of(synthesise), &context)?;
        Ok(Side { query, key, loss })
    }

    /// f_k's embeddings (B, D), shuffled through the groups of the batch statistics where there is more than one.
    fn keys(&self, images: &Tensor, step: u64, side: u32) -> Result<Tensor, TensorError> {
        let mode = NormMode::Train { groups: self.groups };
        if self.groups == 1 {
            return self.key.embed(images, mode);
        }
        let order = permutation(self.seed, step, side, images.size()[0]);
        let mut back = vec![0i64; order.len()];
        for (place, &from) in order.iter().enumerate() {
            if let Some(slot) = usize::try_from(from).ok().and_then(|from| back.get_mut(from)) {
                *slot = i64::try_from(place).unwrap_or(0);
            }
        }
        let index = |values: &[i64]| -> Result<Tensor, TensorError> {
            Ok(Tensor::f_from_slice(values)?.f_to_device(images.device())?)
        };
        let keys = self.key.embed(&images.f_index_select(0, &index(&order)?)?, mode)?;
        Ok(keys.f_index_select(0, &index(&back)?)?)
    }
}

/// A permutation of `0..n` for one step: Fisher and Yates with counter-based draws.
fn permutation(seed: u64, step: u64, side: u32, n: i64) -> Vec<i64> {
    let draws = Philox::new(seed, SHUFFLE);
    let mut order: Vec<i64> = (0..n).collect();
    for i in (1..order.len()).rev() {
        let at = u32::try_from(i).unwrap_or(u32::MAX);
        let word = draws.words([(step & 0xffff_ffff) as u32, (step >> 32) as u32, side, at])[0];
        order.swap(i, below(word, at.saturating_add(1)) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutations_are_permutations_and_change_with_the_step() {
        let one = permutation(1, 7, 0, 100);
        let mut sorted = one.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_ne!(one, permutation(1, 8, 0, 100));
        assert_ne!(one, permutation(1, 7, 1, 100));
        assert_eq!(one, permutation(1, 7, 0, 100));
    }
}
