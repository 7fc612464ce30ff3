//! `[negatives]`: source of the negatives, filters and synthetic negatives (MoCHi, Kalantidis et al. 2020). With `pairs = 0` and
//! `query_mixes = 0` this is plain MoCo.

use mochi_contrast_core::{Filter, Strategy};

use crate::choice::NegativesFrom;
use crate::kind::Kind;
use crate::section::section;
use crate::selection::{Choices, Selection};

section! {
    /// Negatives: their source, filters, and synthetic hard negatives, written MoCHi (N, s, s') in the paper.
    Negatives, NegativesSettings, "negatives" {
        /// Source of the negatives: `queue`, `batch` (the keys of the batch's other images) or `both`.
        plain from: NegativesFrom = Kind::Choice(NegativesFrom::WORDS);
        /// v: mix the keys of the queue with each other, each dimension with a coefficient from Beta(v, v) (Feature Transformation; the
        /// paper's v is 1.6). 0 disables it.
        plain interpolate: f64 = Kind::Number { min: 0.0, max: 1000.0 };
        /// N: number of hard negatives per query, the candidates for mixing. auto: a sixteenth of the candidate keys, from 64 to 1024.
        auto hardest: usize = Kind::Integer { min: 0, max: 1 << 26 };
        /// s: synthetic negatives per query, each mixed from two of its N hardest keys. 0 disables pair mixing. auto: equal to `hardest`,
        /// but at most a sixteenth of the candidate keys.
        auto pairs: usize = Kind::Integer { min: 0, max: 1 << 20 };
        /// s': synthetic negatives per query, each mixed from the query and one of its N hardest keys. 0 disables query mixing. auto: an
        /// eighth of the automatic `pairs`.
        auto query_mixes: usize = Kind::Integer { min: 0, max: 1 << 20 };
        /// Synthesis warm-up: number of epochs at the start without synthetic negatives. auto: a twentieth of the epochs, but at
        /// least 1,000 steps and twice the steps that fill the queue, and at most a quarter of the epochs.
        auto warmup_epochs: f64 = Kind::Number { min: 0.0, max: 1e6 };
        /// More strategies that synthesize negatives from the same N hardest keys, each at most once, such as
        /// `[{ noise = { s = 64 } }, "weight"]`; a bare name has every argument at its default. SynCo (Giakoumoglou and Stathaki 2024)
        /// has `extrapolate`, `noise`, `perturb` and `adversarial`; its other two are `query_mixes` and `pairs`.
        plain extra: Vec<Selection<Strategy>> = Kind::Selections(Choices::Strategies);
        /// Filters that exclude keys from a query's negatives, each at most once, such as `["same-image", { margin = { m = 0.1 } }]`.
        plain filters: Vec<Selection<Filter>> = Kind::Selections(Choices::Filters);
    }
}

impl Negatives {
    /// Whether any negative is synthesized, repeated or weighted.
    pub fn synthesizes(&self) -> bool {
        self.pairs + self.query_mixes > 0 || !self.extra.is_empty()
    }
}
