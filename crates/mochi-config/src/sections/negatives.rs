//! `[negatives]`: source of the negatives, filters and synthetic negatives (MoCHi, Kalantidis et al. 2020). With `pairs = 0` and
//! `query_mixes = 0` this is plain MoCo.

use crate::calls::{Call, EXTRA, FILTERS};
use crate::choice::{Alpha, Beta, NegativesFrom};
use crate::kind::Kind;
use crate::section::section;

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
        /// s: synthetic negatives per query, each mixed from two of its N hardest keys. 0 disables pair mixing. auto: equal to `hardest`.
        auto pairs: usize = Kind::Integer { min: 0, max: 1 << 20 };
        /// s': synthetic negatives per query, each mixed from the query and one of its N hardest keys. 0 disables query mixing. auto: an
        /// eighth of `hardest`.
        auto query_mixes: usize = Kind::Integer { min: 0, max: 1 << 20 };
        /// Synthesis warm-up: number of epochs at the start without synthetic negatives. auto: a twentieth of the epochs, rounded down.
        auto warmup_epochs: u32 = Kind::Integer { min: 0, max: 1_000_000 };
        /// Distribution of the mixing coefficient of a pair: `uniform` on (0, 1), `beta` for Beta(v, v) or `fixed`, with v or the fixed
        /// coefficient in `alpha_value`.
        plain alpha: Alpha = Kind::Choice(Alpha::WORDS);
        /// v of Beta(v, v), or the fixed coefficient, for `alpha`.
        plain alpha_value: f64 = Kind::Positive { max: 1000.0 };
        /// Distribution of the query's mixing coefficient: `uniform` on (0, `beta_max`) or `fixed` at `beta_max`.
        plain beta: Beta = Kind::Choice(Beta::WORDS);
        /// Largest mixing coefficient of the query in a query mix.
        plain beta_max: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Never mix a key with itself. The paper does not exclude it.
        plain distinct: bool = Kind::Switch;
        /// Let the gradient pass through the query inside a query mix. In the paper synthetic negatives are constants.
        plain query_gradient: bool = Kind::Switch;
        /// More strategies that synthesize negatives from the same N hardest keys, s per query each: SynCo's `extrapolate`, `noise`,
        /// `perturb` and `adversarial` (Giakoumoglou and Stathaki 2024; its other two are `query_mixes` and `pairs`), and two controls
        /// without mixing: `repeat` adds copies, `weight` counts each of the N hardest 1 + w times. Each at most once.
        plain extra: Vec<Call> = Kind::Calls(EXTRA);
        /// Filters that exclude keys from a query's negatives: `same-image`; `class-oracle` (same class; requires labels); `margin` (keys
        /// with q·n > q·k - m); `percentage` (keys with q·n > p q·k); `ring` (keeps only keys ranked between two fractions, hardest first).
        plain filters: Vec<Call> = Kind::Calls(FILTERS);
    }
}

impl Negatives {
    /// Whether any negative is synthesized, repeated or weighted.
    pub fn synthesizes(&self) -> bool {
        self.pairs + self.query_mixes > 0 || !self.extra.is_empty()
    }
}
