//! Alignment and uniformity (Wang & Isola, *Understanding Contrastive Representation Learning through Alignment and Uniformity on the
//! Hypersphere*, ICML 2020, section 4.1):
//!
//! ```text
//! alignment  = E |q - k|²  = 2 - 2 E q·k                          over positive pairs; 0 is the optimum
//! uniformity = log E exp(-2 |x - y|²)                             over pairs of different rows; lower is more uniform
//! ```
//!
//! The expectation of uniformity is over the B (B - 1) / 2 pairs of one batch; the metric is the mean of the values of queries and keys, as in the
//! authors' loss. It is 0 if all rows are equal. Rows that are uniform on a sphere of many dimensions have about -4 (`|x - y|²` is near 2), and no batch
//! has a much lower value.

use crate::ContrastError;
use mochi_tensor::{Kind, Tensor};

/// Mean of [`uniformity`] of queries and keys (B, D); `None` for a batch of one, which has no pairs.
pub(crate) fn of_both(query: &Tensor, key: &Tensor) -> Result<Option<f64>, ContrastError> {
    match (uniformity(query)?, uniformity(key)?) {
        (Some(q), Some(k)) => Ok(Some((q + k) / 2.0)),
        _ => Ok(None),
    }
}

/// log of the mean of exp(-2 |x - y|²) over pairs of different rows (B, D).
///
/// # Errors
/// An error of libtorch if `rows` is not a matrix.
pub fn uniformity(rows: &Tensor) -> Result<Option<f64>, ContrastError> {
    Ok(match of_rows(rows)? {
        Some(log) => Some(log.f_double_value(&[])?),
        None => None,
    })
}

/// [`uniformity`] as a scalar on the device of the rows.
pub(crate) fn of_rows(rows: &Tensor) -> Result<Option<Tensor>, ContrastError> {
    let count = rows.size()[0];
    if count < 2 {
        return Ok(None);
    }
    let squares = rows.f_square()?.f_sum_dim_intlist([1i64].as_slice(), true, rows.kind())?; // (B, 1)
    let dots = rows.f_matmul(&rows.f_transpose(0, 1)?)?; // (B, B)
    // -2 |x - y|² = 4 x·y - 2 x·x - 2 y·y, which must not exceed 0 because of rounding.
    let squares = squares.f_mul_scalar(2.0)?;
    let exponents = dots.f_mul_scalar(4.0)?.f_sub(&squares)?.f_sub(&squares.f_transpose(0, 1)?)?.f_clamp_max(0.0)?;
    let e = exponents.f_exp()?;
    // Excludes pairs of a row with itself.
    let sum = e.f_sum(Kind::Double)?.f_sub(&e.f_diagonal(0, 0, 1)?.f_sum(Kind::Double)?)?;
    Ok(Some(sum.f_div_scalar((count * (count - 1)) as f64)?.f_log()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(angles: &[f64]) -> Tensor {
        let angles = Tensor::from_slice(angles);
        Tensor::stack(&[angles.cos(), angles.sin()], 1)
    }

    proptest! {
        #[test]
        fn order_and_rotation_change_nothing_and_bounds_hold(angles in prop::collection::vec(-3.0..3.0f64, 2..40), turn in -3.0..3.0f64) {
            let there = uniformity(&unit(&angles)).unwrap().unwrap();
            let back: Vec<f64> = angles.iter().rev().map(|a| a + turn).collect();
            prop_assert!((uniformity(&unit(&back)).unwrap().unwrap() - there).abs() < 1e-9);
            prop_assert!((-8.0..=1e-12).contains(&there), "{}", there);
        }
    }

    #[test]
    fn equal_rows_give_0_and_opposite_rows_minus_8() {
        assert!(uniformity(&unit(&[1.0; 5])).unwrap().unwrap().abs() < 1e-12);
        assert!((uniformity(&unit(&[0.0, std::f64::consts::PI])).unwrap().unwrap() + 8.0).abs() < 1e-12);
        assert_eq!(uniformity(&unit(&[0.0])).unwrap(), None);
    }
}
