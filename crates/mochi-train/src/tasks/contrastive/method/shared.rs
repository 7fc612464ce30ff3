//! All views through f_q in one pass, as in SimCLR: the gradient reaches every view, there is no key encoder, and the other directions of the loss need
//! no further pass.

use mochi_config::Positive;
use mochi_contrast::{Loss, nnclr, sim_clr, sup_con};
use mochi_tensor::{Tensor, dim, no_grad};

use super::super::ranks::{gather, gather_views, own_gradient, own_gradient_of_views};
use super::{StepInput, StepOutput, rows_of};
use crate::{Learner, TrainError};

/// The loss of one step.
pub(crate) fn losses(learner: &Learner, input: StepInput) -> Result<StepOutput, TrainError> {
    let compute = learner.query.compute();
    let inputs = compute.input(&Tensor::f_cat(input.views, 0)?)?;
    let all = learner.query.embed(&inputs, learner.mode())?; // (VB, D)
    let batch = rows_of(&all) / input.views.len().max(1);
    let temperature = learner.objective_of(false).temperature;
    let (ranks, views) = (learner.ranks.as_ref(), dim(input.views.len()));
    let images = batch * ranks.map_or(1, |ranks| ranks.group().size());
    let own = |loss: Loss| -> Result<Loss, TrainError> {
        Ok(Loss { gradient: own_gradient_of_views(ranks, &loss.gradient, views)?, ..loss })
    };
    match learner.method.positive {
        Positive::Key => {
            let loss = sim_clr(&gather_views(ranks, &all, views)?, images, temperature, input.step)?;
            Ok(StepOutput::of(all, own(loss)?))
        }
        Positive::Label => {
            let labels = input.everyone.labels.ok_or(TrainError::NoLabels { option: "moco.positive=label" })?;
            let loss = sup_con(&gather_views(ranks, &all, views)?, labels, temperature, input.step)?;
            Ok(StepOutput::of(all, own(loss)?))
        }
        Positive::Nearest => nearest(learner, all, batch, temperature, input.step),
    }
}

/// NNCLR: each view's embedding against the neighbors of the other's; the first view's enter the queue.
fn nearest(
    learner: &Learner,
    both: Tensor,
    batch: usize,
    temperature: f64,
    step: u64,
) -> Result<StepOutput, TrainError> {
    let half = i64::try_from(batch).unwrap_or(0);
    let views = no_grad(|| -> Result<_, TrainError> {
        let rows = both.f_detach()?;
        Ok([rows.f_narrow(0, 0, half)?, rows.f_narrow(0, half, half)?])
    })?;
    let ranks = learner.ranks.as_ref();
    let against_neighbors = |view: usize| -> Result<Loss, TrainError> {
        let neighbors = learner.method.positives(&views[1 - view], &learner.queue)?.rows;
        let loss = nnclr(&gather(ranks, &views[view])?, &gather(ranks, &neighbors)?, temperature, step)?;
        Ok(Loss { gradient: own_gradient(ranks, &loss.gradient)?, ..loss })
    };
    let (first, second) = (against_neighbors(0)?, against_neighbors(1)?);
    let gradient = Tensor::f_cat(&[first.gradient, second.gradient], 0)?.f_mul_scalar(0.5)?;
    let key = gather(ranks, &views[0])?;
    Ok(StepOutput {
        gradients: vec![(both, gradient)],
        keys: vec![key.copy()],
        loss: (first.value + second.value) / 2.0,
        loss_chance: (first.chance + second.chance) / 2.0,
        measures: first.measures,
        fewer_hard_negatives: None,
        diagnostics: None,
    })
}
