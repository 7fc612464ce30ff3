//! The first two principal components of the features, for a picture (Pearson 1901; Hotelling 1933).
//!
//! ```text
//! X = features - their mean = U S Vᵀ              coordinates = the first two columns of U S = X V,   explained_i = s_i² / Σ_j s_j²
//! ```
//!
//! V are the eigenvectors of XᵀX, in float64. The sign of a component is arbitrary; here the coordinate of largest magnitude is positive.

use crate::EvalError;
use mochi_tensor::{Kind, Tensor};

/// The first two principal components of the features of N images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrincipalComponents {
    /// Two coordinates for each image.
    pub points: Vec<[f64; 2]>,
    /// Fraction of the variance that each coordinate explains.
    pub explained: [f64; 2],
}

/// The components of features (N, F); `None` for fewer than two features or if all rows are equal.
///
/// # Errors
/// An error of libtorch.
pub fn principal_components(features: &Tensor) -> Result<Option<PrincipalComponents>, EvalError> {
    let x = features.f_to_kind(Kind::Double)?;
    let x = x.f_sub(&x.f_mean_dim([0i64].as_slice(), true, Kind::Double)?)?;
    let width = x.size().get(1).copied().unwrap_or(0);
    let variance = x.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?;
    if width < 2 || variance.is_nan() || variance <= 0.0 {
        return Ok(None);
    }
    let (eigenvalues, vectors) = x.f_tr()?.f_matmul(&x)?.f_linalg_eigh("L")?;
    // Ascending: the last two are the largest.
    let largest = Vec::<f64>::try_from(eigenvalues.f_narrow(0, width - 2, 2)?)?;
    let coordinates = x.f_matmul(&vectors.f_narrow(1, width - 2, 2)?)?; // (N, 2)
    let of = |column: i64| -> Result<Vec<f64>, EvalError> {
        let values = Vec::<f64>::try_from(coordinates.f_select(1, column)?.f_contiguous()?)?;
        let extreme =
            values.iter().copied().fold(0.0, |most: f64, value| if value.abs() > most.abs() { value } else { most });
        Ok(values.into_iter().map(|value| value * extreme.signum()).collect())
    };
    let points = of(1)?.into_iter().zip(of(0)?).map(|(x, y)| [x, y]).collect();
    let explained = |at: usize| largest.get(at).map_or(0.0, |value| value.max(0.0) / variance);
    Ok(Some(PrincipalComponents { points, explained: [explained(1), explained(0)] }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{close, matrix, numbers};

    #[test]
    fn components_are_those_of_numpys_svd_in_float64() {
        let found = principal_components(&matrix("features")).unwrap().unwrap();
        let (flat, wanted) = (found.points.concat(), matrix("plane"));
        let wanted = Vec::<f32>::try_from(wanted.flatten(0, -1)).unwrap();
        assert_eq!(flat.len(), wanted.len());
        flat.iter().zip(wanted).for_each(|(a, b)| close(a.abs(), f64::from(b), 1e-5));
        found.explained.iter().zip(numbers("explained")).for_each(|(&a, b)| close(a, b, 1e-6));
        for axis in 0..2 {
            let extreme = found.points.iter().map(|point| point[axis]).max_by(|a, b| a.abs().total_cmp(&b.abs()));
            assert!(extreme.unwrap() > 0.0);
        }
        assert_eq!(principal_components(&matrix("features").narrow(0, 0, 1).repeat([4, 1])).unwrap(), None);
    }
}
