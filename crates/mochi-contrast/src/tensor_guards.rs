//! The guards of [`crate::guards`] on a whole matrix of cosines.

use crate::queue::to_i64;
use crate::{Context, ContrastError, Guard, Objective};
use mochi_tensor::{Kind, Tensor};

/// Cosines (B, K) with the masked ones at -infinity; `positive` (B, 1) is q·k. And how many columns each query has left.
pub(crate) fn mask(
    cosines: &Tensor,
    positive: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<(Tensor, Vec<usize>), ContrastError> {
    let (batch, size, device) = (cosines.size()[0], cosines.size()[1], cosines.device());
    let rows = usize::try_from(batch).unwrap_or(0);
    if objective.guards.is_empty() && context.own.is_empty() {
        return Ok((cosines.shallow_clone(), vec![usize::try_from(size).unwrap_or(0); rows]));
    }
    let mut out = cosines.copy();
    if !context.own.is_empty() {
        // One column more takes the entries that name none.
        let column = |&c: &u32| if c == Context::NO_COLUMN { size } else { i64::from(c) };
        let own: Vec<i64> = context.own.iter().map(column).collect();
        let own = Tensor::f_from_slice(&own)?.f_view([batch, -1])?.f_to_device(device)?;
        let hit = Tensor::f_zeros([batch, size + 1], (Kind::Bool, device))?.f_scatter_value(1, &own, 1)?;
        out = out.f_masked_fill(&hit.f_narrow(1, 0, size)?, f64::NEG_INFINITY)?;
    }
    let same = |queries: Option<&[i64]>, columns: Option<&[i64]>| -> Result<Tensor, ContrastError> {
        let of = |values: Option<&[i64]>| Tensor::f_from_slice(values.unwrap_or(&[]))?.f_to_device(device);
        let queries = of(queries)?.f_view([-1, 1])?;
        Ok(queries.f_eq_tensor(&of(columns)?.f_view([1, -1])?)?.f_logical_and(&queries.f_ge(0)?)?)
    };
    for guard in &objective.guards {
        let hit = match *guard {
            Guard::SameImage => same(context.queries.images, context.columns.images)?,
            Guard::ClassOracle => same(context.queries.labels, context.columns.labels)?,
            Guard::Margin(m) => out.f_gt_tensor(&positive.f_sub_scalar(m)?)?,
            Guard::Percentage(p) => out.f_gt_tensor(&positive.f_mul_scalar(p)?)?,
            Guard::Ring { .. } => continue,
        };
        out = out.f_masked_fill(&hit, f64::NEG_INFINITY)?;
    }
    let left = |t: &Tensor| t.f_gt(f64::NEG_INFINITY)?.f_sum_dim_intlist([1i64].as_slice(), true, Kind::Int64);
    for guard in &objective.guards {
        if let Guard::Ring { from, to } = *guard {
            // A stable order: of equal cosines the lower column is the harder.
            let order = out.f_argsort_stable(true, 1, true)?;
            let rank = order.f_argsort_stable(true, 1, false)?;
            let valid = left(&out)?.f_to_kind(Kind::Double)?;
            let first = valid.f_mul_scalar(from)?.f_floor()?;
            let end = valid.f_mul_scalar(to)?.f_ceil()?;
            let stays = rank.f_ge_tensor(&first)?.f_logical_and(&rank.f_lt_tensor(&end)?)?;
            out = out.f_masked_fill(&stays.f_logical_not()?, f64::NEG_INFINITY)?;
        }
    }
    let counts = Vec::<i64>::try_from(left(&out)?.f_view([-1])?.f_to_device(mochi_tensor::Device::Cpu)?)?;
    let valid: Vec<usize> = counts.into_iter().map(|n| usize::try_from(n).unwrap_or(0)).collect();
    match valid.iter().position(|&n| n == 0) {
        Some(row) => Err(ContrastError::AllMasked { row, guards: objective.guard_names(), step: context.draws.step }),
        None => Ok((out, valid)),
    }
}

/// A host slice as a (B, 1) tensor like `like`.
pub(crate) fn column(values: &[f64], like: &Tensor) -> Result<Tensor, ContrastError> {
    let shape = [to_i64(values.len()), 1];
    Ok(Tensor::f_from_slice(values)?.f_view(shape)?.f_to_device(like.device())?.f_to_kind(like.kind())?)
}
