//! The affinities p_ij of the features.

use super::rows::by_row;
use crate::EvalError;
use mochi_tensor::{Kind, Tensor};

/// Largest difference of the entropy from the wanted one, in nats, and steps of the search for it.
const SEARCH: (f64, usize) = (1e-5, 100);

/// p_ij of the rows of float64 features (N, F) on the CPU, row-major (N, N), with zeros on the diagonal.
pub(super) fn affinities(x: &Tensor, perplexity: f64) -> Result<Vec<f64>, EvalError> {
    let squares = x.f_square()?.f_sum_dim_intlist([1i64].as_slice(), true, Kind::Double)?; // (N, 1)
    let products = x.f_matmul(&x.f_tr()?)?.f_mul_scalar(2.0)?;
    let distances = squares.f_add(&squares.f_tr()?)?.f_sub(&products)?.f_clamp_min(0.0)?; // (N, N)
    let n = squares.size().first().map_or(0, |&n| usize::try_from(n).unwrap_or(0));
    let distances = Vec::<f64>::try_from(distances.f_flatten(0, -1)?)?;
    let row = |i: usize| conditional(distances.get(i * n..(i + 1) * n).unwrap_or_default(), i, perplexity.ln());
    let mut p = by_row(n, &row)?.concat();
    let total: f64 = p.iter().sum();
    for i in 0..n {
        for j in 0..i {
            let (above, below) = (j * n + i, i * n + j);
            let both = ((p[above] + p[below]) / (2.0 * total)).max(f64::EPSILON);
            (p[above], p[below]) = (both, both);
        }
    }
    Ok(p)
}

/// p_j|i from the squared distances of row i: a binary search for the b_i that gives the wanted entropy.
fn conditional(distances: &[f64], own: usize, entropy: f64) -> Vec<f64> {
    let (mut low, mut high, mut b) = (None, None, 1.0f64);
    let mut p = vec![0.0; distances.len()];
    for _ in 0..SEARCH.1 {
        let (mut sum, mut weighted) = (0.0, 0.0);
        for (j, (p, distance)) in p.iter_mut().zip(distances).enumerate() {
            *p = if j == own { 0.0 } else { (-distance * b).exp() };
            sum += *p;
            weighted += distance * *p;
        }
        // 0 if b is so large that no exponential is left.
        let sum = if sum > 0.0 { sum } else { 1e-8 };
        p.iter_mut().for_each(|p| *p /= sum);
        let above = sum.ln() + b * weighted / sum - entropy;
        if above.abs() <= SEARCH.0 {
            break;
        }
        b = if above > 0.0 {
            low = Some(b);
            high.map_or(b * 2.0, |high| (b + high) / 2.0)
        } else {
            high = Some(b);
            low.map_or(b / 2.0, |low| (b + low) / 2.0)
        };
    }
    p
}
