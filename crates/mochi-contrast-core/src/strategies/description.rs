//! The description of a strategy with its values: all that the compute paths know of it.

use std::sync::Arc;

use mochi_random::{Beta, unit};

use super::common_form::{Coefficients, Synthetic};
use crate::CoreError;
use crate::spec::{Argument, Range};

/// A strategy with its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Strategy {
    /// Name in a configuration.
    pub name: &'static str,
    /// Purpose of its draws: a number below 128 that no other strategy has. Two strategies of one purpose would draw the same parents.
    pub purpose: u8,
    /// Which hard negatives are parents.
    pub sampling: Sampling,
    /// c_q.
    pub query: Linear,
    /// c_i.
    pub first: Linear,
    /// c_j; used only where there is a second parent.
    pub second: Linear,
    /// e.
    pub extra: Option<Extra>,
    /// How many times a synthetic negative counts in the sums over negatives.
    pub weight: f64,
    /// Whether the gradient passes through the query inside a synthetic negative. In MoCHi synthetic negatives are constants.
    pub query_gradient: bool,
}

/// Which hard negatives are parents.
#[derive(Debug, Clone, PartialEq)]
pub enum Sampling {
    /// Parents and coefficient are drawn for each synthetic negative: the first parent is [`mochi_random::below`] of word 0, the second, where
    /// there is one, of word 1, the coefficient of the next word.
    Random {
        /// Synthetic negatives per query.
        count: usize,
        /// The second parent.
        second: SecondParent,
        /// Distribution of the coefficient, where there is one.
        coefficient: Option<Coefficient>,
    },
    /// Each of the N hard negatives is the only parent of one synthetic negative.
    Each,
}

/// How a second parent is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondParent {
    /// There is none.
    None,
    /// Like the first: it may be the same.
    Any,
    /// Among the hard negatives other than the first; where there is only one, it is that one again.
    Distinct,
}

/// The distribution of a coefficient: `low + (high - low) x`, x ~ U(0, 1) or Beta(p, p). Equal ends give a constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficient {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Distribution between the ends; uniform where there is none.
    pub beta: Option<Arc<Beta>>,
}

impl Coefficient {
    /// U(low, high).
    pub fn uniform(low: f64, high: f64) -> Self {
        Self { low, high, beta: None }
    }

    /// Beta(p, p) on (low, high); p = 1 is U(low, high).
    pub fn beta(low: f64, high: f64, p: f64) -> Self {
        Self { low, high, beta: (p != 1.0).then(|| Arc::new(Beta::symmetric(p))) }
    }

    /// The coefficient of a random word.
    #[inline(always)]
    pub fn draw(&self, word: u32) -> f64 {
        let x = match &self.beta {
            Some(beta) => beta.draw(word),
            None => unit(word),
        };
        self.scale(x)
    }

    /// The coefficient of a sample in (0, 1) of its distribution.
    #[inline(always)]
    pub(crate) fn scale(&self, x: f64) -> f64 {
        self.low + (self.high - self.low) * x
    }
}

/// A linear function of the coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Linear {
    /// Value at 0.
    pub constant: f64,
    /// Slope.
    pub slope: f64,
}

/// The extra vector e.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Extra {
    /// N(0, length²) in each dimension, drawn for each synthetic negative.
    Normal {
        /// Standard deviation.
        length: f64,
    },
    /// `length sign(q)`, shared by the row.
    SignOfQuery {
        /// Length in each dimension.
        length: f64,
    },
}

impl Linear {
    /// Always 0.
    pub const ZERO: Self = Self::constant(0.0);
    /// Always 1.
    pub const ONE: Self = Self::constant(1.0);
    /// The coefficient itself.
    pub const COEFFICIENT: Self = Self { constant: 0.0, slope: 1.0 };
    /// One minus the coefficient.
    pub const COMPLEMENT: Self = Self { constant: 1.0, slope: -1.0 };

    /// The same for every coefficient.
    pub const fn constant(constant: f64) -> Self {
        Self { constant, slope: 0.0 }
    }

    /// The value at a coefficient.
    #[inline(always)]
    pub fn at(self, coefficient: f64) -> f64 {
        self.constant + self.slope * coefficient
    }
}

impl Extra {
    /// What the drawn or shared vector is multiplied by.
    pub fn length(self) -> f64 {
        match self {
            Self::Normal { length } | Self::SignOfQuery { length } => length,
        }
    }
}

impl Strategy {
    /// A strategy whose synthetic negatives are copies of one drawn parent: what the others are described as changes of.
    pub fn copies(name: &'static str, purpose: u8, count: usize) -> Self {
        Self {
            name,
            purpose,
            sampling: Sampling::Random { count, second: SecondParent::None, coefficient: None },
            query: Linear::ZERO,
            first: Linear::ONE,
            second: Linear::ZERO,
            extra: None,
            weight: 1.0,
            query_gradient: false,
        }
    }

    /// Synthetic negatives of a query with `hard` hard negatives.
    pub fn count(&self, hard: usize) -> usize {
        match self.sampling {
            Sampling::Random { count, .. } => count,
            Sampling::Each => hard,
        }
    }

    /// Whether there is anything to compute where N is `hard`.
    pub fn is_active(&self, hard: usize) -> bool {
        self.count(hard) > 0 && self.weight > 0.0
    }

