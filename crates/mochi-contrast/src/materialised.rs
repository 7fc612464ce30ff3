//! The plain way: every synthetic vector made, (B, s, D) at a time, gradients by autograd. Slow and large on purpose: it is what other
//! implementations do, what `mochi bench loss` measures against, and the independent partner of the closed form's tests.
//!
//! `h = normalize(a n_i + (1-a) n_j)`, `h' = normalize(b q + (1-b) n_j)`, both detached (h' only if the inner query is a constant);
//! `cross_entropy(cat([q·k, q·queue, q·h, q·h'], 1) / t, 0)`.

use crate::points::Source;
use crate::queue::to_i64;
use crate::{ContrastError, DrawKey, Points, Synthesis};
use mochi_tensor::{Kind, Tensor};

/// The loss (a scalar with a graph) and the logits (B, 1 + K + s + s') with points drawn as the closed form draws them.
///
/// # Errors
/// What libtorch says.
pub fn info_nce(
    query: &Tensor,
    key: &Tensor,
    queue: &Tensor,
    temperature: f64,
    synthesis: Option<&Synthesis>,
    draws: DrawKey,
) -> Result<(Tensor, Tensor), ContrastError> {
    let rows = usize::try_from(query.size()[0]).unwrap_or(0);
    let size = usize::try_from(queue.size()[0]).unwrap_or(0);
    let points = synthesis.map(|s| s.all(Source::Drawn(draws), rows, s.hardest.min(size)));
    info_nce_given(query, key, queue, temperature, synthesis.zip(points.as_ref()))
}

/// As [`info_nce`], with the points given.
///
/// # Errors
/// What libtorch says.
pub fn info_nce_given(
    query: &Tensor,
    key: &Tensor,
    queue: &Tensor,
    temperature: f64,
    synthesis: Option<(&Synthesis, &Points)>,
) -> Result<(Tensor, Tensor), ContrastError> {
    let kind = query.kind();
    let batch = query.size()[0];
    let cosines = query.f_matmul(&queue.f_transpose(0, 1)?)?;
    let mut columns =
        vec![query.f_mul(key)?.f_sum_dim_intlist([1i64].as_slice(), true, kind)?, cosines.shallow_clone()];
    if let Some((synthesis, points)) = synthesis {
        let n = to_i64(synthesis.hardest).min(queue.size()[0]);
        let set = cosines.f_detach()?.f_topk(n, 1, true, true)?.1.f_sort(1, false)?.0;
        let parents = |positions: &[u32], count: usize| -> Result<Tensor, ContrastError> {
            let positions: Vec<i64> = positions.iter().map(|&p| i64::from(p)).collect();
            let index = set.f_gather(1, &Tensor::f_from_slice(&positions)?.f_view([batch, to_i64(count)])?, false)?;
            Ok(queue.f_index_select(0, &index.f_view([-1])?)?.f_view([batch, to_i64(count), queue.size()[1]])?)
        };
        let share = |values: &[f64], count: usize| -> Result<Tensor, ContrastError> {
            Ok(Tensor::f_from_slice(values)?.f_view([batch, to_i64(count), 1])?.f_to_kind(kind)?)
        };
        let normalize = |x: Tensor| -> Result<Tensor, ContrastError> {
            Ok(x.f_div(&x.f_norm_scalaropt_dim(2, [-1i64].as_slice(), true)?.f_clamp_min(1e-12)?)?)
        };
        let against = |points: &Tensor| query.f_unsqueeze(1)?.f_matmul(&points.f_transpose(1, 2)?)?.f_squeeze_dim(1);
        if synthesis.pairs > 0 {
            let a = share(&points.alpha, synthesis.pairs)?;
            let first = parents(&points.pair_i, synthesis.pairs)?.f_mul(&a)?;
            let second = parents(&points.pair_j, synthesis.pairs)?.f_mul(&a.f_neg()?.f_add_scalar(1.0)?)?;
            columns.push(against(&normalize(first.f_add(&second)?)?.f_detach()?)?);
        }
        if synthesis.query_mixes > 0 {
            let b = share(&points.beta, synthesis.query_mixes)?;
            let inner = if synthesis.query_gradient { query.shallow_clone() } else { query.f_detach()? };
            let own = inner.f_unsqueeze(1)?.f_mul(&b)?;
            let other = parents(&points.mix_j, synthesis.query_mixes)?.f_mul(&b.f_neg()?.f_add_scalar(1.0)?)?;
            columns.push(against(&normalize(own.f_add(&other)?)?)?);
        }
    }
    let logits = Tensor::f_cat(&columns, 1)?.f_div_scalar(temperature)?;
    let target = Tensor::f_zeros([batch], (Kind::Int64, query.device()))?;
    let loss = logits.f_cross_entropy_loss(&target, None::<&Tensor>, mochi_tensor::Reduction::Mean, -100, 0.0)?;
    Ok((loss, logits))
}
