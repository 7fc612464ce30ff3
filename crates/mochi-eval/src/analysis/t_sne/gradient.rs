//! The divergence of points and its gradient, in one pass over all pairs: with Z = Σ w,
//!
//! ```text
//! dKL/dy_i = 4 ( Σ_j p_ij w_ij (y_i - y_j)  -  Σ_j w_ij² (y_i - y_j) / Z )
//! KL       = Σ_ij p_ij log(p_ij Z / w_ij)
//! ```

use super::rows::by_row;
use crate::EvalError;

/// Width of the accumulators.
const LANES: usize = 4;

/// Sums over the pairs of a row.
struct Sums {
    /// Of p w (y_i - y_j).
    pull: [f64; 2],
    /// Of w² (y_i - y_j).
    push: [f64; 2],
    /// Of w, that of the row with itself included.
    weights: f64,
}

/// The gradient (2, N) of the divergence at the points `y` (2, N), with affinities `factor` p, and Z.
pub(super) fn gradient(p: &[f64], factor: f64, y: &[Vec<f64>; 2]) -> Result<([Vec<f64>; 2], f64), EvalError> {
    let n = y[0].len();
    let rows = by_row(n, &|i| sums(p.get(i * n..(i + 1) * n).unwrap_or_default(), y, i))?;
    // A row with itself has w = 1.
    let z = rows.iter().map(|row| row.weights).sum::<f64>() - n as f64;
    let of = |axis: usize| rows.iter().map(|row| 4.0 * (factor * row.pull[axis] - row.push[axis] / z)).collect();
    Ok(([of(0), of(1)], z))
}

/// Sums over all pairs of row i, in lanes that the compiler can vectorize.
fn sums(p: &[f64], [xs, ys]: &[Vec<f64>; 2], i: usize) -> Sums {
    let (x, y) = (xs[i], ys[i]);
    // Sums of pull, of push and of w.
    let mut lanes = [[0.0f64; LANES]; 5];
    let mut add = |lane: usize, p: f64, other: (f64, f64)| {
        let (dx, dy) = (x - other.0, y - other.1);
        let w = 1.0 / (1.0 + dx * dx + dy * dy);
        let (pull, push) = (p * w, w * w);
        lanes[0][lane] += pull * dx;
        lanes[1][lane] += pull * dy;
        lanes[2][lane] += push * dx;
        lanes[3][lane] += push * dy;
        lanes[4][lane] += w;
    };
    let (p, xs, ys) = (p.chunks_exact(LANES), xs.chunks_exact(LANES), ys.chunks_exact(LANES));
    let rest = p.remainder().iter().zip(xs.remainder()).zip(ys.remainder());
    for ((&p, &x), &y) in rest {
        add(0, p, (x, y));
    }
    for ((p, xs), ys) in p.zip(xs).zip(ys) {
        for lane in 0..LANES {
            add(lane, p[lane], (xs[lane], ys[lane]));
        }
    }
    let [a, b, c, d, weights] = lanes.map(|sums| sums.iter().sum::<f64>());
    Sums { pull: [a, b], push: [c, d], weights }
}

/// KL of the points `y` (2, N), whose Z is given.
pub(super) fn divergence(p: &[f64], [xs, ys]: &[Vec<f64>; 2], z: f64) -> Result<f64, EvalError> {
    let n = xs.len();
    let row = |i: usize| {
        let p = p.get(i * n..(i + 1) * n).unwrap_or_default();
        let others = p.iter().zip(xs.iter().zip(ys)).filter(|(p, _)| **p > 0.0);
        let each = others.map(|(p, (x, y))| {
            let (dx, dy) = (xs[i] - x, ys[i] - y);
            p * (p * z * (1.0 + dx * dx + dy * dy)).ln()
        });
        each.sum::<f64>()
    };
    Ok(by_row(n, &row)?.iter().sum())
}
