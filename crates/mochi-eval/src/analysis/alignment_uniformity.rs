//! Alignment and uniformity of unit embeddings (Wang & Isola, *Understanding Contrastive Representation Learning through Alignment and
//! Uniformity on the Hypersphere*, ICML 2020, section 4.1):
//!
//! ```text
//! alignment  = E |x - y|²                     x, y: embeddings of two augmented views of one image; 0 is the optimum
//! uniformity = log E exp(-2 |x - y|²)         x, y: embeddings of different images, of one view; the mean of both views' values
//! ```
//!
//! The authors' `align_loss(x, y, alpha=2)` and `uniform_loss(x, t=2)` over the whole sample instead of a batch. The training metrics of the same
//! names are those of training views with batch statistics, query against momentum key; these are of one encoder with running statistics.

use crate::EvalError;
use mochi_contrast::uniformity;
use mochi_tensor::{Kind, Tensor};

/// Alignment and uniformity of the embeddings (N, D) of two views of N images; uniformity is `None` for one image.
///
/// # Errors
/// An error of libtorch, for example if the shapes differ.
pub fn alignment_uniformity([first, second]: [&Tensor; 2]) -> Result<(f64, Option<f64>), EvalError> {
    let squares = first.f_sub(second)?.f_square()?.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Double)?;
    let alignment = squares.f_mean(Kind::Double)?.f_double_value(&[])?;
    let both = uniformity(first)?.zip(uniformity(second)?);
    Ok((alignment, both.map(|(a, b)| (a + b) / 2.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{close, matrix, number};

    #[test]
    fn values_are_those_of_numpy_in_float64() {
        let (a, b) = (matrix("first"), matrix("second"));
        let (alignment, uniformity) = alignment_uniformity([&a, &b]).unwrap();
        close(alignment, number("alignment"), 1e-6);
        close(uniformity.unwrap(), number("uniformity"), 1e-6);
    }

    #[test]
    fn opposite_views_have_alignment_4_and_equal_images_uniformity_0() {
        let row = Tensor::from_slice(&[1.0f32, 0.0]).view([1, 2]);
        let rows = row.repeat([3, 1]);
        assert_eq!(alignment_uniformity([&rows, &(-&rows)]).unwrap(), (4.0, Some(0.0)));
        assert_eq!(alignment_uniformity([&row, &row]).unwrap(), (0.0, None));
    }
}
