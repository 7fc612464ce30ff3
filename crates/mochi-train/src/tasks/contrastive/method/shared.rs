//! All views through f_q in one pass, as in SimCLR: the gradient reaches every view, there is no key encoder, and the other directions of the loss need
//! no further pass.

use mochi_config::Positive;
use mochi_contrast::{nnclr, sim_clr, sup_con};
use mochi_tensor::{Tensor, no_grad};

use super::{StepInput, StepOutput, rows_of};
use crate::{Learner, TrainError};

/// The loss of one step.
pub(crate) fn losses(learner: &Learner, input: StepInput) -> Result<StepOutput, TrainError> {
    let compute = learner.query.compute();
    let inputs = compute.input(&Tensor::f_cat(input.views, 0)?)?;
    let all = learner.query.embed(&inputs, learner.mode())?; // (VB, D)
    let batch = rows_of(&all) / input.views.len().max(1);
    let temperature = learner.objective_of(false).temperature;
    match learner.method.positive {
        Positive::Key => {
            let loss = sim_clr(&all, batch, temperature, input.step)?;
            Ok(StepOutput::of(all, loss))
        }
        Positive::Label => {
            let labels = input.metadata.labels.ok_or(TrainError::NoLabels { option: "moco.positive=label" })?;
            let loss = sup_con(&all, labels, temperature, input.step)?;
            Ok(StepOutput::of(all, loss))
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
    let neighbors = |view: usize| learner.method.positives(&views[view], &learner.queue);
    let first = nnclr(&views[0], &neighbors(1)?.rows, temperature, step)?;
    let second = nnclr(&views[1], &neighbors(0)?.rows, temperature, step)?;
    let gradient = Tensor::f_cat(&[first.gradient, second.gradient], 0)?.f_mul_scalar(0.5)?;
    let [key, _] = views;
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
