//! The contrastive loss with its gradient in closed form: checks, and the choice of the path. The formulas are in [`mochi_contrast_core`].
//!
//! On the CPU in float32, [`crate::cpu`] runs on all cores; otherwise [`crate::device`] computes the same in libtorch operations.

use crate::measures::uniformity;
use crate::queue::check_unit;
use crate::{Context, ContrastError, Loss, Objective, cpu, device};
use mochi_contrast_core::CoreError;
use mochi_tensor::{Device, Kind, Tensor, no_grad};

/// The loss of query (B, D) and key (B, D) against candidate keys (K, D): the rows of a [`crate::Queue`], keys of the batch, or both.
///
/// For a plain context and InfoNCE it equals `cross_entropy(cat([q·k, q·candidates, q·h], 1) / temperature, 0)` with the synthetic negatives h
/// detached. Candidate keys must be unit rows, as those of a queue; [`crate::check_unit`] checks others. There is no gradient with respect to key and
/// candidate keys.
///
/// # Errors
/// Embeddings that are not finite or not of norm 1, shapes that do not fit, values out of range, filters without their metadata.
pub fn info_nce(
    query: &Tensor,
    key: &Tensor,
    candidates: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<Loss, ContrastError> {
    let (query, key, candidates) = (query.f_detach()?, key.f_detach()?, candidates.f_detach()?);
    let shape = check(&query, &key, &candidates, objective, context)?;
    let plain = |t: &Tensor| t.device() == Device::Cpu && t.kind() == Kind::Float;
    if !(plain(&query) && plain(&key) && plain(&candidates)) {
        return no_grad(|| device::loss(&query, &key, &candidates, objective, context));
    }
    let step = context.draws.step;
    check_unit("query", &query, step)?;
    check_unit("key", &key, step)?;
    let (query, key, candidates) = (query.f_contiguous()?, key.f_contiguous()?, candidates.f_contiguous()?);
    let mut loss = no_grad(|| cpu::loss([&query, &key, &candidates], shape, objective, context))?;
    loss.measures.uniformity = no_grad(|| uniformity::of_both(&query, &key))?;
    // If a candidate key is not finite, the loss can be finite while the gradient is not.
    let finite = loss.gradient.f_sum(Kind::Double)?.f_double_value(&[])?.is_finite();
    if finite && loss.value.is_finite() { Ok(loss) } else { Err(ContrastError::LossNotFinite { step }) }
}

/// Checks the inputs and returns B, D and K.
pub(crate) fn check(
    query: &Tensor,
    key: &Tensor,
    candidates: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<[usize; 3], ContrastError> {
    let (shape, wide) = (query.size(), candidates.size());
    let sizes = match (shape.as_slice(), wide.as_slice()) {
        (&[batch, dim], &[count, other]) if key.size() == shape && dim == other => {
            [batch, dim, count].map(|n| usize::try_from(n).ok().filter(|&n| n > 0))
        }
        _ => [None; 3],
    };
    let [Some(batch), Some(dim), Some(count)] = sizes else {
        let text = format!(
            "expected query, key and candidate keys of shapes (B, D), (B, D) and (K, D), got {shape:?}, {:?} and {wide:?}",
            key.size()
        );
        return Err(CoreError::Shape(text).into());
    };
    objective.check()?;
    context.check(objective, batch, count)?;
    Ok([batch, dim, count])
}

#[cfg(test)]
#[path = "info_nce_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "strategy_tests.rs"]
mod strategy_tests;
