//! Which synthetic points a query gets: how many, from which parents, with which coefficients (MoCHi, sections 3.2 and 3.3).
//!
//! Draws are pure functions of (seed, step, query, point): they do not depend on threads, devices or how a batch is cut. Parents are drawn
//! as positions in the query's hardest set, which is kept in the order of its columns.

use crate::ContrastError;
use mochi_random::{Philox, below, unit};

/// Distribution of a mixing coefficient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Coefficient {
    /// U(0, high): the paper has high = 1 for pairs, 0.5 for query mixes.
    Uniform {
        /// Upper end.
        high: f64,
    },
    /// Beta(p, p), as mixup draws it.
    Beta {
        /// Both shape parameters.
        p: f64,
    },
    /// Always the same.
    Fixed(f64),
}

/// MoCHi (N, s, s') and its options.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Synthesis {
    /// N: how many of the hardest queue rows may be parents.
    pub hardest: usize,
    /// s: pair mixes per query.
    pub pairs: usize,
    /// s': query mixes per query.
    pub query_mixes: usize,
    /// The first parent's share of a pair mix.
    pub alpha: Coefficient,
    /// The query's share of a query mix.
    pub beta: Coefficient,
    /// Whether a pair's parents must differ (the paper does not ask it).
    pub distinct: bool,
    /// Whether the query inside a query mix learns too (in the paper it is a constant).
    pub query_gradient: bool,
}

impl Synthesis {
    /// The paper's (N, s, s'): a ~ U(0, 1), b ~ U(0, 0.5), synthetic points constant.
    pub fn paper(hardest: usize, pairs: usize, query_mixes: usize) -> Self {
        Self {
            hardest,
            pairs,
            query_mixes,
            alpha: Coefficient::Uniform { high: 1.0 },
            beta: Coefficient::Uniform { high: 0.5 },
            distinct: false,
            query_gradient: false,
        }
    }

    /// Synthetic logits per query, s + s'.
    pub fn points(&self) -> usize {
        self.pairs + self.query_mixes
    }

    /// Refuses options out of range.
    ///
    /// # Errors
    /// [`ContrastError::Option`] naming the option.
    pub fn check(&self) -> Result<(), ContrastError> {
        let bad = |option, value: String, expected| Err(ContrastError::Option { option, value, expected });
        if self.hardest == 0 && self.points() > 0 {
            return bad("negatives.hardest", "0".into(), "mixing needs at least 1 parent");
        }
        if self.distinct && self.hardest < 2 && self.pairs > 0 {
            return bad("negatives.hardest", self.hardest.to_string(), "distinct parents need at least 2");
        }
        for (option, coefficient) in [("negatives.alpha", self.alpha), ("negatives.beta", self.beta)] {
            let (value, good) = match coefficient {
                Coefficient::Uniform { high } => (high, (0.0..=1.0).contains(&high)),
                Coefficient::Fixed(value) => (value, (0.0..=1.0).contains(&value)),
                Coefficient::Beta { p } => (p, p > 0.0 && p.is_finite()),
            };
            if !good {
                return bad(option, value.to_string(), "a coefficient lies in [0, 1] and a Beta parameter above 0");
            }
        }
        Ok(())
    }
}

/// What a draw is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawKey {
    /// The run's seed.
    pub seed: u64,
    /// Training step.
    pub step: u64,
    /// Which loss of the step: 0, or 1 for the second half of a symmetric loss.
    pub side: u32,
    /// Index of the first query of this batch in the global batch: a split batch draws what the whole one would.
    pub first_query: u32,
}

/// Parents and coefficients set from outside, row-major (B, s) and (B, s'): parity tests, and replaying a step.
#[derive(Debug, Clone, Default)]
pub struct Points {
    /// First parent's position in the hardest set (columns ascending).
    pub pair_i: Vec<u32>,
    /// Second parent's.
    pub pair_j: Vec<u32>,
    /// First parent's share.
    pub alpha: Vec<f64>,
    /// A query mix's other parent.
    pub mix_j: Vec<u32>,
    /// The query's share.
    pub beta: Vec<f64>,
}

/// Where points come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    Drawn(DrawKey),
    Given(&'a Points),
}

