//! Pair mixing (MoCHi, section 3.2): `h = normalize(a n_i + (1-a) n_j)`, both parents among the N hardest.
//!
//! With the parents' cosines `a_i = q·n_i`, `a_j = q·n_j` and one dot product `g = n_i·n_j`:
//!
//! ```text
//! r    = |a n_i + (1-a) n_j| = sqrt(a² + (1-a)² + 2 a (1-a) g)
//! q·h  = (a a_i + (1-a) a_j) / r
//! d(q·h)/dq = (a/r) n_i + ((1-a)/r) n_j          h is a constant
//! ```
//!
//! Options: the distribution of `a`, distinct parents ([`crate::Synthesis`]). i = j gives h = n_i. Two opposite parents at a = 1/2 have no
//! direction; as in `torch.nn.functional.normalize` the norm is then taken as 1e-12 and the cosine comes out as 0.

/// A synthetic point as the loss sees it: its cosine with the query, and what its gradient hands to each parent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// q·h.
    pub cosine: f64,
    /// Coefficient of n_i in d(q·h)/dq.
    pub first: f64,
    /// Coefficient of n_j.
    pub second: f64,
}

/// The pair mix of two unit parents.
#[inline(always)]
pub fn mix(a: f64, cos_i: f64, cos_j: f64, parents: f64) -> Pair {
    let b = 1.0 - a;
    let r = (a * a + b * b + 2.0 * a * b * parents).max(0.0).sqrt().max(1e-12);
    let (first, second) = (a / r, b / r);
    Pair { cosine: first * cos_i + second * cos_j, first, second }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(v: &[f64]) -> Vec<f64> {
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.iter().map(|x| x / norm).collect()
    }

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    fn direction() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(-1.0..1.0f64, 5)
            .prop_filter("has a direction", |v| dot(v, v) > 1e-3)
            .prop_map(|v| unit(&v))
    }

    proptest! {
        #[test]
        fn equals_the_vector_that_it_stands_for(q in direction(), i in direction(), j in direction(), a in 0.0..1.0f64) {
            let h: Vec<f64> = i.iter().zip(&j).map(|(x, y)| a * x + (1.0 - a) * y).collect();
            prop_assume!(dot(&h, &h) > 1e-6);
            let pair = mix(a, dot(&q, &i), dot(&q, &j), dot(&i, &j));
            prop_assert!((pair.cosine - dot(&q, &unit(&h))).abs() < 1e-9);
            prop_assert!(pair.cosine.abs() <= 1.0 + 1e-9);
        }

        #[test]
        fn a_parent_mixed_with_itself_is_itself(cos in -1.0..1.0f64, a in 0.0..1.0f64) {
            prop_assert!((mix(a, cos, cos, 1.0).cosine - cos).abs() < 1e-12);
        }
    }

    #[test]
    fn normalising_can_make_a_point_harder_than_both_parents() {
        let pair = mix(0.5, 0.506, 0.476, 0.31);
        assert!((pair.cosine - 0.6067).abs() < 1e-3, "{}", pair.cosine);
    }

    #[test]
    fn opposite_parents_give_no_infinity() {
        let pair = mix(0.5, 0.3, -0.3, -1.0);
        assert_eq!(pair.cosine, 0.0);
    }
}
