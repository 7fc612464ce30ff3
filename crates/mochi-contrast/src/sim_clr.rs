//! SimCLR's loss, NT-Xent (Chen, Kornblith, Norouzi, Hinton: *A Simple Framework for Contrastive Learning of Visual Representations*, ICML
//! 2020, eq. 1): two views z, z' of each of B images, one encoder, negatives from the batch.
//!
//! ```text
//! loss = mean over the 2B embeddings of  -log( e^{z_i·z_p(i)/t} / Σ_{j ≠ i} e^{z_i·z_j/t} ),    p(i) the other view of i's image
//! ```
//!
//! Every embedding has two parts of the gradient: as anchor, and as positive or negative of others.

use crate::in_batch::InBatch;
use crate::{ContrastError, Loss};
use mochi_tensor::{Kind, Tensor};

/// NT-Xent of embeddings (2B, D): the first views of all images, then the second views in the same order. The gradient is (2B, D).
///
/// # Errors
/// Embeddings that are not finite or not of norm 1, an odd number of them, a temperature that is not above 0.
pub fn sim_clr(embeddings: &Tensor, temperature: f64, step: u64) -> Result<Loss, ContrastError> {
    let rows = embeddings.size().first().copied().unwrap_or(0);
    if rows % 2 != 0 {
        return Err(ContrastError::shape(format!("{rows} embeddings are not two views of every image")));
    }
    let images = Tensor::f_arange(rows, (Kind::Int64, embeddings.device()))?.f_remainder((rows / 2).max(1))?;
    both_sides(embeddings, &images, temperature, step)
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
        let loss = sim_clr(&corners(&[0.0, pole, 0.0, pole]), 0.5, 0).unwrap();
        assert!((loss.value - (1.0 + 2.0 * (-2.0f64 / 0.5).exp()).ln()).abs() < 1e-12);
        assert_eq!(loss.measures.accuracy_real, 1.0);
        assert!((loss.measures.effective_negatives - 2.0).abs() < 1e-12);
    }

    #[test]
    fn equal_embeddings_have_the_chance_level() {
        let loss = sim_clr(&corners(&[1.0; 10]), 0.1, 0).unwrap();
        assert!((loss.value - 9.0f64.ln()).abs() < 1e-9 && (loss.value - loss.chance).abs() < 1e-9);
    }

    #[test]
    fn permuting_the_images_permutes_the_gradient_and_nothing_else() {
        let z = corners(&[0.1, 0.9, 2.0, 0.3, 1.5, 2.2]);
        let order = Tensor::from_slice(&[2i64, 0, 1, 5, 3, 4]);
        let (one, other) = (sim_clr(&z, 0.2, 0).unwrap(), sim_clr(&z.index_select(0, &order), 0.2, 0).unwrap());
        assert!((one.value - other.value).abs() < 1e-12);
        let off = (one.gradient.index_select(0, &order) - other.gradient).abs().max().double_value(&[]);
        assert!(off < 1e-12, "{off}");
        assert!(matches!(sim_clr(&z.narrow(0, 0, 5), 0.2, 0), Err(ContrastError::Input(CoreError::Shape(_)))));
    }
}