const PAIRS: u64 = 1;
const QUERY_MIXES: u64 = 2;
const MORE: u64 = 16;

impl Synthesis {
    /// Pair `point` of query `row`, parents below `n`: (i, j, a).
    #[inline]
    pub(crate) fn pair(&self, source: Source, row: usize, point: usize, n: usize) -> (usize, usize, f64) {
        match source {
            Source::Given(points) => {
                let at = row * self.pairs + point;
                (points.pair_i[at] as usize, points.pair_j[at] as usize, points.alpha[at])
            }
            Source::Drawn(key) => {
                let words = draw(key, PAIRS, row, point);
                let n = to_u32(n);
                let i = below(words[0], n);
                let mut j = below(words[1], if self.distinct { n - 1 } else { n });
                if self.distinct && j >= i {
                    j += 1;
                }
                (i as usize, j as usize, self.alpha.value(words[2], key, PAIRS, row, point))
            }
        }
    }

    /// Query mix `point` of query `row`: (j, b).
    #[inline]
    pub(crate) fn query_mix(&self, source: Source, row: usize, point: usize, n: usize) -> (usize, f64) {
        match source {
            Source::Given(points) => {
                let at = row * self.query_mixes + point;
                (points.mix_j[at] as usize, points.beta[at])
            }
            Source::Drawn(key) => {
                let words = draw(key, QUERY_MIXES, row, point);
                (below(words[0], to_u32(n)) as usize, self.beta.value(words[1], key, QUERY_MIXES, row, point))
            }
        }
    }

    /// All points of a batch at once, for paths that work on whole tensors.
    pub(crate) fn all(&self, source: Source, batch: usize, n: usize) -> Points {
        let mut all = Points::default();
        for row in 0..batch {
            for point in 0..self.pairs {
                let (i, j, a) = self.pair(source, row, point, n);
                all.pair_i.push(to_u32(i));
                all.pair_j.push(to_u32(j));
                all.alpha.push(a);
            }
            for point in 0..self.query_mixes {
                let (j, b) = self.query_mix(source, row, point, n);
                all.mix_j.push(to_u32(j));
                all.beta.push(b);
            }
        }
        all
    }
}

impl Points {
    /// Refuses points that do not fit a batch and a hardest set of `n`.
    pub(crate) fn check(&self, synthesis: &Synthesis, batch: usize, n: usize) -> Result<(), ContrastError> {
        let lengths = [
            (self.pair_i.len(), synthesis.pairs),
            (self.pair_j.len(), synthesis.pairs),
            (self.alpha.len(), synthesis.pairs),
            (self.mix_j.len(), synthesis.query_mixes),
            (self.beta.len(), synthesis.query_mixes),
        ];
        if lengths.iter().any(|&(len, count)| len != batch * count) {
            return Err(ContrastError::Shape(format!("the points given are not those of {batch} queries")));
        }
        if self.pair_i.iter().chain(&self.pair_j).chain(&self.mix_j).any(|&p| p as usize >= n) {
            return Err(ContrastError::Shape(format!("a parent lies outside the {n} hardest")));
        }
        Ok(())
    }
}

#[inline]
fn draw(key: DrawKey, stream: u64, row: usize, point: usize) -> [u32; 4] {
    let family = Philox::new(key.seed, stream + u64::from(key.side) * 8);
    family.words([
        (key.step & 0xffff_ffff) as u32,
        (key.step >> 32) as u32,
        key.first_query + to_u32(row),
        to_u32(point),
    ])
}

impl Coefficient {
    #[inline]
    fn value(self, word: u32, key: DrawKey, stream: u64, row: usize, point: usize) -> f64 {
        match self {
            Self::Uniform { high } => high * unit(word),
            Self::Fixed(value) => value,
            Self::Beta { p } => {
                let mut attempt = 0;
                let mut gamma = || {
                    gamma(p, || {
                        attempt += 1;
                        draw(key, stream + MORE * attempt, row, point)
                    })
                };
                let (x, y) = (gamma(), gamma());
                if x + y > 0.0 { x / (x + y) } else { 0.5 }
            }
        }
    }
}

