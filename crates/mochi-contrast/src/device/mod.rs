//! The device path: the closed form in libtorch operations, for CUDA, float64, and as the partner that the CPU kernel is tested against.
//!
//! The same algebra as [`mochi_contrast_core::cpu`], a whole batch at a time: `topk` for the hard negatives, gathers of parents' cosines,
//! `scatter_add` for gradients. The host waits for the device once, when everything has been queued: for the loss and the step's numbers.

mod draws;
mod filters;
mod losses;
mod measures;
mod readback;
mod synthesis;

pub(crate) use filters::{apply as apply_filters, column, positives};
pub(crate) use readback::{Deferred, Numbers, Readback};

pub(crate) use synthesis::{Drawn, draw, for_extra_vectors, hard_negatives, synthesize};

use crate::measures::uniformity;
use crate::queue::UnitRows;
use crate::{Context, ContrastError, Loss, Measures, Objective};
use losses::{Derivatives, derivatives};
use mochi_tensor::{Kind, Tensor};
use synthesis::Synthetic;

/// The loss as tensors, before anything is read back.
pub struct ClosedForm {
    /// (B, 1 + K + synthetic): positive, candidate keys (excluded ones -infinity), synthetic negatives of each strategy; divided by the
    /// temperature.
    pub logits: Tensor,
    /// (B,): loss of each query.
    pub losses: Tensor,
    /// (B, D).
    pub gradient: Tensor,
    /// q·k (B, 1)
    positive: Tensor,
    candidates: i64,
    /// Synthetic negatives of each active strategy.
    counts: Vec<i64>,
    /// Cosines of the hard negatives (B, N).
    hard: Option<Tensor>,
    /// How many negatives each query has among the candidate keys (B, 1).
    valid: Tensor,
    /// Chance level of each query (B,).
    chance: Tensor,
}

