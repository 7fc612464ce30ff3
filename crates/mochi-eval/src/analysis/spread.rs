//! Spread of unit embeddings over their dimensions (Chen & He, *Exploring Simple Siamese Representation Learning*, CVPR 2021, section 4.1 and
//! figure 2), with which they detect collapse:
//!
//! ```text
//! spread = sqrt(D) · mean over the dimensions d of  std_n z_nd          z (N, D): unit rows; std with divisor N - 1
//! ```
//!
//! 0 if all embeddings are one point. 1 if they are isotropic with mean 0, since then each dimension has the variance 1/D.

use crate::EvalError;
use mochi_tensor::{Kind, Tensor};

/// The spread of embeddings (N, D), 0 to about 1; `None` for one row.
///
/// # Errors
/// An error of libtorch.
pub fn spread(embeddings: &Tensor) -> Result<Option<f64>, EvalError> {
    let size = embeddings.size();
    let (Some(&n), Some(&dim)) = (size.first(), size.get(1)) else { return Ok(None) };
    if n < 2 {
        return Ok(None);
    }
    let std = embeddings.f_to_kind(Kind::Double)?.f_std_dim([0i64].as_slice(), true, false)?;
    Ok(Some(std.f_mean(Kind::Double)?.f_double_value(&[])? * (dim as f64).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{close, matrix, number};

    #[test]
    fn values_are_those_of_numpy_in_float64() {
        close(spread(&matrix("first")).unwrap().unwrap(), number("spread"), 1e-6);
    }

    #[test]
    fn one_point_has_none_and_the_signed_axes_have_all() {
        let point = Tensor::from_slice(&[0.6f32, 0.8]).view([1, 2]);
        assert_eq!(spread(&point).unwrap(), None);
        assert!(spread(&point.repeat([5, 1])).unwrap().unwrap() < 1e-7);
        // Variance of a dimension with divisor N - 1 = 3: 2/3, where D = 2.
        let axes = Tensor::from_slice(&[1.0f32, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0, -1.0]).view([4, 2]);
        close(spread(&axes).unwrap().unwrap(), (2.0f64 * 2.0 / 3.0).sqrt(), 1e-6);
    }
}
