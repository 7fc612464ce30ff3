//! Noise (SynCo, type 4): `h = normalize(n + e)`, `e ~ N(0, sigma² I)`, sigma = 0.01: of all points the only ones that need a vector of their
//! own, which lives for one row at a time.
//!
//! `q·e`, `n_i·e` and `e·e` are three dot products a point; the row's gradient gets `Σ p e / r`. The D normal numbers of a point are
//! Box-Muller pairs of counter-based words: four numbers a block, from block 1 on. Option: sigma.

use crate::draws::{Law, Second, purpose, to_u32};
use mochi_random::{DrawKey, unit};

pub(crate) const LAW: Law = Law { purpose: purpose::NOISE, second: Second::Same, share: None };

/// Standard normal vectors (count, dim) of a row's points.
#[inline(always)]
pub(crate) fn normals(key: DrawKey, row: usize, count: usize, dim: usize, out: &mut Vec<f32>) {
    out.clear();
    out.resize(count * dim, 0.0);
    let key = key.with_purpose(purpose::NOISE);
    let [a, b, c] = key.counter(row);
    for (point, vector) in out.chunks_exact_mut(dim.max(1)).enumerate() {
        for (k, four) in (1u32..).zip(vector.chunks_mut(4)) {
            let w = key.family(k).words([a, b, c, to_u32(point)]);
            let pair = |r: u32, angle: u32| {
                // On (0, 1]: the logarithm never sees 0.
                let length = (-2.0 * (1.0 - unit(r)).ln()).sqrt();
                let (sin, cos) = (std::f64::consts::TAU * unit(angle)).sin_cos();
                [(length * cos) as f32, (length * sin) as f32]
            };
            let ([x, y], [z, u]) = (pair(w[0], w[1]), pair(w[2], w[3]));
            for (place, value) in four.iter_mut().zip([x, y, z, u]) {
                *place = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_normal_and_a_functions_of_their_point() {
        let key = DrawKey { seed: 5, step: 9, ..DrawKey::default() };
        let mut all = Vec::new();
        normals(key, 3, 400, 50, &mut all);
        let n = all.len() as f64;
        let moment = |p: i32| all.iter().map(|&x| f64::from(x).powi(p)).sum::<f64>() / n;
        // Standard errors of the moments over 20,000 draws: 0.007, 0.01, 0.027, 0.07.
        assert!(moment(1).abs() < 0.03 && (moment(2) - 1.0).abs() < 0.04, "{} {}", moment(1), moment(2));
        assert!(moment(3).abs() < 0.11 && (moment(4) - 3.0).abs() < 0.28, "{} {}", moment(3), moment(4));
        let mut fewer = Vec::new();
        normals(key.from_row(3), 0, 7, 50, &mut fewer);
        assert_eq!(fewer, all[..350]);
    }
}
