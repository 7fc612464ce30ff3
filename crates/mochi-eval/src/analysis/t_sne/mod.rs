//! Exact t-SNE of the features, for a picture (van der Maaten & Hinton, *Visualizing Data using t-SNE*, JMLR 9, 2008):
//!
//! ```text
//! p_j|i = exp(-b_i |x_i - x_j|²) / Σ_k≠i exp(-b_i |x_i - x_k|²)        b_i so that the perplexity of p_·|i is min(30, (N - 1) / 3)
//! p_ij  = (p_j|i + p_i|j) / 2N
//! q_ij  = w_ij / Σ w,   w_ij = 1 / (1 + |y_i - y_j|²)                  y: the points (N, 2)
//! KL    = Σ_ij p_ij log(p_ij / q_ij),   dKL/dy_i = 4 Σ_j (p_ij - q_ij) w_ij (y_i - y_j)
//! ```
//!
//! The points minimize KL by gradient descent with the rules and constants of scikit-learn's `TSNE(method="exact", init="pca", learning_rate="auto")`: they
//! start at the first two principal components, scaled to a standard deviation of 1e-4; 250 iterations with 12 p and momentum 0.5, then momentum 0.8; a
//! gain for each coordinate; at most 1,000 iterations. Nothing is random, and the number of threads changes no bit.
//!
//! Every iteration visits all pairs, so only the first [`MOST`] rows are placed.

mod affinities;
mod gradient;
mod rows;

use super::principal_components::principal_components;
use crate::EvalError;
use crate::features::as_i64;
use affinities::affinities;
use gradient::{divergence, gradient};
use mochi_tensor::{Kind, Tensor};

/// Rows that are placed, at most.
pub const MOST: usize = 2048;
/// Iterations, at most.
pub const ITERATIONS: usize = 1000;
/// Perplexity: about the number of neighbors that count for a point.
const PERPLEXITY: f64 = 30.0;
/// Iterations of the first phase, and the factor of p during it, which makes groups form.
const EXAGGERATED: (usize, f64) = (250, 12.0);
/// Momentum of the two phases.
const MOMENTUM: [f64; 2] = [0.5, 0.8];
/// Standard deviation of the first coordinate at the start.
const START: f64 = 1e-4;
/// Iterations from one check of the progress to the next, and without progress until the descent ends.
const CHECK: (usize, usize) = (50, 300);
/// Norm of the gradient at which the descent ends.
const FLAT: f64 = 1e-7;

/// Points in two dimensions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TSne {
    /// Two coordinates for each of the first [`MOST`] images.
    pub points: Vec<[f64; 2]>,
    /// The perplexity, at most 30.
    pub perplexity: f64,
    /// The KL divergence that is left, in nats.
    pub divergence: f64,
}

/// Places the first [`MOST`] rows of features (N, F) by their Euclidean distances; `None` for fewer than five rows or two features, if all rows are equal, or
/// if a value is not finite. `iterated` is given the number of finished iterations, [`ITERATIONS`] at the end, and stops the descent with an error.
///
/// # Errors
/// That of `iterated`, or an error of libtorch.
pub fn t_sne(
    features: &Tensor,
    iterated: &mut dyn FnMut(usize) -> Result<(), EvalError>,
) -> Result<Option<TSne>, EvalError> {
    let n = features.size().first().map_or(0, |&n| usize::try_from(n).unwrap_or(0)).min(MOST);
    let perplexity = PERPLEXITY.min((n as f64 - 1.0) / 3.0);
    if perplexity <= 1.0 {
        return Ok(None);
    }
    let x = features.f_narrow(0, 0, as_i64(n))?.f_to_kind(Kind::Double)?;
    if !x.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?.is_finite() {
        return Ok(None);
    }
    let Some(start) = principal_components(&x)? else { return Ok(None) };
    let deviation = (start.points.iter().map(|point| point[0] * point[0]).sum::<f64>() / n as f64).sqrt();
    let mut y = [0, 1].map(|axis| start.points.iter().map(|point| point[axis] / deviation * START).collect());
    let p = affinities(&x, perplexity)?;
    let divergence = descend(&p, &mut y, iterated)?;
    let [first, second] = &y;
    let points: Vec<[f64; 2]> = first.iter().zip(second).map(|(&x, &y)| [x, y]).collect();
    let finite = points.as_flattened().iter().all(|value| value.is_finite());
    Ok(finite.then_some(TSne { points, perplexity, divergence }))
}

