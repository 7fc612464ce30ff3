//! Draws of parents and coefficients, blocks of synthetic negatives at a time.
//!
//! A draw is a pure function of (seed, purpose, step, direction, query, synthetic negative): it does not depend on threads, devices or how a
//! batch is cut. Parents are drawn as positions among the query's hard negatives, which are in ascending order of their keys.

use mochi_random::{DrawKey, LANES, below, unit};

use crate::strategies::{Sampling, SecondParent, Strategy};
use crate::{Context, ExplicitSamples};

/// Parents and coefficients of a row's or a batch's synthetic negatives.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// First parents: positions among the hard negatives.
    pub first: Vec<u32>,
    /// Second parents; the first again where there is none.
    pub second: Vec<u32>,
    /// Coefficients; 0 where there is none.
    pub coefficient: Vec<f64>,
}

impl Samples {
    /// Appends the samples of query `row` with `hard` hard negatives.
    #[inline(always)]
    pub fn draw(&mut self, strategy: &Strategy, context: &Context, row: usize, hard: usize) {
        let Sampling::Random { count, .. } = strategy.sampling else {
            return self.each(hard);
        };
        match context.samples_of(strategy) {
            Some(samples) => self.explicit(samples, row * count..(row + 1) * count, hard),
            None => self.random(strategy, context.draws, row, hard),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.first.clear();
        self.second.clear();
        self.coefficient.clear();
    }

    #[inline(always)]
    fn each(&mut self, hard: usize) {
        let positions = (0u32..).take(hard);
        self.first.extend(positions.clone());
        self.second.extend(positions);
        self.coefficient.resize(self.first.len(), 0.0);
    }

    #[inline(always)]
    fn explicit(&mut self, samples: &ExplicitSamples, range: std::ops::Range<usize>, hard: usize) {
        let within = |&position: &u32| (position as usize % hard.max(1)) as u32;
        let first = samples.first.get(range.clone()).unwrap_or(&[]);
        self.first.extend(first.iter().map(within));
        self.second.extend(samples.second.get(range.clone()).unwrap_or(first).iter().map(within));
        self.coefficient.extend_from_slice(samples.coefficient.get(range).unwrap_or(&[]));
        self.coefficient.resize(self.first.len(), 0.0);
    }

    #[inline(always)]
    fn random(&mut self, strategy: &Strategy, draws: DrawKey, row: usize, hard: usize) {
        let Sampling::Random { count, second: second_parent, coefficient } = &strategy.sampling else { return };
        let key = draws.with_purpose(strategy.purpose);
        let (family, counter) = (key.family(0), key.counter(row));
        // Both fit: there are fewer than 2^32 keys, and a strategy's count is checked to be.
        let n = hard.min(u32::MAX as usize) as u32;
        for (block, start) in (0..*count).step_by(LANES).zip((0u32..).step_by(LANES)) {
            let words = family.block(counter, start);
            let (mut first, mut values) = ([0u32; LANES], [0.0f64; LANES]);
            for i in 0..LANES {
                first[i] = below(words[0][i], n);
            }
            let second = match second_parent {
                SecondParent::None => first,
                SecondParent::Distinct if n > 1 => std::array::from_fn(|i| {
                    let other = below(words[1][i], n - 1);
                    other + u32::from(other >= first[i])
                }),
                SecondParent::Any | SecondParent::Distinct => words[1].map(|word| below(word, n)),
            };
            if let Some(coefficient) = coefficient {
                let words = &words[coefficient_word(strategy)];
                match coefficient.beta {
                    Some(_) => values = words.map(|word| coefficient.draw(word)),
                    None => {
                        for i in 0..LANES {
                            values[i] = coefficient.scale(unit(words[i]));
                        }
                    }
                }
            }
            let used = LANES.min(count - block);
            self.first.extend_from_slice(&first[..used]);
            self.second.extend_from_slice(&second[..used]);
            self.coefficient.extend_from_slice(&values[..used]);
        }
    }
}

/// Which of the four words of a synthetic negative its coefficient comes from.
pub fn coefficient_word(strategy: &Strategy) -> usize {
    if strategy.has_two_parents() { 2 } else { 1 }
}

/// Standard normal vectors (count, dim) of the synthetic negatives of a row: Box-Muller pairs of counter-based words, four numbers a block from
/// block 1 on.
#[inline(always)]
pub fn normals(key: DrawKey, row: usize, count: usize, dim: usize, out: &mut Vec<f32>) {
    out.clear();
    out.resize(count * dim, 0.0);
    let [a, b, c] = key.counter(row);
    for (item, vector) in (0u32..).zip(out.chunks_exact_mut(dim.max(1))) {
        for (block, four) in (1u32..).zip(vector.chunks_mut(4)) {
            let w = key.family(block).words([a, b, c, item]);
            let pair = |r: u32, angle: u32| {
                // On (0, 1]: the logarithm never sees 0.
                let length = (-2.0 * (1.0 - unit(r)).ln()).sqrt();
                let (sin, cos) = (std::f64::consts::TAU * unit(angle)).sin_cos();
                [(length * cos) as f32, (length * sin) as f32]
            };
            let ([x, y], [z, u]) = (pair(w[0], w[1]), pair(w[2], w[3]));
            for (slot, value) in four.iter_mut().zip([x, y, z, u]) {
                *slot = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::{pair_mixing, query_mixing};
    use mochi_random::Philox;

    const KEY: DrawKey = DrawKey { seed: 3, purpose: 0, step: 1 << 40, direction: 0, first_row: 0 };

    /// The draws of a strategy for some queries.
    fn all(strategy: &Strategy, key: DrawKey, batch: usize, hard: usize) -> Samples {
        let context = Context { draws: key, ..Context::default() };
        let mut out = Samples::default();
        for row in 0..batch {
            out.draw(strategy, &context, row, hard);
        }
        out
    }

    #[test]
    fn a_part_of_a_batch_draws_what_the_whole_batch_does() {
        for (strategy, count) in [(pair_mixing::strategy(7), 7), (query_mixing::strategy(5), 5)] {
            let whole = all(&strategy, KEY, 6, 50);
            let second = all(&strategy, DrawKey { first_row: 4, ..KEY }, 2, 50);
            assert_eq!(whole.first[4 * count..], second.first);
            assert_eq!(whole.second[4 * count..], second.second);
            assert_eq!(whole.coefficient[4 * count..], second.coefficient);
            let other = all(&strategy, DrawKey { direction: 1, ..KEY }, 6, 50);
            assert_ne!(whole.first, other.first);
        }
    }

    #[test]
    fn draws_are_those_of_the_first_version() {
        // The first version drew one at a time, from the streams 1 and 2.
        let words = Philox::new(KEY.seed, 1).words([0, 256, 2, 17]);
        let drawn = all(&pair_mixing::strategy(20), KEY, 3, 1000);
        assert_eq!([drawn.first[57], drawn.second[57]], [below(words[0], 1000), below(words[1], 1000)]);
        assert_eq!(drawn.coefficient[57], unit(words[2]));
        let words = Philox::new(KEY.seed, 2).words([0, 256, 2, 17]);
        let drawn = all(&query_mixing::strategy(20), KEY, 3, 1000);
        assert_eq!((drawn.first[57], drawn.coefficient[57]), (below(words[0], 1000), 0.5 * unit(words[1])));
    }

    #[test]
    fn draws_are_in_range_and_have_their_means() {
        let (pairs, mixes) =
            (all(&pair_mixing::strategy(20_000), KEY, 1, 5), all(&query_mixing::strategy(20_000), KEY, 1, 5));
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        // Standard errors are 0.002 and 0.001.
        assert!((mean(&pairs.coefficient) - 0.5).abs() < 0.01);
        assert!((mean(&mixes.coefficient) - 0.25).abs() < 0.005);
        assert!(mixes.coefficient.iter().all(|b| (0.0..0.5).contains(b)));
        for j in 0..5 {
            let fraction = pairs.second.iter().filter(|&&p| p == j).count() as f64 / 20_000.0;
            assert!((fraction - 0.2).abs() < 0.02, "parent {j}: {fraction}");
        }
        // A query with a single hard negative mixes it with itself.
        let single = all(&pair_mixing::strategy(100), KEY, 1, 1);
        assert!(single.first.iter().chain(&single.second).all(|&j| j == 0));
    }

    #[test]
    fn distinct_parents_differ_and_are_equally_likely() {
        let strategy = pair_mixing::SPEC.configure([("s", 20_000.0), ("distinct", 1.0)]).unwrap().build();
        let drawn = all(&strategy, KEY, 1, 5);
        assert!(drawn.first.iter().zip(&drawn.second).all(|(i, j)| i != j && *j < 5));
        for j in 0..5 {
            let fraction = drawn.second.iter().filter(|&&p| p == j).count() as f64 / 20_000.0;
            assert!((fraction - 0.2).abs() < 0.02, "parent {j}: {fraction}");
        }
        let single = all(&strategy, KEY, 1, 1);
        assert!(single.second.iter().all(|&j| j == 0));
    }

    #[test]
    fn h6_7_explicit_positions_are_taken_modulo_the_hard_negatives_that_are_left() {
        let strategy = pair_mixing::strategy(2);
        let samples = [ExplicitSamples {
            purpose: pair_mixing::PURPOSE,
            first: vec![7, 0],
            second: vec![5, 3],
            coefficient: vec![0.5, 0.25],
        }];
        let context = Context { samples: &samples, ..Context::default() };
        let mut drawn = Samples::default();
        drawn.draw(&strategy, &context, 0, 3);
        assert_eq!((drawn.first, drawn.second, drawn.coefficient), (vec![1, 0], vec![2, 0], vec![0.5, 0.25]));
    }

    #[test]
    fn numbers_are_normal_and_functions_of_their_item() {
        let key = DrawKey { seed: 5, purpose: 4, step: 9, direction: 0, first_row: 0 };
        let mut all = Vec::new();
        normals(key, 3, 400, 50, &mut all);
        let n = all.len() as f64;
        let moment = |p: i32| all.iter().map(|&x| f64::from(x).powi(p)).sum::<f64>() / n;
        // Standard errors of the moments over 20,000 draws: 0.007, 0.01, 0.027, 0.07.
        assert!(moment(1).abs() < 0.03 && (moment(2) - 1.0).abs() < 0.04, "{} {}", moment(1), moment(2));
        assert!(moment(3).abs() < 0.11 && (moment(4) - 3.0).abs() < 0.28, "{} {}", moment(3), moment(4));
        let mut fewer = Vec::new();
        normals(key.from_row(3), 0, 7, 50, &mut fewer);
        assert_eq!(fewer, all[..350]);
    }
}
