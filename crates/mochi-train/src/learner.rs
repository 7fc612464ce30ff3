//! What learns, and one step of it. The plain step is MoCo's (algorithm 1; facebookresearch/moco `builder.py`):
//!
//! 1. `q = f_q(view 1)`
//! 2. `f_k <- m f_k + (1 - m) f_q` (parameters only)
//! 3. `k = f_k(view 2)`, without gradient
//! 4. loss against the queue **before** k enters it, with MoCHi's synthetic negatives
//! 5. backward, SGD
//! 6. k enters the queue
//!
//! 1 to 4 are a flow's (`flows`): other encoders, positives, columns and mixed queries go the same way through 5 and 6.
//!
//! `symmetric` swaps the views for a second pair of passes and adds the two losses (MoCo's CIFAR demo); both sets of keys enter the queue.
//!
//! With `bn_groups` > 1, batch statistics are taken over slices of the batch, and the keys' batch is shuffled before `f_k` and put back
//! in order after: a key then shares its statistics with other images than its query does. That is what shuffle-BN is for; on one
//! device shuffling alone does nothing.

use mochi_config::{EncoderKind, OptimizerName, Resolved};
use mochi_contrast::{Known, Look, Measures, Objective, Queue};
use mochi_nets::{Encoder, EncoderSpec, NormMode};
use mochi_tensor::{Compute, Kind, Optimizer, ParameterGroup, Tensor, Update, with_seed};

use crate::flows::{Now, Pull, Ways, momentum, rows_of, shared};
use crate::{TrainError, encoder_spec, objective};

/// Encoders, queue and optimizer of a run.
#[derive(Debug)]
pub struct Learner {
    /// f_q, the encoder that learns and is kept.
    pub query: Encoder,
    /// f_k, its moving average; a shared encoder leaves it as it began.
    pub key: Encoder,
    /// Keys of past steps.
    pub queue: Queue,
    /// State of SGD or LARS.
    pub optimizer: Optimizer,
    /// Whether a step is looked at closely ([`mochi_contrast::look()`]); it learns the same either way.
    pub look: bool,
    pub(crate) ways: Ways,
    pub(crate) seed: u64,
    pub(crate) momentum: f64,
    pub(crate) groups: i64,
    objective: Objective,
    /// The objective of warm-up epochs.
    warmup: Objective,
}

/// What a step saw.
#[derive(Debug, Clone)]
pub struct StepReport {
    /// What was minimised: the mean loss over the queries, over both directions if symmetric, with that of mixed images in its weight.
    pub loss: f64,
    /// The same for an encoder that knows nothing: ln(1 + K + s + s') for MoCHi.
    pub loss_ceiling: f64,
    /// Measurements of the loss.
    pub measures: Measures,
    /// Where a query had fewer valid negatives than N: how many.
    pub clamped: Option<usize>,
    /// Keys that entered the queue.
    pub entered: usize,
    /// The closer look at the first direction's loss, where [`Learner::look`] asked for it.
    pub look: Option<Look>,
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
        let optimizer =
            Optimizer::new(update, momentum, vec![ParameterGroup::new(1.0, decay).with(query.store(), "", |_| true)])?;
        let objective = objective(settings)?;
        Ok(Self {
            query,
            key,
            queue,
            optimizer,
            look: false,
            ways: Ways::new(settings),
            seed: settings.seed,
            momentum: settings.moco.momentum,
            groups: i64::try_from(settings.moco.bn_groups).unwrap_or(1).max(1),
            warmup: objective.without_synthesis(),
            objective,
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
        let now = Now { views, known, step, synthesise };
        let taken = match self.ways.encoder {
            EncoderKind::Momentum => momentum::losses(self, now)?,
            EncoderKind::Shared => shared::losses(self, now)?,
        };
        self.optimizer.clear_gradients()?;
        backward(&taken.pulls)?;
        self.optimizer.step(learning_rate)?;
        let mut entered = 0;
        for keys in &taken.keys {
            self.queue.enqueue(keys, known)?;
            entered += rows_of(keys);
        }
        Ok(StepReport {
            loss: taken.loss,
            loss_ceiling: taken.loss_ceiling,
            measures: taken.measures,
            clamped: taken.clamped,
            entered,
            look: taken.look,
        })
    }

    pub(crate) fn objective_of(&self, synthesise: bool) -> &Objective {
        if synthesise { &self.objective } else { &self.warmup }
    }

    /// How f_q and f_k take their batch statistics.
    pub(crate) fn mode(&self) -> NormMode {
        NormMode::Train { groups: self.groups }
    }
}

/// Hands each embedding its gradient, which is known in closed form; autograd takes it from there.
fn backward(pulls: &[Pull]) -> Result<(), TrainError> {
    let mut root: Option<Tensor> = None;
    for (embedding, gradient) in pulls {
        let part = embedding.f_mul(gradient)?.f_sum(Kind::Float)?;
        root = Some(match root {
            Some(sum) => sum.f_add(&part)?,
            None => part,
        });
    }
    if let Some(root) = root {
        root.f_backward()?;
    }
    Ok(())
}