/// Moves the points (2, N) to a minimum; returns the divergence that is left.
fn descend(
    p: &[f64],
    y: &mut [Vec<f64>; 2],
    iterated: &mut dyn FnMut(usize) -> Result<(), EvalError>,
) -> Result<f64, EvalError> {
    let n = y[0].len();
    let rate = (n as f64 / EXAGGERATED.1 / 4.0).max(50.0);
    let phases = [(0..EXAGGERATED.0, EXAGGERATED.1), (EXAGGERATED.0..ITERATIONS, 1.0)];
    for ((iterations, factor), momentum) in phases.into_iter().zip(MOMENTUM) {
        let (mut updates, mut gains) = ([vec![0.0; n], vec![0.0; n]], [vec![1.0; n], vec![1.0; n]]);
        let (mut best, mut best_at) = (f64::INFINITY, iterations.start);
        for at in iterations {
            let (slopes, sum) = gradient(p, factor, y)?;
            let now = if (at + 1) % CHECK.0 == 0 { Some(divergence(p, y, sum)?) } else { None };
            let mut square = 0.0;
            for (axis, slopes) in slopes.into_iter().enumerate() {
                let moved = updates[axis].iter_mut().zip(&mut gains[axis]).zip(&mut y[axis]);
                for (((update, gain), y), slope) in moved.zip(slopes) {
                    let turned: bool = *update * slope < 0.0;
                    *gain = f64::max(if turned { *gain + 0.2 } else { *gain * 0.8 }, 0.01);
                    let step = slope * *gain;
                    *update = momentum * *update - rate * step;
                    *y += *update;
                    square += step * step;
                }
            }
            iterated(at + 1)?;
            let Some(now) = now else { continue };
            if now < best {
                (best, best_at) = (now, at);
            }
            if at - best_at > CHECK.1 || square.sqrt() <= FLAT {
                break;
            }
        }
    }
    iterated(ITERATIONS)?;
    let (_, sum) = gradient(p, 1.0, y)?;
    divergence(p, y, sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{close, read};
    use serde_json::Value;

    fn fixture() -> Value {
        read(include_str!("../../../tests/fixtures/t_sne.json"))
    }

    fn rows(name: &str) -> Vec<Vec<f64>> {
        serde_json::from_value(fixture()[name].clone()).unwrap()
    }

    fn features() -> Tensor {
        Tensor::from_slice(&rows("features").concat()).view([60, -1])
    }

    /// (N, N), row-major, of scikit-learn's condensed matrix.
    fn wanted_affinities() -> Vec<f64> {
        let condensed: Vec<f64> = serde_json::from_value(fixture()["p"].clone()).unwrap();
        let mut p = vec![0.0; 60 * 60];
        let pairs = (0..60).flat_map(|i| (i + 1..60).map(move |j| (i, j)));
        for ((i, j), value) in pairs.zip(condensed) {
            (p[i * 60 + j], p[j * 60 + i]) = (value, value);
        }
        p
    }

    fn quiet() -> impl FnMut(usize) -> Result<(), EvalError> {
        |_| Ok(())
    }

    #[test]
    fn affinities_are_those_of_scikit_learn() {
        let perplexity = fixture()["perplexity"].as_f64().unwrap();
        let (found, wanted) = (affinities(&features(), perplexity).unwrap(), wanted_affinities());
        assert_eq!(found.len(), wanted.len());
        // scikit-learn rounds distances to float32.
        found.iter().zip(wanted).for_each(|(&a, b)| close(a, b, 2e-6 * b));
    }

    #[test]
    fn the_gradient_is_scikit_learns_in_float64() {
        let p = wanted_affinities();
        let y = [0, 1].map(|axis| rows("y").iter().map(|point| point[axis]).collect::<Vec<f64>>());
        for (factor, wanted) in [(1.0, "gradient"), (12.0, "exaggerated_gradient")] {
            let ([x, y], _) = gradient(&p, factor, &y).unwrap();
            for (wanted, (x, y)) in rows(wanted).iter().zip(x.into_iter().zip(y)) {
                close(x, wanted[0], 1e-14);
                close(y, wanted[1], 1e-14);
            }
        }
        let (_, sum) = gradient(&p, 1.0, &y).unwrap();
        close(divergence(&p, &y, sum).unwrap(), fixture()["divergence"].as_f64().unwrap(), 1e-12);
    }

    #[test]
    fn the_minimum_is_scikit_learns_and_groups_are_apart() {
        let mut calls = vec![];
        let found = t_sne(&features(), &mut |done| {
            calls.push(done);
            Ok(())
        });
        let found = found.unwrap().unwrap();
        let wanted = fixture()["final_divergence"].as_f64().unwrap();
        close(found.divergence, wanted, 0.01 * wanted);
        close(found.perplexity, fixture()["perplexity"].as_f64().unwrap(), 1e-12);
        assert!(calls.windows(2).all(|pair| pair[0] <= pair[1]) && calls.last() == Some(&ITERATIONS));
        // Three groups of 20: every point is nearest to its own center.
        let centers: Vec<[f64; 2]> = found.points.chunks(20).map(center).collect();
        for (at, point) in found.points.iter().enumerate() {
            let distance = |group: usize| (point[0] - centers[group][0]).hypot(point[1] - centers[group][1]);
            assert!((0..3).all(|group| distance(at / 20) <= distance(group)), "{at}");
        }
        assert_eq!(t_sne(&features(), &mut quiet()).unwrap().unwrap(), found, "the same again");
    }

    fn center(points: &[[f64; 2]]) -> [f64; 2] {
        [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / points.len() as f64)
    }

    #[test]
    fn what_cannot_be_placed_is_none_and_the_descent_can_be_stopped() {
        let x = features();
        let placed = |x: &Tensor| t_sne(x, &mut quiet()).unwrap();
        assert!(placed(&x.narrow(0, 0, 4)).is_none() && placed(&x.narrow(0, 0, 5)).is_some());
        assert!(placed(&x.narrow(0, 3, 1).repeat([9, 1])).is_none() && placed(&x.narrow(1, 0, 1)).is_none());
        for bad in [f64::NAN, f64::INFINITY, f64::MAX] {
            let spoiled = x.copy();
            let _ = spoiled.get(7).fill_(bad);
            assert!(placed(&spoiled).is_none(), "{bad}");
        }
        // Equal images, of which no one is nearer than another, and distances from 1e-12 to 1e12.
        let doubled = Tensor::cat(&[x.narrow(0, 0, 10), x.narrow(0, 0, 10)], 0);
        let wide = x.narrow(0, 0, 24) * Tensor::logspace(-6.0, 6.0, 24, 10.0, (Kind::Double, x.device())).unsqueeze(1);
        assert!(placed(&doubled).is_some() && placed(&wide).is_some());
        let stop = t_sne(&x, &mut |done| if done < 3 { Ok(()) } else { Err(EvalError::Empty { set: "stopped" }) });
        assert!(matches!(stop, Err(EvalError::Empty { set: "stopped" })));
    }
}
