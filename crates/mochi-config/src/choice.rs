//! Settings that are one name of a fixed list. Each is an enum whose variants have exactly the names of the TOML file.

macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// Every name, as written in a settings file.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// Every value, in the order of its names.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The name as written in a settings file.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(crate) use choice;

choice! {
    /// What a run trains. Each task has its own keys and presets ([`Task::schema`]).
    Task {
        /// An encoder, from unlabeled images (`mochi pretrain`).
        Pretraining = "pretraining",
        /// A detector, from images with objects (`mochi detect train`).
        Detection = "detection",
    }
}

impl Task {
    /// The command that trains it.
    pub const fn command(self) -> &'static str {
        match self {
            Task::Pretraining => "mochi pretrain",
            Task::Detection => "mochi detect train",
        }
    }

    /// Its runs, in a sentence.
    pub(crate) const fn run(self) -> &'static str {
        match self {
            Task::Pretraining => "a pre-training run",
            Task::Detection => "a detection run",
        }
    }
}

choice! {
    /// Augmentation pipeline of the training views.
    Augment {
        /// MoCo v1: crop, grayscale, color jitter (always), flip.
        MocoV1 = "moco-v1",
        /// MoCo v2: crop, jitter, grayscale, blur, flip.
        MocoV2 = "moco-v2",
        /// InfoMin (PyContrast): stronger color jitter, RandAugment at twice the strength of PyContrast.
        Infomin = "infomin",
        /// SimCLR.
        Simclr = "simclr",
        /// MoCo's CIFAR-10 notebook: crops of 0.08 to 1, no blur.
        Cifar = "cifar",
        /// SupContrast's CIFAR command: as `cifar` with crops of 0.2 to 1.
        SupconCifar = "supcon-cifar",
        /// Small grayscale images, such as Fashion-MNIST.
        Gray = "gray",
    }
}

choice! {
    /// Backbone. `resnet20` to `resnet56` are CIFAR ResNets (3x3 stem, 16-32-64 channels), `patch-resnet` is for runs of minutes.
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
        /// 7x7 convolution of stride 4 with 256 filters, average pooling (not with `stem=cifar`), two bottlenecks; 2304 standardized features, 256 of each of 3x3 cells.
        PatchResnet = "patch-resnet",
    }
}

impl Arch {
    /// Whether this is a CIFAR ResNet, which has a 3x3 stem regardless of `model.stem`.
    pub const fn is_cifar_family(self) -> bool {
        matches!(self, Arch::Resnet20 | Arch::Resnet32 | Arch::Resnet44 | Arch::Resnet56)
    }

    /// Whether `model.stem` counts.
    pub const fn has_choice_of_stem(self) -> bool {
        !self.is_cifar_family()
    }
}

choice! {
    /// Initial filters of the first convolution.
    FirstFilters {
        /// Random, as in PyTorch.
        Random = "random",
        /// Learned from patches of the images by k-means (Coates and Ng, 2012).
        Kmeans = "k-means",
    }
}

choice! {
    /// First layers of ResNet-18 to ResNet-101, and whether `patch-resnet` pools after its first convolution.
    Stem {
        /// 7x7 convolution of stride 2 and max-pooling of stride 2, for 224 pixels; `patch-resnet` pools.
        Standard = "standard",
        /// 3x3 convolution of stride 1 and no max-pooling, for 32 to 64 pixels; `patch-resnet` does not pool.
        Cifar = "cifar",
    }
}

choice! {
    /// Projection head between features and embedding.
    Head {
        /// Linear - ReLU - linear (MoCo v2).
        Mlp = "mlp",
        /// One linear layer (MoCo v1).
        Linear = "linear",
        /// Linear - batch norm - ReLU - linear - batch norm (SimCLR).
        MlpBn = "mlp-bn",
    }
}

choice! {
    /// Encoder of the keys.
    EncoderKind {
        /// The moving average of the query encoder (MoCo).
        Momentum = "momentum",
        /// The query encoder, with the gradient through both views (SimCLR).
        Shared = "shared",
    }
}

choice! {
    /// Positive of a query.
    Positive {
        /// The key of the same image.
        Key = "key",
        /// The nearest neighbor of that key in the queue (NNCLR).
        Nearest = "nearest",
        /// Every embedding of the same class (SupCon).
        Label = "label",
    }
}

choice! {
    /// Source of the negatives.
    NegativesFrom {
        /// Keys of past steps (MoCo).
        Queue = "queue",
        /// The other images of the batch.
        Batch = "batch",
        /// Both.
        Both = "both",
    }
}

choice! {
    /// Image-mixing method.
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
    /// Optimizer.
    OptimizerName {
        /// Stochastic gradient descent with momentum, as PyTorch's.
        Sgd = "sgd",
        /// Layer-wise adaptive learning rates, for large batches.
        Lars = "lars",
        /// Adaptive moments with decoupled weight decay, as PyTorch's.
        Adamw = "adamw",
    }
}

choice! {
    /// Learning-rate schedule.
    Schedule {
        /// Half a cosine to zero.
        Cosine = "cosine",
        /// Times 0.1 at each of `optimizer.milestones`.
        Step = "step",
    }
}

choice! {
    /// When the learning rate is updated.
    Per {
        /// At the start of each epoch (MoCo).
        Epoch = "epoch",
        /// At each step.
        Step = "step",
    }
}

choice! {
    /// Precision of convolutions and matrix products. Parameters, statistics and logits are always float32.
    Precision {
        /// IEEE 32-bit floating point, on CUDA too.
        Float32 = "float32",
        /// float32 whose products CUDA computes in TF32 (10 bits of mantissa).
        Tf32 = "tf32",
        /// bfloat16.
        Bf16 = "bf16",
    }
}

choice! {
    /// Memory format of feature maps.
    Layout {
        /// NHWC.
        ChannelsLast = "channels_last",
        /// NCHW.
        Contiguous = "contiguous",
    }
}
