//! MoCHi (N, s, s') and its options (sections 3.2 and 3.3), and the strategies that may stand beside its two: how many points a query
//! gets, of which kinds.

use crate::ContrastError;
use crate::draws::Coefficient;
use crate::points::{Extra, Strategy};

/// MoCHi (N, s, s') and its options.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Synthesis {
    /// N: how many of the hardest columns may be parents.
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

/// A further strategy, drawing from the same N hardest columns. Each kind may be named once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Term {
    /// `normalize(n + (b - 1)(n - q))`, b ~ U(1, max): [`crate::points::extrapolation`].
    Extrapolate {
        /// Points per query.
        s: usize,
        /// Upper end of b.
        max: f64,
    },
    /// `normalize(n + N(0, sigma²))`: [`crate::points::noise`].
    Noise {
        /// Points per query.
        s: usize,
        /// Standard deviation in each dimension.
        sigma: f64,
    },
    /// `normalize(n + delta q)`: [`crate::points::perturbation`].
    Perturb {
        /// Points per query.
        s: usize,
        /// Length of the step towards the query.
        delta: f64,
    },
    /// `normalize(n + eta sign(q))`: [`crate::points::adversarial`].
    Adversarial {
        /// Points per query.
        s: usize,
        /// Length of the step in each dimension.
        eta: f64,
    },
    /// Copies of hardest negatives, unmixed: [`crate::points::repeated`].
    Repeat {
        /// Points per query.
        s: usize,
    },
    /// The N hardest weigh 1 + w times: [`crate::points::weighted`].
    Weight {
        /// What is added to each one's weight.
        w: f64,
    },
}

/// Points of one strategy: which, and how many a query gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Block {
    pub strategy: Strategy,
    pub count: usize,
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

    /// The two blocks of the paper, the further ones after them; empty blocks are left out.
    pub(crate) fn blocks(&self, also: &[Term]) -> Vec<Block> {
        let pairs = Strategy::Pairs { alpha: self.alpha, distinct: self.distinct };
        let mixes = Strategy::QueryMixes { beta: self.beta, inner: self.query_gradient };
        let own = [Block { strategy: pairs, count: self.pairs }, Block { strategy: mixes, count: self.query_mixes }];
        let further = also.iter().map(|term| term.block(self.hardest));
        own.into_iter().chain(further).filter(|block| block.count > 0).collect()
    }
}

impl Term {
    fn block(self, hardest: usize) -> Block {
        let (strategy, count) = match self {
            Self::Extrapolate { s, max } => (Strategy::Extrapolate { max }, s),
            Self::Noise { s, sigma } => (Strategy::Shift(Extra::Noise { sigma }), s),
            Self::Perturb { s, delta } => (Strategy::Perturb { delta }, s),
            Self::Adversarial { s, eta } => (Strategy::Shift(Extra::Sign { eta }), s),
            Self::Repeat { s } => (Strategy::Repeat, s),
            Self::Weight { w } => (Strategy::Weight { w }, if w > 0.0 { hardest } else { 0 }),
        };
        Block { strategy, count }
    }

    /// The word in a configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Extrapolate { .. } => "extrapolate",
            Self::Noise { .. } => "noise",
            Self::Perturb { .. } => "perturb",
            Self::Adversarial { .. } => "adversarial",
            Self::Repeat { .. } => "repeat",
            Self::Weight { .. } => "weight",
        }
    }

    /// What the term adds to a query's negatives, counted with their weights.
    pub(crate) fn mass(&self, hardest: usize) -> f64 {
        let block = self.block(hardest);
        block.count as f64 * block.strategy.omega()
    }

    pub(crate) fn check(&self, hardest: usize) -> Result<(), ContrastError> {
        let (value, good, expected) = match *self {
            Self::Extrapolate { max, .. } => (max, max >= 1.0 && max.is_finite(), "extrapolate's max is at least 1"),
            Self::Noise { sigma: v, .. } | Self::Perturb { delta: v, .. } | Self::Adversarial { eta: v, .. } => {
                (v, v >= 0.0 && v.is_finite(), "a step's length is a number from 0")
            }
            Self::Weight { w } => (w, w >= 0.0 && w.is_finite(), "a weight is a number from 0"),
            Self::Repeat { .. } => (0.0, true, ""),
        };
        if !good {
            return Err(ContrastError::Option { option: "negatives.extra", value: value.to_string(), expected });
        }
        if hardest == 0 && self.block(1).count > 0 {
            let expected = "the strategies of negatives.extra need at least 1";
            return Err(ContrastError::Option { option: "negatives.hardest", value: "0".into(), expected });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let bad = [
            Term::Extrapolate { s: 1, max: 0.9 },
            Term::Noise { s: 1, sigma: -0.1 },
            Term::Perturb { s: 1, delta: f64::NAN },
            Term::Adversarial { s: 1, eta: f64::INFINITY },
            Term::Weight { w: -1.0 },
        ];
        for term in bad {
            assert!(matches!(term.check(4), Err(ContrastError::Option { option: "negatives.extra", .. })), "{term:?}");
        }
        assert!(matches!(
            Term::Repeat { s: 2 }.check(0),
            Err(ContrastError::Option { option: "negatives.hardest", .. })
        ));
        assert!(Term::Repeat { s: 0 }.check(0).is_ok());
    }
}