/// Loss, gradient and measurements from rows of any float type on any device, which are checked here.
pub(crate) fn loss(
    query: &Tensor,
    key: &Tensor,
    candidates: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<Loss, ContrastError> {
    let form = closed_form(query, key, candidates, objective, context)?;
    let weights = match context.weights {
        None => None,
        Some(weights) => Some(column(weights, &form.losses)?.f_view([-1])?),
    };
    let total = |rows: &Tensor| match &weights {
        None => rows.f_mean(Kind::Double),
        Some(weights) => rows.f_mul(weights)?.f_sum(Kind::Double),
    };
    let mut readback = Readback::default();
    let rows = [UnitRows::new("query", query, &mut readback)?, UnitRows::new("key", key, &mut readback)?];
    let fewest = readback.add(&form.valid.f_min()?)?;
    let (value, chance) = (readback.add(&total(&form.losses)?)?, readback.add(&total(&form.chance)?)?);
    let gradient = readback.add(&form.gradient.f_sum(Kind::Double)?)?;
    let spread = match (uniformity::of_rows(query)?, uniformity::of_rows(key)?) {
        (Some(q), Some(k)) => Some(readback.add(&q.f_add(&k)?.f_mul_scalar(0.5)?)?),
        _ => None,
    };
    let measures = form.measures(objective, &mut readback)?;

    let numbers = readback.read()?;
    let step = context.draws.step;
    rows.iter().try_for_each(|rows| rows.check(&numbers, step))?;
    // A candidate key that is not finite leaves the loss a number but not the gradient.
    let value = numbers.at(value);
    if !(value.is_finite() && numbers.at(gradient).is_finite()) {
        return Err(ContrastError::LossNotFinite { step });
    }
    let uniformity = spread.map(|spread| numbers.at(spread));
    Ok(Loss {
        value,
        chance: numbers.at(chance),
        gradient: form.gradient,
        measures: Measures { uniformity, ..measures.read(&numbers, objective) },
        fewer_hard_negatives: objective.fewer_hard_negatives(numbers.count(fewest)),
    })
}

/// As [`crate::info_nce`], with the logits kept, for parity with references that print them. Rows are not checked.
///
/// # Errors
/// libtorch's, for shapes that do not fit.
pub fn evaluate(
    query: &Tensor,
    key: &Tensor,
    candidates: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<ClosedForm, ContrastError> {
    mochi_tensor::no_grad(|| closed_form(query, key, candidates, objective, context))
}

fn closed_form(
    query: &Tensor,
    key: &Tensor,
    candidates: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<ClosedForm, ContrastError> {
    let (batch, size, kind) = (query.size()[0], candidates.size()[0], query.kind());
    let sum_rows = |t: &Tensor| t.f_sum_dim_intlist([1i64].as_slice(), true, kind);
    let positive = sum_rows(&query.f_mul(key)?)?; // (B, 1)
    let cosines = query.f_matmul(&candidates.f_transpose(0, 1)?)?; // (B, K)
    let (cosines, valid) = filters::apply(&cosines, &positive, objective, context)?;

    let (mut hard, mut synthetic) = (None, Vec::new());
    if objective.has_synthesis() {
        let (set, values) = hard_negatives(&cosines, objective.hard_negatives)?;
        for drawn in draw(objective, context, &set, &valid, kind)? {
            synthetic.push(synthesize(query, candidates, &cosines, drawn, context)?);
        }
        hard = Some(values);
    }
    let counts: Vec<i64> = synthetic.iter().map(|part| part.cosines.size()[1]).collect();

    let (of_pair, slope) = positives(&positive, context)?;
    let mut parts = vec![of_pair, cosines];
    parts.extend(synthetic.iter().map(|part| part.cosines.shallow_clone()));
    let logits = Tensor::f_cat(&parts, 1)?.f_div_scalar(objective.temperature)?;
    let (log_weights, count) = weights_of(&synthetic, &valid, size, query)?;
    let form = derivatives(&objective.loss, objective.temperature, &logits, log_weights.as_ref(), &count)?;
    let Derivatives { losses, positive: of_positive, negatives } = form;

    let mut sizes = vec![size];
    sizes.extend(&counts);
    let parts = negatives.f_split_with_sizes(sizes.as_slice(), 1)?;
    let mut weights = parts[0].copy(); // (B, K), of its own: gradients of synthetic negatives are added in place
    let mut own = Tensor::f_zeros_like(&positive)?;
    let of_cosine = match &slope {
        Some(slope) => of_positive.f_mul(slope)?,
        None => of_positive,
    };
    let mut gradient = key.f_mul(&of_cosine)?;
    for (part, p) in synthetic.iter().zip(&parts[1..]) {
        weights = weights.f_scatter_add_(1, &part.drawn.first, &p.f_mul(&part.first)?)?;
        if part.drawn.strategy.has_two_parents() {
            weights = weights.f_scatter_add_(1, &part.drawn.second, &p.f_mul(&part.second)?)?;
        }
        own = own.f_add_(&sum_rows(&p.f_mul(&part.query)?)?)?;
        if let Some(part) = extra_gradient(part, p, query, context)? {
            gradient = gradient.f_add_(&part)?;
        }
    }
    gradient = weights.f_matmul(candidates)?.f_add(&gradient)?.f_add(&query.f_mul(&own)?)?;
    let gradient = match context.weights {
        None => gradient.f_div_scalar(objective.temperature * batch as f64)?,
        Some(weights) => gradient.f_mul(&column(weights, query)?)?.f_div_scalar(objective.temperature)?,
    };
    // A query without negatives has no loss and no gradient.
    let empty = valid.f_eq(0)?; // (B, 1)
    let chance = if objective.loss.positive_in_denominator { count.f_log1p()? } else { count.f_log()? };
    let of_rows = |rows: &Tensor| rows.f_masked_fill(&empty, 0.0)?.f_view([-1]);
    Ok(ClosedForm {
        losses: of_rows(&losses)?,
        chance: of_rows(&chance)?,
        gradient: gradient.f_masked_fill(&empty, 0.0)?,
        logits,
        positive,
        candidates: size,
        counts,
        hard,
        valid,
    })
}

/// The logarithms of the negatives' weights (B, K + synthetic), where not all are 1; and M of each query (B, 1).
fn weights_of(
    synthetic: &[Synthetic],
    valid: &Tensor,
    candidates: i64,
    query: &Tensor,
) -> Result<(Option<Tensor>, Tensor), ContrastError> {
    let kind = query.kind();
    let mut count = valid.f_to_kind(kind)?;
    let mut parts = Vec::new();
    for part in synthetic {
        let ones = part.cosines.f_ones_like()?;
        let weights = part.drawn.weights.as_ref().unwrap_or(&ones);
        count = count.f_add(&weights.f_sum_dim_intlist([1i64].as_slice(), true, kind)?)?;
        parts.push(weights.f_log()?);
    }
    if synthetic.iter().all(|part| part.drawn.weights.is_none()) {
        return Ok((None, count));
    }
    parts.insert(0, Tensor::f_zeros([query.size()[0], candidates], (kind, query.device()))?);
    Ok((Some(Tensor::f_cat(&parts, 1)?), count))
}

/// What extra vectors add to the gradient (B, D).
fn extra_gradient(
    part: &Synthetic,
    p: &Tensor,
    query: &Tensor,
    context: &Context,
) -> Result<Option<Tensor>, ContrastError> {
    let strategy = &part.drawn.strategy;
    let (Some(factor), Some(extra)) = (&part.extra, strategy.extra) else { return Ok(None) };
    let weights = p.f_mul(factor)?; // (B, n)
    let mut parts = Vec::new();
    for_extra_vectors(strategy, extra, query, p.size()[1], context, |start, count, vectors| {
        let weights = weights.f_narrow(0, start, count)?;
        let shared = vectors.size()[1] == 1;
        let weights = if shared { weights.f_sum_dim_intlist([1i64].as_slice(), true, query.kind())? } else { weights };
        parts.push(weights.f_unsqueeze(1)?.f_matmul(vectors)?.f_squeeze_dim(1)?);
        Ok(())
    })?;
    Ok(Some(Tensor::f_cat(&parts, 0)?))
}
