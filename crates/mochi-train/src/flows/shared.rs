//! Both views through f_q in one pass, as SimCLR has them: the gradient reaches both, f_k stays as it began, and the two directions of the
//! loss come at no further pass.

use mochi_config::Positive;
use mochi_contrast::{nnclr, sim_clr, sup_con};
use mochi_tensor::{Tensor, no_grad};

use super::{Now, Taken, rows_of};
use crate::{Learner, TrainError};

/// The loss of one step.
pub(crate) fn losses(learner: &Learner, now: Now) -> Result<Taken, TrainError> {
    let compute = learner.query.compute();
    let inputs = compute.input(&Tensor::f_cat(&[now.views[0], now.views[1]], 0)?)?;
    let both = learner.query.embed(&inputs, learner.mode())?; // (2B, D)
    let batch = rows_of(&both) / 2;
    let temperature = learner.objective_of(false).temperature;
    let ceiling = ((2 * batch).saturating_sub(1).max(1) as f64).ln();
    match learner.ways.positive {
        Positive::Key => {
            let loss = sim_clr(&both, temperature, now.step)?;
            Ok(Taken::of(both, loss, ceiling))
        }
        Positive::Label => {
            let labels = now.known.labels.ok_or(TrainError::NoLabels { option: "moco.positive=label" })?;
            let loss = sup_con(&both, labels, temperature, now.step)?;
            Ok(Taken::of(both, loss, ceiling))
        }
        Positive::Nearest => nearest(learner, both, batch, temperature, now.step),
    }
}

/// NNCLR: each view's embedding against the neighbours of the other's; the first view's enter the queue.
fn nearest(learner: &Learner, both: Tensor, batch: usize, temperature: f64, step: u64) -> Result<Taken, TrainError> {
    let half = i64::try_from(batch).unwrap_or(0);
    let views = no_grad(|| -> Result<_, TrainError> {
        let rows = both.f_detach()?;
        Ok([rows.f_narrow(0, 0, half)?, rows.f_narrow(0, half, half)?])
    })?;
    let neighbours = |view: usize| learner.ways.positives(&views[view], &learner.queue);
    let first = nnclr(&views[0], &neighbours(1)?.rows, temperature, step)?;
    let second = nnclr(&views[1], &neighbours(0)?.rows, temperature, step)?;
    let gradient = Tensor::f_cat(&[first.gradient, second.gradient], 0)?.f_mul_scalar(0.5)?;
    let [key, _] = views;
    Ok(Taken {
        pulls: vec![(both, gradient)],
        keys: vec![key.copy()],
        loss: (first.value + second.value) / 2.0,
        loss_ceiling: (batch.max(1) as f64).ln(),
        measures: first.measures,
        clamped: None,
        look: None,
    })
}
