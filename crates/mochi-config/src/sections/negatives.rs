//! `[negatives]`: MoCHi's hard negative mixing (Kalantidis et al. 2020). `pairs = 0` and `query_mixes = 0` is plain MoCo.

use super::section;
use crate::calls::{ALSO, Call, GUARDS};
use crate::choice::{Alpha, Beta, NegativesFrom};
use crate::keys::Kind;

section! {
    /// Synthetic hard negatives, written MoCHi (N, s, s') in the paper.
    Negatives, NegativesSettings, "negatives" {
        /// Where negatives come from: `queue`, `batch` (the keys of the batch's other images) or `both`.
        plain from: NegativesFrom = Kind::Choice(NegativesFrom::WORDS);
        /// Mix the queue's keys with each other as Feature Transformation does, each dimension by a share from
        /// Beta(v, v). 0: not; the paper's v is 1.6.
        plain interpolate: f64 = Kind::Number { min: 0.0, max: 1000.0 };
        /// N: how many of the queue's hardest keys are mixed, for each query its own. Auto: a sixteenth of the queue,
        /// from 64 to 1024.
        auto hardest: usize = Kind::Integer { min: 0, max: 1 << 26 };
        /// s: points a query mixed from two of the N. 0 turns pair mixing off. Auto: as many as `hardest`.
        auto pairs: usize = Kind::Integer { min: 0, max: 1 << 20 };
        /// s': points a query mixed from the query and one of the N. 0 turns query mixing off. Auto: an eighth of
        /// `hardest`.
        auto query_mixes: usize = Kind::Integer { min: 0, max: 1 << 20 };
        /// Epochs at the start without synthesis. 0: synthesis from the first step. Auto: a twentieth of the epochs.
        auto warmup_epochs: u32 = Kind::Integer { min: 0, max: 1_000_000 };
        /// Law of the pair's mixing coefficient: `uniform` on (0, 1), `beta` or `fixed` with `alpha_value`.
        plain alpha: Alpha = Kind::Choice(Alpha::WORDS);
        /// v of Beta(v, v), or the fixed coefficient.
        plain alpha_value: f64 = Kind::Positive { max: 1000.0 };
        /// Law of the query's share: `uniform` on (0, `beta_max`), or `fixed` at `beta_max`.
        plain beta: Beta = Kind::Choice(Beta::WORDS);
        /// Largest share of the query in a query mix.
        plain beta_max: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Never mix a key with itself.
        plain distinct: bool = Kind::Switch;
        /// Let the gradient pass through the query inside a query mix (the paper does not).
        plain query_gradient: bool = Kind::Switch;
        /// Further points from the same N, s a query: SynCo's `extrapolate`, `noise`, `perturb`, `adversarial`
        /// (Giakoumoglou and Stathaki 2024; its other two are `query_mixes` and `pairs`), and two controls without
        /// mixing: `repeat` draws copies, `weight` lets each of the N count 1 + w times. Each at most once.
        plain extra: Vec<Call> = Kind::Calls(ALSO);
        /// Keys of the queue that are no negatives of a query: of the `same-image`; of its class (`class-oracle`,
        /// needs labels); nearer than the positive less a `margin`; nearer than a `percentage` of it; or all but a
        /// `ring`, the keys between two shares of the order from the hardest on.
        plain filters: Vec<Call> = Kind::Calls(GUARDS);
    }
}

impl Negatives {
    /// Whether any negative is synthesised, repeated or weighted.
    pub fn synthesises(&self) -> bool {
        self.pairs + self.query_mixes > 0 || !self.extra.is_empty()
    }
}
