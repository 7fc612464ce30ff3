//! Explicit synthesis: every synthetic vector made, (B, s, D) at a time, gradients by autograd. Slow and large on purpose: it is what other
//! implementations do, what `mochi bench loss` measures against, and the independent partner of the closed form's tests.
//!
//! `h = normalize(c_q q + c_i n_i + c_j n_j + e)`, detached; `cross_entropy(cat([q·k, q·candidates, q·h], 1) / t, 0)`, or the other loss
//! variants as their papers write them.

use crate::device::{Drawn, apply_filters, column, draw, for_extra_vectors, hard_negatives, positives};
use crate::{Context, ContrastError, LossVariant, Objective};
use mochi_tensor::{Kind, Tensor, no_grad};

/// The loss (a scalar with a graph) and the logits (B, 1 + K + synthetic), with the samples of the closed form.
///
/// # Errors
/// libtorch's.
pub fn info_nce(
    query: &Tensor,
    key: &Tensor,
    candidates: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<(Tensor, Tensor), ContrastError> {
    let kind = query.kind();
    let positive = query.f_mul(key)?.f_sum_dim_intlist([1i64].as_slice(), true, kind)?;
    let cosines = query.f_matmul(&candidates.f_transpose(0, 1)?)?;
    let (filtered, valid) = no_grad(|| apply_filters(&cosines.f_detach()?, &positive.f_detach()?, objective, context))?;
    let excluded = filtered.f_eq(f64::NEG_INFINITY)?;
    let cosines = cosines.f_masked_fill(&excluded, f64::NEG_INFINITY)?;
    let mut parts = vec![positives(&positive, context)?.0, cosines];
    let mut weights = vec![excluded.f_logical_not()?.f_to_kind(kind)?];
    if objective.has_synthesis() {
        let (hard, _) = hard_negatives(&filtered, objective.hard_negatives)?;
        for drawn in draw(objective, context, &hard, &valid, kind)? {
            let synthetic = vectors(query, candidates, &drawn, context)?;
            parts.push(query.f_unsqueeze(1)?.f_matmul(&synthetic.f_transpose(1, 2)?)?.f_squeeze_dim(1)?);
            weights.push(match &drawn.weights {
                Some(weights) => weights.shallow_clone(),
                None => drawn.c_query.f_ones_like()?,
            });
        }
    }
    let logits = Tensor::f_cat(&parts, 1)?.f_div_scalar(objective.temperature)?;
    let unweighted = objective.active_strategies().all(|strategy| strategy.weight == 1.0);
    let all_valid = valid.f_min()?.f_int64_value(&[])? > 0;
    if objective.loss == LossVariant::INFO_NCE && context.weights.is_none() && unweighted && all_valid {
        let target = Tensor::f_zeros([query.size()[0]], (Kind::Int64, query.device()))?;
        let loss = logits.f_cross_entropy_loss(&target, None::<&Tensor>, mochi_tensor::Reduction::Mean, -100, 0.0)?;
        return Ok((loss, logits));
    }
    // Rows without negatives are left out, with their weight.
    let rows = valid.f_view([-1])?.f_nonzero()?.f_view([-1])?;
    let batch = query.size()[0] as f64;
    let losses =
        losses(objective, &logits.f_index_select(0, &rows)?, &Tensor::f_cat(&weights, 1)?.f_index_select(0, &rows)?)?;
    let loss = match context.weights {
        None => losses.f_sum(kind)?.f_div_scalar(batch)?,
        Some(weights) => losses.f_mul(&column(weights, query)?.f_index_select(0, &rows)?)?.f_sum(kind)?,
    };
    Ok((loss, logits))
}

/// The synthetic negatives of one strategy (B, s, D).
fn vectors(query: &Tensor, candidates: &Tensor, drawn: &Drawn, context: &Context) -> Result<Tensor, ContrastError> {
    let strategy = &drawn.strategy;
    let (batch, count, dim) = (query.size()[0], drawn.first.size()[1], query.size()[1]);
    let times = |index: &Tensor, coefficient: &Tensor| -> Result<Tensor, ContrastError> {
        let rows = candidates.f_index_select(0, &index.f_view([-1])?)?.f_view([batch, count, dim])?;
        Ok(rows.f_mul(&coefficient.f_unsqueeze(2)?)?)
    };
    let query = if strategy.query_gradient { query.shallow_clone() } else { query.f_detach()? };
    let mut sum = times(&drawn.first, &drawn.c_first)?;
    if strategy.has_two_parents() {
        sum = sum.f_add(&times(&drawn.second, &drawn.c_second)?)?;
    }
    if strategy.has_query() {
        sum = sum.f_add(&query.f_unsqueeze(1)?.f_mul(&drawn.c_query.f_unsqueeze(2)?)?)?;
    }
    if let Some(extra) = strategy.extra {
        let mut parts = Vec::new();
        for_extra_vectors(strategy, extra, &query, count, context, |_, _, vectors| {
            parts.push(vectors.f_mul_scalar(extra.length())?);
            Ok(())
        })?;
        sum = sum.f_add(&Tensor::f_cat(&parts, 0)?)?;
    }
    let unit = sum.f_div(&sum.f_norm_scalaropt_dim(2, [-1i64].as_slice(), true)?.f_clamp_min(1e-12)?)?;
    Ok(if strategy.query_gradient { unit } else { unit.f_detach()? })
}

/// The losses (B, 1) of the variants, as their papers write them: exponentials, weighted sums, a logarithm.
fn losses(objective: &Objective, logits: &Tensor, weights: &Tensor) -> Result<Tensor, ContrastError> {
    let sum = |t: &Tensor| t.f_sum_dim_intlist([1i64].as_slice(), true, logits.kind());
    let positive = logits.f_narrow(1, 0, 1)?.f_exp()?;
    let e = logits.f_narrow(1, 1, logits.size()[1] - 1)?.f_exp()?;
    let count = sum(weights)?;
    let mut negatives = match objective.loss.concentration {
        None => sum(&e.f_mul(weights)?)?,
        Some(beta) => {
            let importance = e.f_pow_tensor_scalar(beta)?.f_mul(weights)?;
            let mean = sum(&importance)?.f_div(&count)?;
            sum(&importance.f_mul(&e)?)?.f_div(&mean)?
        }
    };
    if let Some(c) = objective.loss.class_prior {
        let free = negatives.f_sub(&positive.f_mul(&count)?.f_mul_scalar(c)?)?.f_div_scalar(1.0 - c)?;
        negatives = free.f_maximum(&count.f_mul_scalar((-1.0 / objective.temperature).exp())?)?;
    }
    let total = if objective.loss.positive_in_denominator { positive.f_add(&negatives)? } else { negatives };
    Ok(positive.f_div(&total)?.f_log()?.f_neg()?)
}
