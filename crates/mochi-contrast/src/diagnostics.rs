//! Periodic diagnostics of one step, too expensive to compute at every step. They repeat the cosines, hard negatives and synthetic negatives of the
//! step's loss (the draws are functions of the step, so they are the same), in libtorch operations on any device, without a gradient.

use crate::device::{apply_filters, draw, hard_negatives, positives, synthesize};
use crate::info_nce::check;
use crate::measures::false_negatives::Labels;
use crate::measures::matching;
use crate::{Context, ContrastError, FalseNegatives, MatchingCurve, Objective};
use mochi_tensor::{Kind, Tensor, no_grad};

/// Diagnostics of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostics {
    /// The matching-probability curve.
    pub curve: MatchingCurve,
    /// Fractions of false negatives, if the context has labels of queries and candidate keys.
    pub false_negatives: Option<FalseNegatives>,
}

/// Diagnostics of the step that [`crate::info_nce`] computes from the same arguments: query and key (B, D), candidate keys (K, D). Queries
/// with a negative have equal weight; `None` if no query has one.
///
/// # Errors
/// As [`crate::info_nce`]; rows are not checked.
pub fn diagnostics(
    query: &Tensor,
    key: &Tensor,
    candidates: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<Option<Diagnostics>, ContrastError> {
    check(query, key, candidates, objective, context)?;
    no_grad(|| {
        let kind = if query.kind() == Kind::Double { Kind::Double } else { Kind::Float };
        let plain = |t: &Tensor| t.f_detach()?.f_to_kind(kind);
        compute(&plain(query)?, &plain(key)?, &plain(candidates)?, objective, context)
    })
}

fn compute(
    query: &Tensor,
    key: &Tensor,
    candidates: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<Option<Diagnostics>, ContrastError> {
    let (kind, device) = (query.kind(), query.device());
    let positive = query.f_mul(key)?.f_sum_dim_intlist([1i64].as_slice(), true, kind)?; // (B, 1)
    let cosines = query.f_matmul(&candidates.f_transpose(0, 1)?)?; // (B, K)
    let (cosines, valid) = apply_filters(&cosines, &positive, objective, context)?;
    let rows = valid.f_view([-1])?.f_nonzero()?.f_view([-1])?;
    if rows.size()[0] == 0 {
        return Ok(None);
    }
    let hard = match objective.has_synthesis() {
        true => Some(hard_negatives(&cosines, objective.hard_negatives)?.0),
        false => None,
    };
    let all = match &hard {
        Some(hard) => draw(objective, context, hard, &valid, kind)?,
        None => Vec::new(),
    };
    let false_negatives = match (context.queries.labels, context.candidates.labels) {
        (Some(queries), Some(keys)) => {
            Some(Labels::new(queries, keys, device)?.fractions(&cosines, hard.as_ref(), &all, &valid)?)
        }
        _ => None,
    };

    let mut synthetic = Vec::new();
    for drawn in all {
        let part = synthesize(query, candidates, &cosines, drawn, context)?;
        let logits = part.cosines.f_div_scalar(objective.temperature)?;
        synthetic.push(match &part.drawn.weights {
            Some(weights) => logits.f_add(&weights.f_log()?)?,
            None => logits,
        });
    }
    let with_negatives = |t: &Tensor| t.f_index_select(0, &rows);
    let synthetic = if synthetic.is_empty() { None } else { Some(with_negatives(&Tensor::f_cat(&synthetic, 1)?)?) };
    let positive = with_negatives(&positives(&positive, context)?.0)?.f_div_scalar(objective.temperature)?;
    let real = with_negatives(&cosines)?.f_div_scalar(objective.temperature)?;
    Ok(Some(Diagnostics { curve: matching::curve(&positive, &real, synthetic.as_ref())?, false_negatives }))
}
