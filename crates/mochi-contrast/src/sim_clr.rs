//! SimCLR's loss, NT-Xent (Chen, Kornblith, Norouzi, Hinton: *A Simple Framework for Contrastive Learning of Visual Representations*, ICML
//! 2020, eq. 1): V views of each of B images, one encoder, negatives from the batch. SimCLR's V is 2.
//!
//! ```text
//! loss = mean over the VB embeddings of  -1/(V-1) Σ_{p in P(i)} log( e^{z_i·z_p/t} / Σ_{j ≠ i} e^{z_i·z_j/t} )
//! P(i) = the V-1 other views of i's image
//! ```
//!
//! With more than two views this is SupCon's L_out (Khosla et al., NeurIPS 2020, eq. 2) with each image as a class. Every embedding has two parts of the
//! gradient: as anchor, and as positive or negative of others.

use crate::in_batch::InBatch;
use crate::{ContrastError, Loss};
use mochi_tensor::{Kind, Tensor};

/// NT-Xent of embeddings (VB, D) of `images` = B images: the first views of all images, then the second views in the same order, and so on. The
/// gradient is (VB, D).
///
/// # Errors
/// Embeddings that are not finite or not of norm 1, fewer than two views or not the same number of every image, a temperature that is not above 0.
pub fn sim_clr(embeddings: &Tensor, images: usize, temperature: f64, step: u64) -> Result<Loss, ContrastError> {
    let count = i64::try_from(images).unwrap_or(i64::MAX);
    let views = views_of(embeddings, images)?;
    let labels = Tensor::f_arange(count, (Kind::Int64, embeddings.device()))?.f_repeat([views])?;
    both_sides(embeddings, &labels, temperature, step)
}

/// V of embeddings (VB, D).
pub(crate) fn views_of(embeddings: &Tensor, images: usize) -> Result<i64, ContrastError> {
    let (rows, count) = (embeddings.size().first().copied().unwrap_or(0), i64::try_from(images).unwrap_or(i64::MAX));
    match rows.checked_div(count) {
        Some(views) if views >= 2 && rows % count == 0 => Ok(views),
        _ => {
            Err(ContrastError::shape(format!("{rows} embeddings are not two or more views of each of {images} images")))
        }
    }
}

/// Compares every embedding with all others; its positives are those with its label.
pub(crate) fn both_sides(
    embeddings: &Tensor,
    labels: &Tensor,
    temperature: f64,
    step: u64,
) -> Result<Loss, ContrastError> {
    let rows = embeddings.f_detach()?;
    let batch = InBatch { rows: &rows, columns: &rows, labels: [labels, labels], same: true, temperature, step };
    let gradients = batch.evaluate()?;
    Ok(Loss {
        value: gradients.value,
        chance: gradients.chance,
        gradient: gradients.rows.f_add(&gradients.columns)?,
        measures: gradients.measures,
        fewer_hard_negatives: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_contrast_core::CoreError;

    fn corners(angles: &[f64]) -> Tensor {
        let angles = Tensor::from_slice(angles);
        Tensor::stack(&[angles.cos(), angles.sin()], 1)
    }

    #[test]
    fn a_perfect_encoder_reaches_the_analytic_minimum() {
        // Two images at opposite poles, with equal views: one positive at cosine 1, two negatives at -1.
        let pole = std::f64::consts::PI;
        let loss = sim_clr(&corners(&[0.0, pole, 0.0, pole]), 2, 0.5, 0).unwrap();
        assert!((loss.value - (1.0 + 2.0 * (-2.0f64 / 0.5).exp()).ln()).abs() < 1e-12);
        assert_eq!(loss.measures.accuracy_real, 1.0);
        assert!((loss.measures.effective_negatives - 2.0).abs() < 1e-12);
    }

    #[test]
    fn equal_embeddings_have_the_chance_level() {
        let loss = sim_clr(&corners(&[1.0; 10]), 5, 0.1, 0).unwrap();
        assert!((loss.value - 9.0f64.ln()).abs() < 1e-9 && (loss.value - loss.chance).abs() < 1e-9);
    }

    #[test]
    fn permuting_the_images_permutes_the_gradient_and_nothing_else() {
        let z = corners(&[0.1, 0.9, 2.0, 0.3, 1.5, 2.2]);
        let order = Tensor::from_slice(&[2i64, 0, 1, 5, 3, 4]);
        let (one, other) = (sim_clr(&z, 3, 0.2, 0).unwrap(), sim_clr(&z.index_select(0, &order), 3, 0.2, 0).unwrap());
        assert!((one.value - other.value).abs() < 1e-12);
        let off = (one.gradient.index_select(0, &order) - other.gradient).abs().max().double_value(&[]);
        assert!(off < 1e-12, "{off}");
        for (rows, images) in [(5, 3), (3, 3), (6, 0), (6, 4)] {
            let refused = sim_clr(&z.narrow(0, 0, rows), images, 0.2, 0);
            assert!(
                matches!(refused, Err(ContrastError::Input(CoreError::Shape(_)))),
                "{rows} rows of {images} images"
            );
        }
    }

    /// The formula of the header, out of libtorch's own operations, and its gradient by autograd.
    #[test]
    fn more_views_follow_the_formula() {
        let (views, images, t) = (4i64, 3i64, 0.3);
        let x = Tensor::arange(views * images * 5, (Kind::Double, mochi_tensor::Device::Cpu)).square().sin();
        let x = x.view([views * images, 5]).set_requires_grad(true);
        let z = &x / x.square().sum_dim_intlist([1i64].as_slice(), true, Kind::Double).sqrt();
        let logits = z.matmul(&z.tr()) / t;
        let mut wanted = Tensor::zeros([], (Kind::Double, mochi_tensor::Device::Cpu));
        for i in 0..views * images {
            let others: Vec<i64> = (0..views * images).filter(|&j| j != i).collect();
            let row = logits.get(i);
            let log_sum = row.index_select(0, &Tensor::from_slice(&others)).logsumexp([0i64].as_slice(), false);
            for &p in others.iter().filter(|&&j| j % images == i % images) {
                wanted += (&log_sum - row.get(p)) / ((views - 1) * views * images) as f64;
            }
        }
        let loss = sim_clr(&z, 3, t, 0).unwrap();
        assert!((loss.value - wanted.double_value(&[])).abs() < 1e-12);
        let gradient = |of: &Tensor| Tensor::run_backward(&[of], &[&x], true, false).remove(0);
        let error = (gradient(&wanted) - gradient(&(&z * &loss.gradient).sum(Kind::Double))).abs().max();
        assert!(error.double_value(&[]) < 1e-12, "{error:?}");
    }
}
