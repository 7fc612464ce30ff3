//! Class-balanced subsets of labeled images: the same fraction of each class, drawn from a seed.

use mochi_random::{Philox, permutation};
use mochi_tensor::Tensor;

use crate::{EvalError, Features};

/// Stream of random numbers of the draws.
const SUBSET: u64 = 0x6576_616c_0000_0005;

/// Checks the range of [`Features::label_fraction`].
///
/// # Errors
/// [`EvalError::Option`].
pub fn check_label_fraction(fraction: f64) -> Result<(), EvalError> {
    if fraction > 0.0 && fraction <= 1.0 {
        return Ok(());
    }
    let (option, expected) = ("label fraction", "a number above 0, at most 1");
    Err(EvalError::Option { option, value: fraction.to_string(), expected })
}

/// Rows of `labels` that make up `fraction` of each class, rounded and at least one, ascending. For one seed, a smaller fraction is a subset of a
/// larger one.
pub(crate) fn balanced_rows(labels: &[u32], fraction: f64, seed: u64) -> Vec<u32> {
    let mut by_class = std::collections::BTreeMap::<u32, Vec<u32>>::new();
    for (row, &class) in (0u32..).zip(labels) {
        by_class.entry(class).or_default().push(row);
    }
    let philox = Philox::new(seed, SUBSET);
    let mut chosen = Vec::new();
    for (class, rows) in by_class {
        let count = ((rows.len() as f64 * fraction).round() as usize).max(1);
        let order = permutation(philox, [class, 0, 0], u32::try_from(rows.len()).unwrap_or(u32::MAX));
        chosen.extend(order.into_iter().take(count).map(|i| rows[i as usize]));
    }
    chosen.sort_unstable();
    chosen
}

impl Features {
    /// The features of `fraction` of the images of each class (rounded, at least one), drawn from `seed`. Source of the idea: the 1 % and 10 %
    /// of ImageNet's labels in Chen et al., *A Simple Framework for Contrastive Learning of Visual Representations*, ICML 2020, section 6.
    ///
    /// # Errors
    /// [`EvalError::Option`] for a fraction outside (0, 1], or an error of libtorch.
    pub fn label_fraction(&self, fraction: f64, seed: u64) -> Result<Features, EvalError> {
        check_label_fraction(fraction)?;
        let rows = balanced_rows(&self.labels, fraction, seed);
        let index: Vec<i64> = rows.iter().map(|&row| i64::from(row)).collect();
        let take = |values: &[u32]| rows.iter().filter_map(|&row| values.get(row as usize).copied()).collect();
        Ok(Features {
            values: self.values.f_index_select(0, &Tensor::f_from_slice(&index)?)?,
            labels: take(&self.labels),
            images: take(&self.images),
            class_names: self.class_names.clone(),
            bad_images: self.bad_images.clone(),
            source: self.source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_class_keeps_its_fraction(labels in prop::collection::vec(0u32..5, 1..300), fraction in 0.01f64..1.0, seed: u64) {
            let rows = balanced_rows(&labels, fraction, seed);
            prop_assert!(rows.windows(2).all(|pair| pair[0] < pair[1]));
            for class in 0..5 {
                let all = labels.iter().filter(|&&label| label == class).count();
                let kept = rows.iter().filter(|&&row| labels[row as usize] == class).count();
                let wanted = if all == 0 { 0 } else { ((all as f64 * fraction).round() as usize).max(1) };
                prop_assert_eq!(kept, wanted);
            }
            let more = balanced_rows(&labels, (2.0 * fraction).min(1.0), seed);
            prop_assert!(rows.iter().all(|row| more.contains(row)));
        }
    }

    #[test]
    fn subsets_follow_the_seed() {
        let labels: Vec<u32> = (0..200).map(|i| i % 4).collect();
        assert_eq!(balanced_rows(&labels, 0.1, 1), balanced_rows(&labels, 0.1, 1));
        assert_ne!(balanced_rows(&labels, 0.1, 1), balanced_rows(&labels, 0.1, 2));
        assert_eq!(balanced_rows(&labels, 1.0, 1).len(), 200);
    }
}