/// Gamma(shape, 1) by Marsaglia and Tsang (2000); shapes below 1 by their boost `G(shape + 1) U^(1/shape)`.
fn gamma(shape: f64, mut words: impl FnMut() -> [u32; 4]) -> f64 {
    let boosted = if shape < 1.0 { shape + 1.0 } else { shape };
    let d = boosted - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let w = words();
        // Box-Muller on (0, 1]: the logarithm never sees 0.
        let normal = (-2.0 * (1.0 - unit(w[0])).ln()).sqrt() * (std::f64::consts::TAU * unit(w[1])).cos();
        let v = (1.0 + c * normal).powi(3);
        if v > 0.0 && (1.0 - unit(w[2])).ln() < 0.5 * normal * normal + d - d * v + d * v.ln() {
            let boost = if shape < 1.0 { (1.0 - unit(w[3])).powf(1.0 / shape) } else { 1.0 };
            return d * v * boost;
        }
    }
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: DrawKey = DrawKey { seed: 3, step: 1 << 40, side: 0, first_query: 0 };

    #[test]
    fn a_split_batch_draws_what_the_whole_one_does() {
        let synthesis = Synthesis::paper(50, 7, 5);
        let whole = synthesis.all(Source::Drawn(KEY), 6, 50);
        let second = synthesis.all(Source::Drawn(DrawKey { first_query: 4, ..KEY }), 2, 50);
        assert_eq!(whole.pair_i[4 * 7..], second.pair_i);
        assert_eq!(whole.alpha[4 * 7..], second.alpha);
        assert_eq!(whole.beta[4 * 5..], second.beta);
        let other = synthesis.all(Source::Drawn(DrawKey { side: 1, ..KEY }), 6, 50);
        assert_ne!(whole.pair_i, other.pair_i);
    }

    #[test]
    fn draws_stay_in_range_and_have_their_means() {
        let mut synthesis = Synthesis::paper(5, 20_000, 20_000);
        synthesis.distinct = true;
        let points = synthesis.all(Source::Drawn(KEY), 1, 5);
        assert!(points.pair_i.iter().zip(&points.pair_j).all(|(i, j)| i != j && *i < 5 && *j < 5));
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        // Standard errors are 0.002 and 0.001.
        assert!((mean(&points.alpha) - 0.5).abs() < 0.01);
        assert!((mean(&points.beta) - 0.25).abs() < 0.005);
        assert!(points.beta.iter().all(|b| (0.0..0.5).contains(b)));
        for j in 0..5 {
            let share = points.pair_j.iter().filter(|&&p| p == j).count() as f64 / 20_000.0;
            assert!((share - 0.2).abs() < 0.02, "parent {j}: {share}");
        }
    }

    #[test]
    fn beta_draws_have_their_moments() {
        for p in [0.4, 1.0, 3.0] {
            let synthesis = Synthesis { alpha: Coefficient::Beta { p }, ..Synthesis::paper(4, 20_000, 0) };
            let a = synthesis.all(Source::Drawn(KEY), 1, 4).alpha;
            let mean = a.iter().sum::<f64>() / a.len() as f64;
            let variance = a.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / a.len() as f64;
            let wanted = 1.0 / (4.0 * (2.0 * p + 1.0));
            assert!((mean - 0.5).abs() < 0.015, "Beta({p},{p}) mean {mean}");
            assert!((variance / wanted - 1.0).abs() < 0.05, "Beta({p},{p}) variance {variance}, wanted {wanted}");
        }
    }

    #[test]
    fn options_out_of_range_are_named() {
        let good = Synthesis::paper(4, 2, 2);
        let bad = [
            Synthesis { hardest: 0, ..good },
            Synthesis { hardest: 1, distinct: true, ..good },
            Synthesis { alpha: Coefficient::Fixed(1.5), ..good },
            Synthesis { beta: Coefficient::Uniform { high: f64::NAN }, ..good },
            Synthesis { alpha: Coefficient::Beta { p: 0.0 }, ..good },
        ];
        assert!(good.check().is_ok());
        for synthesis in bad {
            assert!(matches!(synthesis.check(), Err(ContrastError::Option { .. })), "{synthesis:?}");
        }
    }
}
