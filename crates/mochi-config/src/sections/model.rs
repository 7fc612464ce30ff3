//! `[model]`: backbone and head.

use super::section;
use crate::choice::{Arch, Head, Stem};
use crate::keys::Kind;

section! {
    /// The encoder: backbone and projection head.
    Model, ModelSettings, "model" {
        /// The backbone. `resnet20` to `resnet56` are the CIFAR family and have their own 3x3 stem.
        plain arch: Arch = Kind::Choice(Arch::WORDS);
        /// First layers of `resnet18` to `resnet101`: `standard` for 224 pixels, `cifar` (3x3, no max-pool) for 32 to 64.
        plain stem: Stem = Kind::Choice(Stem::WORDS);
        /// The projection head: `mlp` (MoCo v2) or `linear` (MoCo v1).
        plain head: Head = Kind::Choice(Head::WORDS);
        /// Dimension of the embedding.
        plain dim: usize = Kind::Integer { min: 2, max: 65_536 };
    }
}
