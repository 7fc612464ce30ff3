//! `[model]`: backbone and projection head.

use crate::choice::{Arch, FirstFilters, Head, Stem};
use crate::kind::Kind;
use crate::section::section;

/// `model.init` of a backbone with random weights.
pub const NO_WEIGHTS: &str = "none";

section! {
    /// The encoder: backbone and projection head.
    Model, ModelSettings, "model" {
        /// Backbone: a torchvision ResNet (`resnet18` to `resnet101`), a CIFAR ResNet (`resnet20` to `resnet56`) or `patch-resnet`, wide and shallow
        /// for runs of minutes. auto: on a CPU `patch-resnet` for a `time` of up to 2 core-hours or `epochs` of up to 500,000 views, otherwise
        /// `resnet18`.
        auto arch: Arch = Kind::Choice(Arch::WORDS);
        /// First layers: `standard` (7x7 convolution of stride 2, max-pooling; for 224 pixels) or `cifar` (3x3 convolution of stride 1, no
        /// max-pooling; for 32 to 64 pixels). The convolution of `patch-resnet` is the same with both: `standard` pools after it, `cifar` does not.
        /// CIFAR ResNets have a stem of their own. auto: `cifar` for `patch-resnet` with views of up to 28 pixels, otherwise `standard`.
        auto stem: Stem = Kind::Choice(Stem::WORDS);
        /// Weights that the backbone starts from: a run folder, a weight file with torchvision's, MoCo's or detectron2's names (safetensors, PyTorch, NumPy
        /// pickle), or `none` for random weights. The projection head starts from random weights. `arch` and `stem` are then those of the weights, unless
        /// they are given. `--init` on the command line sets this key.
        plain init: String = Kind::Text;
        /// Initial filters of the first convolution: `random`, or `k-means` of whitened patches of the images. auto: `k-means` for `patch-resnet`,
        /// otherwise `random`. With `epochs=0` they stay random; with `init` they are those of the weights.
        auto first_filters: FirstFilters = Kind::Choice(FirstFilters::WORDS);
        /// Projection head: `mlp` (linear, ReLU, linear; MoCo v2), `linear` (MoCo v1) or `mlp-bn` (`mlp` with batch norm after both layers; SimCLR).
        plain head: Head = Kind::Choice(Head::WORDS);
        /// Dimension of the embedding.
        plain dim: usize = Kind::Integer { min: 2, max: 65_536 };
    }
}
