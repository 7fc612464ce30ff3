//! `[moco]`: the contrast itself (He et al. 2020; Chen et al. 2020).

use super::section;
use crate::calls::{Call, LOSS};
use crate::choice::{EncoderKind, Positive};
use crate::keys::{Kind, MANY};

section! {
    /// Momentum contrast: batch, queue, temperature.
    Moco, MocoSettings, "moco" {
        /// Images a step. Auto: 256, less where the data set would give fewer than 50 steps an epoch or the memory
        /// would not hold it, not under 32.
        auto batch: usize = Kind::Integer { min: 2, max: 1 << 20 };
        /// Keys kept as negatives, K. Auto: the largest power of two that is at most a quarter of the keys of an
        /// epoch, from 256 to 65536.
        auto queue: usize = Kind::Integer { min: 1, max: 1 << 26 };
        /// Who makes the keys: `momentum`, the moving average of the query encoder (MoCo); `shared`, the query encoder
        /// itself, with the gradient into both views (SimCLR, SupCon, NNCLR; needs `negatives.from = "batch"`).
        plain encoder: EncoderKind = Kind::Choice(EncoderKind::WORDS);
        /// What a query is drawn towards: `key`; `nearest`, the key's nearest neighbour in the queue (NNCLR); `label`,
        /// all embeddings of its class in the batch (SupCon; the data set must have classes).
        plain positive: Positive = Kind::Choice(Positive::WORDS);
        /// Push positives apart as Feature Transformation does, by 1 + Beta(v, v) a step. 0: not; the paper's v is 2.
        plain extrapolate: f64 = Kind::Number { min: 0.0, max: 1000.0 };
        /// m of the key encoder's moving average, `k = m k + (1 - m) q`.
        plain momentum: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Temperature t that similarities are divided by.
        plain temperature: f64 = Kind::Positive { max: 100.0 };
        /// How positive and negatives make a loss: InfoNCE; `decoupled`, the positive left out of the denominator (Yeh
        /// et al. 2022); `debiased`, corrected for a share c of false negatives (Chuang et al. 2020); `hcl`, that with
        /// hard negatives weighing more (Robinson et al. 2021).
        plain loss: Call = Kind::Call(LOSS);
        /// Use each view once as query and once as key (twice the work a step, better for the same epochs).
        plain symmetric: bool = Kind::Switch;
        /// Groups of the batch that batch-norm takes its statistics from, against the leak that shuffle-BN exists
        /// for. 1: the whole batch. Auto: at most 8 groups of at least 16 images.
        auto bn_groups: usize = Kind::Integer { min: 1, max: MANY };
    }
}
