//! Nearest neighbors of every image among the others, and what they show.
//!
//! ```text
//! N_k(i)    = the k other images whose features have the largest cosine with those of image i
//! purity    = mean over i of |{j in N_k(i): class of j = class of i}| / k
//! chance    = Σ_c n_c (n_c - 1) / (n (n - 1))                  n_c: images of class c; the purity of random neighbors
//! stability = mean over i of |N_k(i) of one encoder ∩ N_k(i) of another| / k
//! ```
//!
//! Purity is precision at k with the class as relevance (Manning, Raghavan, Schütze, *Introduction to Information Retrieval*, 2008, section 8.4); unlike
//! k-NN accuracy it has no vote. The overlap of neighbor sets compares two representations without labels (Klabunde et al., *Similarity of Neural Network
//! Models: A Survey of Functional and Representational Measures*, 2023, on measures of neighborhoods).

use crate::EvalError;
use crate::nearest::{CHUNK, nearest};
use mochi_tensor::Tensor;
use std::collections::BTreeMap;

/// The nearest neighbors of each image: row numbers with their cosines, nearest first.
pub type Neighbors = Vec<Vec<(u32, f32)>>;

/// The `k` nearest neighbors of every row of features (N, F) among the other rows; fewer if there are fewer rows. Of equal cosines the earlier row is
/// nearer.
///
/// # Errors
/// An error of libtorch.
pub fn neighbors(features: &Tensor, k: usize) -> Result<Neighbors, EvalError> {
    nearest_others((features, features), k)
}

/// For each query (N, F) the `k` nearest of the rows (N, F), its own row left out.
pub(super) fn nearest_others(of: (&Tensor, &Tensor), k: usize) -> Result<Neighbors, EvalError> {
    let mut all: Neighbors = Vec::new();
    nearest(of, k.saturating_add(1), CHUNK, None, &mut |_, block| {
        for top in block {
            let own = all.len();
            let others = top.finish().iter().filter(|&&(_, row)| row as usize != own).take(k);
            all.push(others.map(|&(cosine, row)| (row, cosine)).collect());
        }
    })?;
    Ok(all)
}

/// Mean fraction of each image's neighbors that have its class; `None` without neighbors.
pub fn purity(neighbors: &Neighbors, labels: &[u32]) -> Option<f64> {
    mean(neighbors.iter().zip(labels).map(|(found, own)| {
        let same = found.iter().filter(|&&(row, _)| labels.get(row as usize) == Some(own)).count();
        (same, found.len())
    }))
}

/// Purity of random neighbors; `None` for fewer than two images.
pub fn chance(labels: &[u32]) -> Option<f64> {
    let mut counts: BTreeMap<u32, f64> = BTreeMap::new();
    labels.iter().for_each(|&label| *counts.entry(label).or_default() += 1.0);
    let n = labels.len() as f64;
    (labels.len() > 1).then(|| counts.values().map(|c| c * (c - 1.0)).sum::<f64>() / (n * (n - 1.0)))
}

/// Mean overlap of the neighbor sets that two encoders give the same images; `None` without neighbors.
pub fn stability(a: &Neighbors, b: &Neighbors) -> Option<f64> {
    mean(a.iter().zip(b).map(|(a, b)| {
        let shared = a.iter().filter(|(row, _)| b.iter().any(|(other, _)| other == row)).count();
        (shared, a.len())
    }))
}

/// Mean of hits over counts above 0.
fn mean(fractions: impl Iterator<Item = (usize, usize)>) -> Option<f64> {
    let (sum, count) = fractions
        .filter(|&(_, of)| of > 0)
        .fold((0.0, 0.0), |(sum, count), (hits, of)| (sum + hits as f64 / of as f64, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{close, indices, labels, matrix, number};

    #[test]
    fn neighbors_and_measures_are_those_of_numpy_in_float64() {
        let found = neighbors(&matrix("features"), 5).unwrap();
        let rows: Vec<Vec<u32>> = found.iter().map(|row| row.iter().map(|&(row, _)| row).collect()).collect();
        assert_eq!(rows, indices("neighbors"));
        close(purity(&found, &labels()).unwrap(), number("purity"), 1e-9);
        close(chance(&labels()).unwrap(), number("chance"), 1e-9);
        let earlier = neighbors(&matrix("earlier_features"), 5).unwrap();
        close(stability(&found, &earlier).unwrap(), number("stability"), 1e-9);
        close(stability(&found, &found).unwrap(), 1.0, 1e-12);
    }

    #[test]
    fn an_image_is_not_its_own_neighbor_even_if_all_are_equal() {
        let rows = matrix("first").narrow(0, 0, 1).repeat([6, 1]);
        let found = neighbors(&rows, 3).unwrap();
        assert_eq!(found.len(), 6);
        for (own, row) in (0u32..).zip(&found) {
            assert_eq!((row.len(), row.iter().any(|&(other, _)| other == own)), (3, false), "{own}");
        }
        assert_eq!(neighbors(&rows, 100).unwrap()[0].len(), 5);
        assert_eq!((purity(&vec![vec![]], &[0]), chance(&[0])), (None, None));
    }
}
