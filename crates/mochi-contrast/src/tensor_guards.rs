//! The guards of [`crate::guards`] on a whole matrix of cosines, and what a [`Context`] says of the positives. Nothing here waits for the
//! device but [`some_left`].

use crate::queue::to_i64;
use crate::{Context, ContrastError, Guard, Objective};
use mochi_tensor::{Kind, Tensor, upload};

/// Cosines (B, K) with the masked ones at -infinity; `positive` (B, 1) is q·k. And how many columns each query has left, (B, 1), int64, which
/// nobody has looked at yet: 0 is for [`all_masked`] to tell.
pub(crate) fn mask(
    cosines: &Tensor,
    positive: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<(Tensor, Tensor), ContrastError> {
    let (batch, size, device) = (cosines.size()[0], cosines.size()[1], cosines.device());
    if objective.guards.is_empty() && context.own.is_empty() {
        return Ok((cosines.shallow_clone(), Tensor::f_full([batch, 1], size, (Kind::Int64, device))?));
    }
    let mut out = cosines.copy();
    if !context.own.is_empty() {
        // One column more takes the entries that name none.
        let column = |&c: &u32| if c == Context::NO_COLUMN { size } else { i64::from(c) };
        let own: Vec<i64> = context.own.iter().map(column).collect();
        let own = upload(&Tensor::f_from_slice(&own)?.f_view([batch, -1])?, device)?;
        let hit = Tensor::f_zeros([batch, size + 1], (Kind::Bool, device))?.f_scatter_value(1, &own, 1)?;
        out = out.f_masked_fill(&hit.f_narrow(1, 0, size)?, f64::NEG_INFINITY)?;
    }
    let same = |queries: Option<&[i64]>, columns: Option<&[i64]>| -> Result<Tensor, ContrastError> {
        let of = |values: Option<&[i64]>| upload(&Tensor::f_from_slice(values.unwrap_or(&[]))?, device);
        let queries = of(queries)?.f_view([-1, 1])?;
        Ok(queries.f_eq_tensor(&of(columns)?.f_view([1, -1])?)?.f_logical_and(&queries.f_ge(0)?)?)
    };
    for guard in &objective.guards {
        let hit = match *guard {
            Guard::SameImage => same(context.queries.images, context.columns.images)?,
            Guard::ClassOracle => same(context.queries.labels, context.columns.labels)?,
            Guard::Margin(m) => out.f_gt_tensor(&positive.f_sub_scalar(m)?)?,
            Guard::Percentage(p) => out.f_gt_tensor(&positive.f_sub(&positive.f_abs()?.f_mul_scalar(1.0 - p)?)?)?,
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
    let valid = left(&out)?;
    Ok((out, valid))
}

/// The error where a query has no column left: `fewest` is the least of `valid`, `row` where it stands.
pub(crate) fn all_masked(
    (fewest, row): (usize, usize),
    objective: &Objective,
    context: &Context,
) -> Result<(), ContrastError> {
    if fewest > 0 {
        return Ok(());
    }
    Err(ContrastError::AllMasked { row, guards: objective.guard_names(), step: context.draws.step })
}

/// As [`all_masked`], for those that do not mind to wait for the device.
pub(crate) fn some_left(valid: &Tensor, objective: &Objective, context: &Context) -> Result<(), ContrastError> {
    let size = |t: Tensor| -> Result<usize, ContrastError> { Ok(usize::try_from(t.f_int64_value(&[])?).unwrap_or(0)) };
    all_masked((size(valid.f_min()?)?, size(valid.f_argmin(None, false)?)?), objective, context)
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
