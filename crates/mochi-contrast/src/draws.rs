//! Draws of parents and coefficients, blocks of points at a time.
//!
//! A draw is a pure function of (seed, purpose, step, direction, query, point): it does not depend on threads, devices or how a batch is cut. Parents are
//! drawn as positions in the query's hardest set, which is kept in the order of its columns.

use crate::points::Strategy;
use crate::{ContrastError, Synthesis};
use mochi_random::{DrawKey, LANES, below, unit};

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

/// Parents and coefficients of MoCHi's two strategies set from outside, row-major (B, s) and (B, s'): parity tests, and replaying a step.
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

/// How a kind of point takes its parents and its share from the four words of (seed, purpose, step, direction, query, point): the first parent is
/// [`below`] of word 0, among the query's hardest columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Law {
    /// One of [`purpose`].
    pub purpose: u8,
    pub second: Second,
    pub share: Option<Share>,
}

/// The second parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Second {
    /// There is none: the first stands in its place.
    Same,
    /// From word 1, any.
    Any,
    /// From word 1, any but the first.
    Distinct,
}

/// The share `offset + coefficient`, from a word.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share {
    pub word: usize,
    pub offset: f64,
    pub coefficient: Coefficient,
}

/// Where points come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    Drawn(DrawKey),
    Given(&'a Points, DrawKey),
}

/// What was drawn for a row's or a batch's points: positions in the hardest set, and one number each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drawn {
    pub first: Vec<u32>,
    pub second: Vec<u32>,
    pub share: Vec<f64>,
}

/// Purposes of the draws, each of which has streams of its own.
pub(crate) mod purpose {
    pub const PAIRS: u8 = 1;
    pub const QUERY_MIXES: u8 = 2;
    pub const EXTRAPOLATE: u8 = 3;
    pub const NOISE: u8 = 4;
    pub const PERTURB: u8 = 5;
    pub const ADVERSARIAL: u8 = 6;
    pub const REPEAT: u8 = 7;
}

impl<'a> Source<'a> {
    /// The points that were set from outside, for a kind that has such.
    pub fn given(self, strategy: Strategy) -> Option<([&'a [u32]; 2], &'a [f64])> {
        match self {
            Self::Given(points, _) => points.of(strategy),
            Self::Drawn(_) => None,
        }
    }

    pub fn key(self) -> DrawKey {
        match self {
            Self::Drawn(key) | Self::Given(_, key) => key,
        }
    }
}

impl Drawn {
    /// The points of query `row`, appended: positions below `n`, and shares.
    #[inline(always)]
    pub fn draw(&mut self, law: Law, key: DrawKey, row: usize, n: usize, count: usize) {
        let (n, key) = (to_u32(n), key.with_purpose(law.purpose));
        self.extend(count, |(first, second, share), start| {
            let words = key.family(0).block(key.counter(row), to_u32(start));
            for i in 0..LANES {
                first[i] = below(words[0][i], n);
            }
            match law.second {
                Second::Same => *second = *first,
                // A single parent cannot differ from itself.
                Second::Distinct if n > 1 => {
                    for i in 0..LANES {
                        let other = below(words[1][i], n - 1);
                        second[i] = if other >= first[i] { other + 1 } else { other };
                    }
                }
                Second::Any | Second::Distinct => {
                    for i in 0..LANES {
                        second[i] = below(words[1][i], n);
                    }
                }
            }
            if let Some(drawn) = law.share {
                drawn.coefficient.values(&words[drawn.word], key, row, start, share);
                for value in share.iter_mut() {
                    *value += drawn.offset;
                }
            }
        });
    }

    /// Appends `count` points, [`LANES`] at a time: `fill` gets room for a block and the number of its first point.
    #[inline(always)]
    pub fn extend(
        &mut self,
        count: usize,
        mut fill: impl FnMut((&mut [u32; LANES], &mut [u32; LANES], &mut [f64; LANES]), usize),
    ) {
        for start in (0..count).step_by(LANES) {
            let (mut first, mut second, mut share) = ([0u32; LANES], [0u32; LANES], [0.0f64; LANES]);
            fill((&mut first, &mut second, &mut share), start);
            let used = LANES.min(count - start);
            self.first.extend_from_slice(&first[..used]);
            self.second.extend_from_slice(&second[..used]);
            self.share.extend_from_slice(&share[..used]);
        }
    }

    pub fn clear(&mut self) {
        self.first.clear();
        self.second.clear();
        self.share.clear();
    }
}

impl Points {
    /// First parents, second parents and shares of MoCHi's two kinds; other kinds are drawn all the same.
    fn of(&self, strategy: Strategy) -> Option<([&[u32]; 2], &[f64])> {
        match strategy {
            Strategy::Pairs { .. } => Some(([&self.pair_i, &self.pair_j], &self.alpha)),
            Strategy::QueryMixes { .. } => Some(([&self.mix_j, &self.mix_j], &self.beta)),
            _ => None,
        }
    }

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

impl Coefficient {
    /// The coefficients of a block of points from one word each; Beta draws words of its own.
    #[inline(always)]
    pub(crate) fn values(self, words: &[u32; LANES], key: DrawKey, row: usize, start: usize, out: &mut [f64; LANES]) {
        match self {
            Self::Uniform { high } => {
                for i in 0..LANES {
                    out[i] = high * unit(words[i]);
                }
            }
            Self::Fixed(value) => out.fill(value),
            Self::Beta { p } => {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = beta(p, key, row, start + i);
                }
            }
        }
    }
}

/// Beta(p, p) as X / (X + Y) of two Gamma(p, 1), from their logarithms: for a small p both are far below the smallest float64.
pub(crate) fn beta(p: f64, key: DrawKey, row: usize, point: usize) -> f64 {
    let [a, b, c] = key.counter(row);
    let mut attempt = 0;
    let mut gamma = || {
        log_gamma(p, || {
            attempt += 1;
            key.family(attempt).words([a, b, c, to_u32(point)])
        })
    };
    let (x, y) = (gamma(), gamma());
    1.0 / (1.0 + (y - x).exp())
}

/// The logarithm of Gamma(shape, 1) by Marsaglia and Tsang (2000); shapes below 1 by their boost `G(shape + 1) U^(1/shape)`.
fn log_gamma(shape: f64, mut words: impl FnMut() -> [u32; 4]) -> f64 {
    let boosted = if shape < 1.0 { shape + 1.0 } else { shape };
    let d = boosted - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let w = words();
        // Box-Muller on (0, 1]: the logarithm never sees 0.
        let normal = (-2.0 * (1.0 - unit(w[0])).ln()).sqrt() * (std::f64::consts::TAU * unit(w[1])).cos();
        let v = (1.0 + c * normal).powi(3);
        if v > 0.0 && (1.0 - unit(w[2])).ln() < 0.5 * normal * normal + d - d * v + d * v.ln() {
            let boost = if shape < 1.0 { (1.0 - unit(w[3])).ln() / shape } else { 0.0 };
            return (d * v).ln() + boost;
        }
    }
}

#[inline(always)]
pub(crate) fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "draws_tests.rs"]
mod tests;
