//! The description of a loss: temperature, synthetic negatives, negative filters, loss variant.

use crate::strategies::{pair_mixing, query_mixing};
use crate::{CoreError, Filter, LossVariant, Strategy};

/// The description of a loss. [`Objective::plain`] is MoCo's, [`Objective::mochi`] the paper's.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// Temperature t, by which cosines are divided.
    pub temperature: f64,
    /// N: number of a query's hardest negatives that can be parents of synthetic negatives.
    pub hard_negatives: usize,
    /// Strategies of synthetic negatives, in the order of their logits.
    pub strategies: Vec<Strategy>,
    /// Keys that are excluded from a query's negatives.
    pub filters: Vec<Filter>,
    /// Loss variant.
    pub loss: LossVariant,
}

impl Objective {
    /// InfoNCE over the candidate keys alone (MoCo).
    pub fn plain(temperature: f64) -> Self {
        Self {
            temperature,
            hard_negatives: 0,
            strategies: Vec::new(),
            filters: Vec::new(),
            loss: LossVariant::INFO_NCE,
        }
    }

    /// InfoNCE with MoCHi (N, s, s'): s pair mixes and s' query mixes of the N hard negatives.
    pub fn mochi(temperature: f64, hard_negatives: usize, pairs: usize, query_mixes: usize) -> Self {
        let strategies = vec![pair_mixing::strategy(pairs), query_mixing::strategy(query_mixes)];
        Self { hard_negatives, strategies, ..Self::plain(temperature) }
    }

    /// The same without synthetic negatives, for warm-up epochs. Filters and loss variant are kept.
    pub fn without_synthesis(&self) -> Self {
        Self { strategies: Vec::new(), ..self.clone() }
    }

    /// The strategies with at least one synthetic negative.
    pub fn active_strategies(&self) -> impl Iterator<Item = &Strategy> {
        self.strategies.iter().filter(|strategy| strategy.is_active(self.hard_negatives))
    }

    /// Whether a query gets any synthetic negative.
    pub fn has_synthesis(&self) -> bool {
        self.active_strategies().next().is_some()
    }

    /// The loss of an encoder that maps every image to one embedding, for a query with `valid` negatives among the candidate keys; 0 if
    /// there are none, because such a query has no loss.
    pub fn chance_level(&self, valid: usize) -> f64 {
        if valid == 0 {
            return 0.0;
        }
        let hard = self.hard_negatives.min(valid);
        let synthetic: f64 =
            self.active_strategies().map(|strategy| strategy.weight * strategy.count(hard) as f64).sum();
        self.loss.chance_level(valid as f64 + synthetic)
    }

    /// The smallest number of hard negatives of a query, if filters leave a query fewer than N.
    pub fn fewer_hard_negatives(&self, fewest: usize) -> Option<usize> {
        (self.has_synthesis() && fewest < self.hard_negatives).then_some(fewest)
    }

    /// Refuses values out of range, synthetic negatives without hard negatives, and two strategies that would draw the same parents.
    ///
    /// # Errors
    /// [`CoreError::Value`] naming the value.
    pub fn check(&self) -> Result<(), CoreError> {
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(CoreError::Value {
                what: "the temperature".into(),
                value: self.temperature.to_string(),
                expected: "a number above 0",
            });
        }
        for (at, strategy) in self.strategies.iter().enumerate() {
            strategy.check()?;
            // A strategy without synthetic negatives draws nothing: `negatives.pairs = 0` leaves the place to `pair-mixing` with other options.
            let draws = |other: &Strategy| other.is_active(1) && other.purpose == strategy.purpose;
            if strategy.is_active(1) && self.strategies[..at].iter().any(draws) {
                return Err(CoreError::Value {
                    what: format!("strategy {}", strategy.name),
                    value: "given twice".into(),
                    expected: "each strategy at most once",
                });
            }
            if self.hard_negatives == 0 && strategy.is_active(1) {
                return Err(CoreError::Value {
                    what: "the number of hard negatives".into(),
                    value: "0".into(),
                    expected: "at least 1 for synthetic negatives",
                });
            }
        }
        self.filters.iter().try_for_each(Filter::check)?;
        self.loss.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::{noise, repeated, weighted};

    #[test]
    fn values_out_of_range_are_named() {
        let good = Objective::mochi(0.2, 4, 2, 2);
        good.check().unwrap();
        let repeat = repeated::SPEC.defaults().build();
        let bad = [
            (Objective { hard_negatives: 0, ..good.clone() }, "hard negatives is 0"),
            (Objective { temperature: 0.0, ..good.clone() }, "temperature is 0"),
            (Objective { temperature: f64::NAN, ..good.clone() }, "temperature is NaN"),
            (Objective { strategies: vec![repeat.clone(), repeat], ..good.clone() }, "strategy repeat is given twice"),
        ];
        for (objective, wanted) in bad {
            let error = objective.check().unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        assert!(Objective::mochi(0.2, 0, 0, 0).check().is_ok());
        let mut options = Objective::mochi(0.2, 4, 0, 2);
        options.strategies.push(pair_mixing::SPEC.defaults().build());
        options.check().unwrap();
    }

    #[test]
    fn chance_level_counts_what_is_there() {
        let strategies = vec![noise::SPEC.defaults().build(), weighted::SPEC.configure([("w", 0.5)]).unwrap().build()];
        let objective = Objective { strategies, hard_negatives: 10, ..Objective::plain(0.2) };
        assert_eq!(objective.chance_level(100), (1.0f64 + 100.0 + 64.0 + 5.0).ln());
        assert_eq!(objective.chance_level(4), (1.0f64 + 4.0 + 64.0 + 2.0).ln());
        assert_eq!(objective.chance_level(0), 0.0);
        assert_eq!(objective.without_synthesis().chance_level(100), 101.0f64.ln());
    }
}
