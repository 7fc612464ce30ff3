//! The rules of [`mochi_contrast_core::filters`] on a whole matrix of cosines, and what a [`Context`] says of the positives. Nothing here
//! waits for the device.

use crate::queue::to_i64;
use crate::{Context, ContrastError, Objective};
use mochi_contrast_core::filters::Rule;
use mochi_tensor::{Kind, Tensor, upload};

/// Cosines (B, K) with those of excluded keys at -infinity; `positive` (B, 1) is q·k. And how many negatives each query has left, (B, 1), int64.
pub(crate) fn apply(
    cosines: &Tensor,
    positive: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<(Tensor, Tensor), ContrastError> {
    let (batch, size, device) = (cosines.size()[0], cosines.size()[1], cosines.device());
    if objective.filters.is_empty() && context.positive_indices.is_empty() {
        return Ok((cosines.shallow_clone(), Tensor::f_full([batch, 1], size, (Kind::Int64, device))?));
    }
    let mut out = cosines.copy();
    if !context.positive_indices.is_empty() {
        // One key more takes the entries that name none.
        let key = |&c: &u32| if c == Context::NO_INDEX { size } else { i64::from(c) };
        let own: Vec<i64> = context.positive_indices.iter().map(key).collect();
        let own = upload(&Tensor::f_from_slice(&own)?.f_view([batch, -1])?, device)?;
        let hit = Tensor::f_zeros([batch, size + 1], (Kind::Bool, device))?.f_scatter_value(1, &own, 1)?;
        out = out.f_masked_fill(&hit.f_narrow(1, 0, size)?, f64::NEG_INFINITY)?;
    }
    for filter in &objective.filters {
        let hit = match filter.rule {
            Rule::Same(metadata) => {
                let of = |values: Option<&[i64]>| upload(&Tensor::f_from_slice(values.unwrap_or(&[]))?, device);
                let queries = of(metadata.of(&context.queries))?.f_view([-1, 1])?;
                let keys = of(metadata.of(&context.candidates))?.f_view([1, -1])?;
                queries.f_eq_tensor(&keys)?.f_logical_and(&queries.f_ge(0)?)?
            }
            Rule::Above(bound) => {
                let absolute = positive.f_abs()?.f_mul_scalar(bound.absolute)?;
                let bound = positive.f_mul_scalar(bound.slope)?.f_add(&absolute)?.f_add_scalar(bound.offset)?;
                out.f_gt_tensor(&bound)?
            }
            Rule::OutsideRanks { .. } => continue,
        };
        out = out.f_masked_fill(&hit, f64::NEG_INFINITY)?;
    }
    let left = |t: &Tensor| t.f_gt(f64::NEG_INFINITY)?.f_sum_dim_intlist([1i64].as_slice(), true, Kind::Int64);
    for filter in &objective.filters {
        if let Rule::OutsideRanks { from, to } = filter.rule {
            // A stable order: of equal cosines the lower position is the harder.
            let order = out.f_argsort_stable(true, 1, true)?;
            let rank = order.f_argsort_stable(true, 1, false)?;
            let valid = left(&out)?.f_to_kind(Kind::Double)?;
            let first = valid.f_mul_scalar(from)?.f_floor()?;
            let end = valid.f_mul_scalar(to)?.f_ceil()?;
            let stays = rank.f_ge_tensor(&first)?.f_logical_and(&rank.f_lt_tensor(&end)?)?;
            out = out.f_masked_fill(&stays.f_logical_not()?, f64::NEG_INFINITY)?;
        }
    }
    let valid = left(&out)?;
    Ok((out, valid))
}

/// What the loss takes for the positives' cosines (B, 1), and its slope in them where it is not 1.
pub(crate) fn positives(cosine: &Tensor, context: &Context) -> Result<(Tensor, Option<Tensor>), ContrastError> {
    let Some(affine) = context.positive else { return Ok((cosine.shallow_clone(), None)) };
    let slope = column(&affine.iter().map(|a| a.slope).collect::<Vec<_>>(), cosine)?;
    let offset = column(&affine.iter().map(|a| a.offset).collect::<Vec<_>>(), cosine)?;
    Ok((cosine.f_mul(&slope)?.f_add(&offset)?, Some(slope)))
}

/// A host slice as a (B, 1) tensor like `like`.
pub(crate) fn column(values: &[f64], like: &Tensor) -> Result<Tensor, ContrastError> {
    let shape = [to_i64(values.len()), 1];
    Ok(upload(&Tensor::f_from_slice(values)?.f_view(shape)?, like.device())?.f_to_kind(like.kind())?)
}
