//! A closer look at one step: what is too dear for every step. It makes the cosines, the hardest sets and the points of the step's loss
//! again (the draws are functions of the step, so they are the same points), in libtorch operations on any device, without a gradient, and changes
//! nothing.

use crate::measures::false_negatives::Labels;
use crate::measures::matching;
use crate::tensor_points::{draw, hardest_sets, mix};
use crate::{Context, ContrastError, FalseNegatives, MatchingCurve, Objective, tensor_guards};
use mochi_tensor::{Kind, Tensor, no_grad};

/// What a closer look finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The matching-probability curve.
    pub curve: MatchingCurve,
    /// Shares of false negatives, where the context has labels of queries and columns.
    pub false_negatives: Option<FalseNegatives>,
}

/// Looks at the step that [`crate::info_nce`] computes from the same arguments: query and key (B, D), columns (K, D). Each query counts
/// the same, whatever its weight.
///
/// # Errors
/// As [`crate::info_nce`]; rows are not checked.
pub fn look(
    query: &Tensor,
    key: &Tensor,
    columns: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<Look, ContrastError> {
    let size = |t: &Tensor| t.size().first().map_or(0, |&n| usize::try_from(n).unwrap_or(0));
    objective.check()?;
    context.check(objective, size(query), size(columns))?;
    no_grad(|| {
        let kind = if query.kind() == Kind::Double { Kind::Double } else { Kind::Float };
        let plain = |t: &Tensor| t.f_detach()?.f_to_kind(kind);
        look_at(&plain(query)?, &plain(key)?, &plain(columns)?, objective, context)
    })
}

fn look_at(
    query: &Tensor,
    key: &Tensor,
    columns: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<Look, ContrastError> {
    let (kind, device) = (query.kind(), query.device());
    let positive = query.f_mul(key)?.f_sum_dim_intlist([1i64].as_slice(), true, kind)?; // (B, 1)
    let cosines = query.f_matmul(&columns.f_transpose(0, 1)?)?; // (B, K)
    let (cosines, valid) = tensor_guards::mask(&cosines, &positive, objective, context)?;
    tensor_guards::some_left(&valid, objective, context)?;
    let set = if objective.synthesises() { Some(hardest_sets(&cosines, objective.synthesis.hardest)?.0) } else { None };
    let drawings = match &set {
        Some(set) => draw(objective, context, set, &valid, kind)?,
        None => Vec::new(),
    };
    let false_negatives = match (context.queries.labels, context.columns.labels) {
        (Some(queries), Some(columns)) => {
            let hardest = set.as_ref().map(|set| (set, &valid));
            Some(Labels::new(queries, columns, device)?.shares(&cosines, hardest, &drawings)?)
        }
        _ => None,
    };

    let mut points = Vec::new();
    for drawing in drawings {
        let block = mix(query, columns, &cosines, drawing, context.source())?;
        let logits = block.cosines.f_div_scalar(objective.temperature)?;
        points.push(match &block.drawing.omega {
            Some(omega) => logits.f_add(&omega.f_log()?)?,
            None => logits,
        });
    }
    let points = if points.is_empty() { None } else { Some(Tensor::f_cat(&points, 1)?) };
    let positive = tensor_guards::positives(&positive, context)?.0.f_div_scalar(objective.temperature)?;
    let real = cosines.f_div_scalar(objective.temperature)?;
    Ok(Look { curve: matching::curve(&positive, &real, points.as_ref())?, false_negatives })
}
