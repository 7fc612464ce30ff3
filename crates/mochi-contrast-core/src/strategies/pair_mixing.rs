//! Pair mixing (MoCHi, section 3.2; SynCo's "mixup"): `h = normalize(a n_i + (1-a) n_j)`, both parents among the N hard negatives, a ~ U(0, 1).
//!
//! With the parents' cosines `a_i = q·n_i`, `a_j = q·n_j` and one dot product `g = n_i·n_j`:
//!
//! ```text
//! r    = |a n_i + (1-a) n_j| = sqrt(a² + (1-a)² + 2 a (1-a) g)
//! q·h  = (a a_i + (1-a) a_j) / r
//! d(q·h)/dq = (a/r) n_i + ((1-a)/r) n_j          h is a constant
//! ```
//!
//! The parents may be the same key (the paper does not exclude it); then h = n_i.

use super::description::{BETA, Coefficient, Linear, Sampling, SecondParent, Strategy, count, end, switch};
use crate::spec::Spec;

/// Purpose of its draws.
pub const PURPOSE: u8 = 1;

/// `pair-mixing`: the paper's, or with another distribution of a, or never of a key with itself.
pub static SPEC: Spec<Strategy> = Spec {
    name: "pair-mixing",
    doc: "`normalize(a n_i + (1 - a) n_j)` (MoCHi): `negatives.pairs` with other options; set that to 0.",
    arguments: &[
        count(256),
        end("low", 0.0, "Lower end of a."),
        end("high", 1.0, "Upper end of a."),
        BETA,
        switch("distinct", "1: never mix a key with itself."),
    ],
    build: |values| Strategy {
        sampling: Sampling::Random {
            count: values[0] as usize,
            second: if values[4] == 1.0 { SecondParent::Distinct } else { SecondParent::Any },
            coefficient: Some(Coefficient::beta(values[1], values[2], values[3])),
        },
        first: Linear::COEFFICIENT,
        second: Linear::COMPLEMENT,
        ..Strategy::copies("pair-mixing", PURPOSE, values[0] as usize)
    },
};

/// The paper's: `s` pair mixes per query.
pub fn strategy(s: usize) -> Strategy {
    (SPEC.build)(&[s as f64, 0.0, 1.0, 1.0, 0.0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::{Cosines, ExtraDots, Synthetic, normalized};
    use proptest::prelude::*;
    use proptest::strategy::Strategy as Generator;

    fn mix(a: f64, first: f64, second: f64, parents: f64) -> Synthetic {
        let coefficients = strategy(1).coefficients(a);
        normalized(coefficients, Cosines { square: 1.0, first, second, parents }, ExtraDots::default())
    }

    fn unit(v: &[f64]) -> Vec<f64> {
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.iter().map(|x| x / norm).collect()
    }

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    fn direction() -> impl Generator<Value = Vec<f64>> {
        prop::collection::vec(-1.0..1.0f64, 5)
            .prop_filter("has a direction", |v| dot(v, v) > 1e-3)
            .prop_map(|v| unit(&v))
    }

    proptest! {
        #[test]
        fn equals_the_explicit_vector(q in direction(), i in direction(), j in direction(), a in 0.0..1.0f64) {
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
    fn normalizing_can_make_a_mix_harder_than_both_parents() {
        let pair = mix(0.5, 0.506, 0.476, 0.31);
        assert!((pair.cosine - 0.6067).abs() < 1e-3, "{}", pair.cosine);
    }

    #[test]
    fn opposite_parents_give_no_infinity() {
        assert_eq!(mix(0.5, 0.3, -0.3, -1.0).cosine, 0.0);
    }
}
