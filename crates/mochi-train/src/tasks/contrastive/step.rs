//! One step. The default is MoCo's (algorithm 1; facebookresearch/moco `builder.py`):
//!
//! 1. `q = f_q(view 1)`
//! 2. `f_k <- m f_k + (1 - m) f_q` (parameters only)
//! 3. `k = f_k(view 2)`, without gradient
//! 4. loss against the queue **before** k enters it, with MoCHi's synthetic negatives
//! 5. backward, SGD
//! 6. k enters the queue
//!
//! 1 to 4 belong to the method (`method`); other encoders, positives, candidate keys and mixed queries share 5 and 6.
//!
//! `symmetric` swaps the views for a second pair of passes and adds the two losses (MoCo's CIFAR demo): the gradient is that of the sum, the reported
//! loss is the mean of the two. Both sets of keys enter the queue.
//!
//! With `bn_groups` > 1, batch statistics are taken over slices of the batch, and the keys' batch is shuffled before `f_k` and restored to its
//! order after it: a key then shares its statistics with other images than its query does, as with shuffle-BN over several devices. With a
//! single group shuffling has no effect. Several ranks: see `ranks`.

use mochi_contrast::{Diagnostics, SampleMetadata};
use mochi_run::Metrics;
use mochi_tensor::{Kind, Tensor};

use super::learner::Learner;
use super::method::{StepInput, UpstreamGradient, momentum, rows_of, shared};
use super::metrics;
use super::ranks::Metadata;
use crate::{StepPlan, TrainError};

/// What a step measured.
#[derive(Debug, Clone)]
pub struct LearnerReport {
    /// Metrics of the loss. The loss is the mean over the queries, over both directions if symmetric, with that of mixed images in its weight.
    pub metrics: Metrics,
    /// The fewest negatives of a query, if some query had fewer than N.
    pub fewer_hard_negatives: Option<usize>,
    /// Keys that entered the queue.
    pub entered: usize,
    /// Diagnostics of the first direction's loss, if the plan asked for them.
    pub diagnostics: Option<Diagnostics>,
}

impl Learner {
    /// One step on views (B, 3, S, S), float32 (a rank's own images), as many as `data.views`; `metadata` is that of their images. A warm-up step has no synthetic
    /// negatives.
    ///
    /// # Errors
    /// [`TrainError::Contrast`] if embeddings or loss are not finite: then no parameter of f_q has moved.
    pub fn step(
        &mut self,
        views: &[Tensor],
        metadata: SampleMetadata,
        plan: &StepPlan,
    ) -> Result<LearnerReport, TrainError> {
        let everyone = Metadata::gather(self.ranks.as_ref(), metadata)?;
        let (everyone, step, synthesize) = (everyone.as_ref(), plan.step, !plan.warm_up);
        let input = StepInput { views, metadata, everyone, step, synthesize, diagnostics: plan.diagnostics };
        let output = match &self.key {
            Some(key) => momentum::losses(self, key, input)?,
            None => shared::losses(self, input)?,
        };
        self.optimizer.clear_gradients()?;
        backward(&output.gradients)?;
        if let Some(ranks) = &mut self.ranks {
            ranks.finish_backward()?;
        }
        self.optimizer.step(plan.learning_rate)?;
        let mut entered = 0;
        for keys in &output.keys {
            self.queue.enqueue(keys, everyone)?;
            entered += rows_of(keys);
        }
        let has_filters = !self.objective_of(input.synthesize).filters.is_empty();
        let metrics = metrics::of_loss(output.loss, output.loss_chance, &output.measures, has_filters);
        Ok(LearnerReport {
            metrics,
            fewer_hard_negatives: output.fewer_hard_negatives,
            entered,
            diagnostics: output.diagnostics,
        })
    }
}

/// Backpropagates each embedding's gradient, which is known in closed form.
fn backward(gradients: &[UpstreamGradient]) -> Result<(), TrainError> {
    let mut root: Option<Tensor> = None;
    for (embedding, gradient) in gradients {
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
