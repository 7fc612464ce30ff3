//! The plain way: every synthetic vector made, (B, s, D) at a time, gradients by autograd. Slow and large on purpose: it is what other
//! implementations do, what `mochi bench loss` measures against, and the independent partner of the closed form's tests.
//!
//! `h = normalize(c_q q + c_i n_i + c_j n_j + e)`, detached (for query mixes only if the inner query is a constant);
//! `cross_entropy(cat([q·k, q·columns, q·h], 1) / t, 0)`, or the other forms as their papers write them.

use crate::tensor_points::{Drawing, draw, for_extra_vectors, hardest_sets};
use crate::{Context, ContrastError, Form, Objective, tensor_guards};
use mochi_tensor::{Kind, Tensor, no_grad};

/// The loss (a scalar with a graph) and the logits (B, 1 + K + points), with points drawn as the closed form draws them.
///
/// # Errors
/// What libtorch says; columns that are all masked.
pub fn info_nce(
    query: &Tensor,
    key: &Tensor,
    columns: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<(Tensor, Tensor), ContrastError> {
    let kind = query.kind();
    let positive = query.f_mul(key)?.f_sum_dim_intlist([1i64].as_slice(), true, kind)?;
    let cosines = query.f_matmul(&columns.f_transpose(0, 1)?)?;
    let (masked, valid) =
        no_grad(|| tensor_guards::mask(&cosines.f_detach()?, &positive.f_detach()?, objective, context))?;
    tensor_guards::some_left(&valid, objective, context)?;
    let out = masked.f_eq(f64::NEG_INFINITY)?;
    let cosines = cosines.f_masked_fill(&out, f64::NEG_INFINITY)?;
    let mut parts = vec![tensor_guards::positives(&positive, context)?.0, cosines];
    let mut omegas = vec![out.f_logical_not()?.f_to_kind(kind)?];
    if objective.synthesises() {
        let (set, _) = hardest_sets(&masked, objective.synthesis.hardest)?;
        for drawing in draw(objective, context, &set, &valid, kind)? {
            let points = vectors(query, columns, &drawing, context)?;
            parts.push(query.f_unsqueeze(1)?.f_matmul(&points.f_transpose(1, 2)?)?.f_squeeze_dim(1)?);
            omegas.push(match &drawing.omega {
                Some(omega) => omega.shallow_clone(),
                None => drawing.query.f_ones_like()?,
            });
        }
    }
    let logits = Tensor::f_cat(&parts, 1)?.f_div_scalar(objective.temperature)?;
    if objective.form == Form::InfoNce && context.weights.is_none() && !has_weights(objective) {
        let target = Tensor::f_zeros([query.size()[0]], (Kind::Int64, query.device()))?;
        let loss = logits.f_cross_entropy_loss(&target, None::<&Tensor>, mochi_tensor::Reduction::Mean, -100, 0.0)?;
        return Ok((loss, logits));
    }
    let losses = losses(objective, &logits, &Tensor::f_cat(&omegas, 1)?)?;
    let loss = match context.weights {
        None => losses.f_mean(kind)?,
        Some(weights) => losses.f_mul(&tensor_guards::column(weights, query)?)?.f_sum(kind)?,
    };
    Ok((loss, logits))
}

fn has_weights(objective: &Objective) -> bool {
    objective.also.iter().any(|term| term.name() == "weight")
}

/// A block's points (B, s, D).
fn vectors(query: &Tensor, columns: &Tensor, drawing: &Drawing, context: &Context) -> Result<Tensor, ContrastError> {
    let strategy = drawing.block.strategy;
    let (batch, count, dim) = (query.size()[0], drawing.first.size()[1], query.size()[1]);
    let times = |index: &Tensor, share: &Tensor| -> Result<Tensor, ContrastError> {
        let rows = columns.f_index_select(0, &index.f_view([-1])?)?.f_view([batch, count, dim])?;
        Ok(rows.f_mul(&share.f_unsqueeze(2)?)?)
    };
    let mut sum = times(&drawing.first, &drawing.on_first)?;
    if strategy.has_pairs() {
        sum = sum.f_add(&times(&drawing.second, &drawing.on_second)?)?;
    }
    if strategy.has_query() {
        let inner = if strategy.inner() { query.shallow_clone() } else { query.f_detach()? };
        sum = sum.f_add(&inner.f_unsqueeze(1)?.f_mul(&drawing.query.f_unsqueeze(2)?)?)?;
    }
    if let Some(extra) = strategy.extra() {
        let mut parts = Vec::new();
        for_extra_vectors(extra, &query.f_detach()?, count, context.source(), |_, _, vectors| {
            parts.push(vectors.f_mul_scalar(extra.length())?);
            Ok(())
        })?;
        sum = sum.f_add(&Tensor::f_cat(&parts, 0)?)?;
    }
    let unit = sum.f_div(&sum.f_norm_scalaropt_dim(2, [-1i64].as_slice(), true)?.f_clamp_min(1e-12)?)?;
    Ok(if strategy.inner() { unit } else { unit.f_detach()? })
}

/// The losses (B, 1) of the forms, as their papers write them: exponentials, weighted sums, a logarithm.
fn losses(objective: &Objective, logits: &Tensor, omega: &Tensor) -> Result<Tensor, ContrastError> {
    let sum = |t: &Tensor| t.f_sum_dim_intlist([1i64].as_slice(), true, logits.kind());
    let positive = logits.f_narrow(1, 0, 1)?.f_exp()?;
    let e = logits.f_narrow(1, 1, logits.size()[1] - 1)?.f_exp()?;
    let count = sum(omega)?;
    let plain = sum(&e.f_mul(omega)?)?;
    let corrected = |estimate: &Tensor, c: f64| -> Result<Tensor, ContrastError> {
        let free = estimate.f_sub(&positive.f_mul(&count)?.f_mul_scalar(c)?)?.f_div_scalar(1.0 - c)?;
        Ok(free.f_maximum(&count.f_mul_scalar((-1.0 / objective.temperature).exp())?)?)
    };
    let ratio = |negatives: &Tensor| positive.f_div(&positive.f_add(negatives)?);
    let share = match objective.form {
        Form::InfoNce => ratio(&plain)?,
        Form::Decoupled => positive.f_div(&plain)?,
        Form::Debiased { c } => ratio(&corrected(&plain, c)?)?,
        Form::Hcl { beta, c } => {
            let importance = e.f_pow_tensor_scalar(beta)?.f_mul(omega)?;
            let mean = sum(&importance)?.f_div(&count)?;
            ratio(&corrected(&sum(&importance.f_mul(&e)?)?.f_div(&mean)?, c)?)?
        }
    };
    Ok(share.f_log()?.f_neg()?)
}