    /// Whether a synthetic negative has a second parent.
    #[inline(always)]
    pub fn has_two_parents(&self) -> bool {
        matches!(self.sampling, Sampling::Random { second: SecondParent::Any | SecondParent::Distinct, .. })
    }

    /// Whether the query is part of a synthetic negative.
    pub fn has_query(&self) -> bool {
        self.query != Linear::ZERO
    }

    /// The coefficients of the common form.
    #[inline(always)]
    pub fn coefficients(&self, coefficient: f64) -> Coefficients {
        Coefficients {
            query: self.query.at(coefficient),
            first: self.first.at(coefficient),
            second: self.second.at(coefficient),
        }
    }

    /// The synthetic negative with its gradient coefficients, [`Strategy::query_gradient`] included: with h = v / r,
    /// `d(q·h)/dq = h + (c_q / r)(q - (q·h) h)`.
    #[inline(always)]
    pub fn with_query_gradient(&self, synthetic: Synthetic) -> Synthetic {
        if !self.query_gradient {
            return synthetic;
        }
        let own = 1.0 - synthetic.query * synthetic.cosine;
        Synthetic {
            query: synthetic.query * (1.0 + own),
            first: synthetic.first * own,
            second: synthetic.second * own,
            ..synthetic
        }
    }

    /// Refuses values that are not finite, negative weights, and an extra vector next to two parents or to the query.
    pub(crate) fn check(&self) -> Result<(), CoreError> {
        let range = match &self.sampling {
            Sampling::Random { coefficient: Some(coefficient), .. } => [coefficient.low, coefficient.high],
            _ => [0.0; 2],
        };
        let length = self.extra.map_or(0.0, Extra::length);
        let linear = [self.query, self.first, self.second].map(|l| l.constant + l.slope);
        if !range.iter().chain(&linear).chain([&length]).all(|value| value.is_finite()) || range[0] > range[1] {
            return Err(CoreError::Value {
                what: format!("strategy {}", self.name),
                value: format!("{self:?}"),
                expected: "finite values in ascending ranges",
            });
        }
        if !(self.weight >= 0.0 && self.weight.is_finite()) {
            return Err(CoreError::Value {
                what: format!("the weight of strategy {}", self.name),
                value: self.weight.to_string(),
                expected: "a number from 0",
            });
        }
        if self.extra.is_some() && (self.has_two_parents() || self.has_query()) {
            return Err(CoreError::Value {
                what: format!("the extra vector of strategy {}", self.name),
                value: "next to the query or a second parent".into(),
                expected: "one parent only",
            });
        }
        Ok(())
    }
}

/// An argument that is 0 or 1.
pub(super) const fn switch(name: &'static str, doc: &'static str) -> Argument {
    Argument { name, range: Range::Integer { min: 0, max: 1 }, default: 0.0, doc }
}

/// Argument `p`: of Beta(p, p).
pub(super) const BETA: Argument = Argument {
    name: "p",
    range: Range::Number { min: 0.001, max: 1000.0 },
    default: 1.0,
    doc: "The coefficient is drawn from Beta(p, p) on (low, high); 1 is uniform.",
};

/// An end of the coefficient's range.
pub(super) const fn end(name: &'static str, default: f64, doc: &'static str) -> Argument {
    Argument { name, range: Range::Number { min: 0.0, max: 1.0 }, default, doc }
}

/// Argument `s`: synthetic negatives per query.
pub(super) const fn count(default: u32) -> Argument {
    Argument {
        name: "s",
        range: Range::Integer { min: 0, max: 1 << 20 },
        default: default as f64,
        doc: "Synthetic negatives per query.",
    }
}

/// An argument that is a length, from 0 to 100.
pub(super) const fn length(name: &'static str, default: f64, doc: &'static str) -> Argument {
    Argument { name, range: Range::Number { min: 0.0, max: 100.0 }, default, doc }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_are_uniform_or_beta_between_their_ends() {
        let uniform = Coefficient::beta(0.2, 0.6, 1.0);
        assert_eq!(uniform, Coefficient::uniform(0.2, 0.6));
        assert!((uniform.draw(1 << 31) - 0.4).abs() < 1e-9);
        let narrow = Coefficient::beta(0.2, 0.6, 1000.0);
        assert!((narrow.draw(1 << 30) - 0.4).abs() < 0.01 && narrow.draw(1 << 30) < 0.4);
        assert_eq!(Coefficient::beta(0.5, 0.5, 3.0).draw(77), 0.5);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let good = Strategy::copies("toy", 99, 4);
        let bad = [
            Strategy { weight: -1.0, ..good.clone() },
            Strategy { weight: f64::NAN, ..good.clone() },
            Strategy { query: Linear::constant(f64::INFINITY), ..good.clone() },
            Strategy { extra: Some(Extra::Normal { length: f64::NAN }), ..good.clone() },
            Strategy { extra: Some(Extra::Normal { length: 1.0 }), query: Linear::ONE, ..good.clone() },
        ];
        assert!(good.check().is_ok());
        for strategy in bad {
            let error = strategy.check().unwrap_err().to_string();
            assert!(error.contains("strategy toy"), "{error}");
        }
    }
}
