//! RankMe, the effective rank of features (Garrido, Balestriero, Najman, LeCun: *RankMe: Assessing the Downstream Performance of Pretrained
//! Self-Supervised Representations by Their Rank*, ICML 2023, eq. 1 and 2):
//!
//! ```text
//! p_k    = s_k / Σ_j s_j + 1e-7                      s: singular values of the features (N, F), which are not centered
//! RankMe = exp( -Σ_k p_k log p_k )                   1 if all rows are multiples of one vector, at most about min(N, F)
//! ```
//!
//! Without the 1e-7 it is the effective rank of Roy & Vetterli, EUSIPCO 2007. Singular values are the square roots of the eigenvalues of the smaller
//! Gram matrix in float64; rounding makes an error of about 1e-8 of the largest, less than the paper's 1e-7.

use crate::EvalError;
use mochi_tensor::{Kind, Tensor};

/// The paper's epsilon.
const EPSILON: f64 = 1e-7;

/// RankMe of features (N, F) on the CPU; `None` if all are 0.
///
/// # Errors
/// An error of libtorch, for example if a value is not finite.
pub fn rank_me(features: &Tensor) -> Result<Option<f64>, EvalError> {
    let z = features.f_to_kind(Kind::Double)?;
    let wide = z.size().first() < z.size().get(1);
    let gram = if wide { z.f_matmul(&z.f_tr()?)? } else { z.f_tr()?.f_matmul(&z)? };
    let eigenvalues = Vec::<f64>::try_from(gram.f_linalg_eigvalsh("L")?)?;
    let singular: Vec<f64> = eigenvalues.into_iter().map(|value| value.max(0.0).sqrt()).collect();
    Ok(of_singular_values(&singular))
}

/// RankMe of singular values in any order; `None` if their sum is 0.
pub fn of_singular_values(values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().sum();
    let p = values.iter().map(|value| value / sum + EPSILON);
    (sum > 0.0).then(|| p.map(|p| -p * p.ln()).sum::<f64>().exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{close, matrix, number};
    use mochi_tensor::Device;

    #[test]
    fn values_are_those_of_numpys_svd_in_float64() {
        close(rank_me(&matrix("features")).unwrap().unwrap(), number("rank_me_features"), 1e-5);
        close(rank_me(&matrix("wide")).unwrap().unwrap(), number("rank_me_wide"), 1e-5);
    }

    #[test]
    fn equal_singular_values_count_and_one_direction_is_1() {
        close(of_singular_values(&[2.0; 7]).unwrap(), 7.0, 1e-4);
        let direction = Tensor::from_slice(&[1.0f32, -2.0, 0.5, 0.25]);
        let line = Tensor::from_slice(&[1.0f32, 2.0, -3.0, 0.5, 4.0]).outer(&direction);
        close(rank_me(&line).unwrap().unwrap(), 1.0, 1e-4);
        assert_eq!(rank_me(&Tensor::zeros([3, 4], (Kind::Float, Device::Cpu))).unwrap(), None);
    }
}
