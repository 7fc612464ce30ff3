//! `[moco]`: batch, queue, key encoder, positives and loss (He et al. 2020; Chen et al. 2020).

use mochi_contrast_core::LossVariant;

use crate::choice::{EncoderKind, Positive};
use crate::kind::{Kind, MANY};
use crate::section::section;
use crate::selection::{Choices, Selection};

section! {
    /// Batch, queue, key encoder, positives and loss.
    Moco, MocoSettings, "moco" {
        /// Images per step. auto: 256, or about 512 views with more than two views of each image, halved while a step needs more than half of the device's memory, but at least 32 and at most the number of images.
        auto batch: usize = Kind::Integer { min: 2, max: 1 << 20 };
        /// K: number of keys in the queue. auto: the largest power of two that is at most a quarter of the keys produced per epoch, from 256
        /// to 65536, but at least the keys of one step and at most those of one epoch.
        auto queue: usize = Kind::Integer { min: 1, max: 1 << 26 };
        /// Encoder of the keys: `momentum`, the moving average of the query encoder (MoCo); `shared`, the query encoder itself, with the
        /// gradient through both views (SimCLR, SupCon, NNCLR; requires `negatives.from = "batch"`).
        plain encoder: EncoderKind = Kind::Choice(EncoderKind::WORDS);
        /// Positive for each query: `key`; `nearest`, the key's nearest neighbor in the queue (NNCLR); `label`, all embeddings of the same
        /// class in the batch (SupCon; requires labels).
        plain positive: Positive = Kind::Choice(Positive::WORDS);
        /// v: extrapolate each positive by a factor of 1 + Beta(v, v), drawn once per step (Feature Transformation; the paper's v is 2). 0
        /// disables it.
        plain extrapolate: f64 = Kind::Number { min: 0.0, max: 1000.0 };
        /// m: momentum of the key encoder, `k = m k + (1 - m) q`. auto: 1 - `batch` / (4 `queue`), at least 0.99, so that a key changes little while it
        /// is in the queue.
        auto momentum: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// t: temperature that similarities are divided by.
        plain temperature: f64 = Kind::Positive { max: 100.0 };
        /// Loss variant, such as `"decoupled"` or `{ hcl = { beta = 0.5 } }`; a bare name has every argument at its default.
        plain loss: Selection<LossVariant> = Kind::Selection(Choices::Losses);
        /// Use each view once as query and once as key: two losses per step, at twice the cost. The gradient is the sum of both, so it is
        /// twice as large at the same learning rate; the reported loss is their mean.
        plain symmetric: bool = Kind::Switch;
        /// Number of batch-norm groups. Statistics are computed per group and keys are shuffled across groups, the single-device form of
        /// MoCo's shuffle-BN. 1 disables it. With several processes it is the number over all of them: 1 synchronizes statistics over all
        /// processes, otherwise each has an equal share of the groups. auto: the largest number up to 8 that divides the batch into groups of at
        /// least 16 images.
        auto bn_groups: usize = Kind::Integer { min: 1, max: MANY };
    }
}
