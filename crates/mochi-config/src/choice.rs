//! Settings that are one word of a fixed list, each as an enum whose words are exactly those of the TOML file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that is none of a choice's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is none of {}", words.join(", "))]
pub struct UnknownChoice {
    /// What was given.
    pub word: String,
    /// What there is.
    pub words: &'static [&'static str],
}

macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// Every word of this choice, as written in a settings file.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word as written in a settings file.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownChoice;

            fn from_str(word: &str) -> Result<Self, UnknownChoice> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err(UnknownChoice { word: word.to_owned(), words: Self::WORDS }),
                }
            }
        }
    };
}

choice! {
    /// How views are drawn from an image: the names of `mochi_data::Recipe`'s presets that suit pre-training.
    Augment {
        /// MoCo v1: crop, grayscale, colour jitter always, flip.
        MocoV1 = "moco-v1",
        /// MoCo v2: crop, jitter, grayscale, blur, flip.
        MocoV2 = "moco-v2",
        /// InfoMin (PyContrast): stronger jitter, RandAugment.
        Infomin = "infomin",
        /// SimCLR.
        Simclr = "simclr",
        /// MoCo's CIFAR demo: no blur.
        Cifar = "cifar",
        /// Grayscale images of a few dozen pixels, such as Fashion-MNIST.
        Gray = "gray",
    }
}

choice! {
    /// The backbone. `resnet20` to `resnet56` are the CIFAR family (3x3 stem, 16-32-64 channels).
    Arch {
        /// ResNet-18, basic blocks, 512 features.
        Resnet18 = "resnet18",
        /// ResNet-34, basic blocks, 512 features.
        Resnet34 = "resnet34",
        /// ResNet-50, bottlenecks, 2048 features.
        Resnet50 = "resnet50",
        /// ResNet-101, bottlenecks, 2048 features.
        Resnet101 = "resnet101",
        /// CIFAR ResNet-20, 64 features.
        Resnet20 = "resnet20",
        /// CIFAR ResNet-32, 64 features.
        Resnet32 = "resnet32",
        /// CIFAR ResNet-44, 64 features.
        Resnet44 = "resnet44",
        /// CIFAR ResNet-56, 64 features.
        Resnet56 = "resnet56",
    }
}

impl Arch {
    /// Whether this is one of the CIFAR family, which has its own 3x3 stem whatever `model.stem` says.
    pub const fn is_cifar_family(self) -> bool {
        matches!(self, Arch::Resnet20 | Arch::Resnet32 | Arch::Resnet44 | Arch::Resnet56)
    }
}

choice! {
    /// The first layers of ResNet-18 to -101.
    Stem {
        /// 7x7 convolution of stride 2 and a max-pool of stride 2: for 224 pixels.
        Standard = "standard",
        /// 3x3 convolution of stride 1, no max-pool: for 32 to 64 pixels.
        Cifar = "cifar",
    }
}

choice! {
    /// The projection head between features and embedding.
    Head {
        /// Linear - ReLU - linear (MoCo v2).
        Mlp = "mlp",
        /// One linear layer (MoCo v1).
        Linear = "linear",
    }
}

choice! {
    /// Where keys come from.
    EncoderKind {
        /// f_k, the moving average of f_q (MoCo).
        Momentum = "momentum",
        /// f_q itself, both views learning (SimCLR).
        Shared = "shared",
    }
}

choice! {
    /// What a query is drawn towards.
    Positive {
        /// The key of the same image.
        Key = "key",
        /// The nearest neighbour of that key among the queue's keys (NNCLR).
        Nearest = "nearest",
        /// Every embedding of the same class (SupCon).
        Label = "label",
    }
}

choice! {
    /// Where negatives come from.
    NegativesFrom {
        /// Keys of past steps (MoCo).
        Queue = "queue",
        /// The other images of the batch.
        Batch = "batch",
        /// The other images' keys and the queue.
        Both = "both",
    }
}

choice! {
    /// Baselines that mix pixels.
    ImageMix {
        /// No mixing.
        None = "none",
        /// Un-Mix (Shen et al. 2022).
        UnMix = "un-mix",
        /// i-Mix (Lee et al. 2021).
        IMix = "i-mix",
        /// MixCo (Kim et al. 2020).
        Mixco = "mixco",
    }
}

choice! {
    /// The law of the mixing coefficient a of pair mixing, `h = normalize(a n_i + (1-a) n_j)`.
    Alpha {
        /// a ~ U(0, 1) (MoCHi).
        Uniform = "uniform",
        /// a ~ Beta(v, v), v = `negatives.alpha_value`.
        Beta = "beta",
        /// a = `negatives.alpha_value` always.
        Fixed = "fixed",
    }
}

choice! {
    /// The law of the query's share b in query mixing, `h' = normalize(b q + (1-b) n_j)`.
    Beta {
        /// b ~ U(0, `negatives.beta_max`) (MoCHi, with 0.5).
        Uniform = "uniform",
        /// b = `negatives.beta_max` always.
        Fixed = "fixed",
    }
}

choice! {
    /// The optimizer.
    OptimizerName {
        /// Stochastic gradient descent with momentum, as PyTorch's.
        Sgd = "sgd",
        /// Layer-wise adaptive rates, for large batches.
        Lars = "lars",
    }
}

choice! {
    /// How the learning rate falls.
    Schedule {
        /// Half a cosine to zero.
        Cosine = "cosine",
        /// Times 0.1 at each of `optimizer.milestones`.
        Step = "step",
    }
}

choice! {
    /// How often the learning rate is set anew.
    Per {
        /// At the start of each epoch (MoCo).
        Epoch = "epoch",
        /// At each step.
        Step = "step",
    }
}

choice! {
    /// What computes.
    Device {
        /// The processor.
        Cpu = "cpu",
        /// An NVIDIA GPU.
        Cuda = "cuda",
    }
}

choice! {
    /// Arithmetic of convolutions and matrix products; parameters, statistics and logits are float32 in both.
    Precision {
        /// 32-bit floats throughout.
        Float32 = "float32",
        /// bfloat16 by autocast.
        Bf16 = "bf16",
    }
}

choice! {
    /// How a feature map lies in memory.
    Layout {
        /// Channels innermost (NHWC).
        ChannelsLast = "channels_last",
        /// Columns innermost (NCHW).
        Contiguous = "contiguous",
    }
}
