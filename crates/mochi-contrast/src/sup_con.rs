//! SupCon (Khosla et al.: *Supervised Contrastive Learning*, NeurIPS 2020, eq. 2, L_out): SimCLR in which all embeddings of the same class are
//! positives.
//!
//! ```text
//! loss = mean over the VB embeddings of  -1/|P(i)| Σ_{p in P(i)} log( e^{z_i·z_p/t} / Σ_{j ≠ i} e^{z_i·z_j/t} )
//! P(i) = every other embedding of i's class; the other views of its image are always among them
//! ```
//!
//! The authors' code multiplies by t / 0.07, which is 1.43 at the temperature 0.1 of their published command; this implementation does not. The
//! learning rate and weight decay of the preset `supcon` compensate for it. If each image is a class, the loss equals SimCLR.

use crate::sim_clr::{both_sides, views_of};
use crate::{ContrastError, Loss};
use mochi_tensor::{Tensor, upload};

/// L_out of embeddings (VB, D), first views, then second views and so on, with the class of each of the B images. The gradient is (VB, D).
/// The only positives of an image with an unknown (negative) class are its other views.
///
/// # Errors
/// As [`crate::sim_clr`], and a number of labels other than B.
pub fn sup_con(embeddings: &Tensor, labels: &[i64], temperature: f64, step: u64) -> Result<Loss, ContrastError> {
    let own = |(image, &label): (i64, &i64)| if label < 0 { -1 - image } else { label };
    let one: Vec<i64> = (0i64..).zip(labels).map(own).collect();
    let labels = one.repeat(usize::try_from(views_of(embeddings, labels.len())?).unwrap_or(usize::MAX));
    let labels = upload(&Tensor::f_from_slice(&labels)?, embeddings.device())?;
    both_sides(embeddings, &labels, temperature, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim_clr;

    fn embeddings() -> Tensor {
        let angles = Tensor::from_slice(&[0.1f64, 0.9, 2.0, 0.3, 1.5, 2.2]);
        Tensor::stack(&[angles.cos(), angles.sin()], 1)
    }

    #[test]
    fn a_class_for_each_image_is_sim_clr() {
        let z = embeddings();
        let (one, other) = (sup_con(&z, &[7, 3, 5], 0.2, 0).unwrap(), sim_clr(&z, 3, 0.2, 0).unwrap());
        assert_eq!(one.value, other.value);
        assert!(one.gradient.equal(&other.gradient));
    }

    #[test]
    fn classes_change_the_loss_and_one_class_for_all_is_allowed() {
        let z = embeddings();
        let loss = |labels: &[i64]| sup_con(&z, labels, 0.2, 0).unwrap();
        assert_ne!(loss(&[0, 0, 1]).value, loss(&[0, 1, 2]).value);
        assert_eq!(loss(&[-1, -1, 3]).value, loss(&[0, 1, 2]).value);
        let alone = loss(&[4, 4, 4]);
        assert!(alone.value.is_finite());
        assert_eq!((alone.measures.accuracy_real, alone.measures.effective_negatives), (1.0, 0.0));
        assert!(sup_con(&z, &[1, 2, 3, 4], 0.2, 0).is_err(), "6 embeddings are not views of 4 images");
    }
}
