//! The architectures and their numbers.

use std::fmt;
use std::str::FromStr;

/// A network's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// torchvision's `resnet18`: basic blocks 2-2-2-2.
    ResNet18,
    /// torchvision's `resnet34`: basic blocks 3-4-6-3.
    ResNet34,
    /// torchvision's `resnet50`: bottlenecks 3-4-6-3, stride in the 3x3.
    ResNet50,
    /// torchvision's `resnet101`: bottlenecks 3-4-23-3.
    ResNet101,
    /// He et al. 2016, section 4.2: three stages of `n` basic blocks, 16-32-64 channels, parameter-free shortcuts (option A); depth 6n+2.
    Cifar {
        /// Blocks a stage: 3 for ResNet-20, 5, 7, 9 for 32, 44, 56.
        blocks: usize,
    },
    /// A wide and shallow network for runs of minutes: a 7x7 convolution of stride 4 with 256 filters (overlapping patches), average pooling of stride 2
    /// and two bottlenecks whose last norm starts at zero (torchvision's `zero_init_residual`), so that its first features are those of the
    /// convolution alone. [`Stem::Cifar`], for views of up to 28 px, leaves out the average pooling. The features are pooled to 3x3 cells, as Coates, Lee and Ng (2011) pool to 2x2, and so keep where something is, and standardized by
    /// `torch.nn.BatchNorm1d(2304, affine=False)`: without it, what all images have in common
    /// dominates the cosine similarity (docs/results/recipes).
    PatchResNet,
}

/// The numbers of a network, in the order of its layers.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub stem: StemShape,
    pub block: BlockKind,
    /// Blocks in each stage.
    pub blocks: Vec<usize>,
    /// Channels of the 3x3 convolutions of the first stage; each later stage has twice as many.
    pub planes: i64,
    /// Cells in each direction to which the last feature map is pooled.
    pub cells: i64,
    /// Whether the pooled features are standardized (`torch.nn.BatchNorm1d(affine=False)`).
    pub standardized: bool,
    /// Whether residual blocks start as the identity (torchvision's `zero_init_residual`).
    pub zero_init_residual: bool,
    /// Width of the projection head's hidden layer.
    pub hidden: i64,
}

/// Residual blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockKind {
    /// torchvision's `BasicBlock`.
    Basic,
    /// torchvision's `Bottleneck`.
    Bottleneck,
    /// Two 3x3 convolutions with a parameter-free shortcut.
    Cifar,
}

impl BlockKind {
    /// Channels out of a block whose 3x3 convolutions have `planes`.
    pub(crate) fn channels(self, planes: i64) -> i64 {
        if self == Self::Bottleneck { 4 * planes } else { planes }
    }
}

impl Shape {
    /// Channels of the last feature map.
    fn channels(&self) -> i64 {
        self.block.channels(self.planes << self.blocks.len().saturating_sub(1))
    }

    /// Width of the pooled features.
    pub(crate) fn features(&self) -> i64 {
        self.channels() * self.cells * self.cells
    }
}

/// How an image enters a backbone: a convolution with norm and ReLU, then pooling.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StemShape {
    pub width: i64,
    pub kernel: i64,
    pub stride: i64,
    pub pool: Pool,
}

/// Pooling after the first convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pool {
    None,
    /// The largest of 3x3, stride 2.
    Max,
    /// The mean of 2x2, stride 2; at an odd edge of what is there.
    Mean,
}

/// How an image enters an ImageNet-family network, and whether [`Arch::PatchResNet`] pools after its first convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stem {
    /// 7x7 convolution of stride 2, then 3x3 max-pooling of stride 2. The patch ResNet pools.
    Standard,
    /// 3x3 convolution of stride 1 and no pooling, for images of 28 to 64 px (MoCo's CIFAR demo). The patch ResNet does not pool.
    Cifar,
}

impl Arch {
    /// Every name that [`Arch::from_str`] takes.
    pub const NAMES: [&'static str; 9] = [
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet20",
        "resnet32",
        "resnet44",
        "resnet56",
        "patch-resnet",
    ];

    /// The layers; `stem` does not count for the CIFAR family.
    pub(crate) fn shape(self, stem: Stem) -> Shape {
        let published = |block: BlockKind, blocks: &[usize]| {
            let stem = match stem {
                Stem::Standard => StemShape { width: 64, kernel: 7, stride: 2, pool: Pool::Max },
                Stem::Cifar => StemShape { width: 64, kernel: 3, stride: 1, pool: Pool::None },
            };
            // The hidden layer of a head is as wide as the features, as published.
            let hidden = block.channels(512);
            let blocks = blocks.to_vec();
            Shape { stem, block, blocks, planes: 64, zero_init_residual: false, cells: 1, standardized: false, hidden }
        };
        match self {
            Self::ResNet18 => published(BlockKind::Basic, &[2, 2, 2, 2]),
            Self::ResNet34 => published(BlockKind::Basic, &[3, 4, 6, 3]),
            Self::ResNet50 => published(BlockKind::Bottleneck, &[3, 4, 6, 3]),
            Self::ResNet101 => published(BlockKind::Bottleneck, &[3, 4, 23, 3]),
            Self::Cifar { blocks } => Shape {
                stem: StemShape { width: 16, kernel: 3, stride: 1, pool: Pool::None },
                planes: 16,
                hidden: 64,
                ..published(BlockKind::Cifar, &[blocks; 3])
            },
            Self::PatchResNet => Shape {
                stem: StemShape {
                    width: 256,
                    kernel: 7,
                    stride: 4,
                    pool: if stem == Stem::Standard { Pool::Mean } else { Pool::None },
                },
                zero_init_residual: true,
                cells: 3,
                standardized: true,
                hidden: 512,
                ..published(BlockKind::Bottleneck, &[2])
            },
        }
    }
}

/// A name that is no architecture.
#[derive(Debug, thiserror::Error)]
#[error("\"{name}\" is not an architecture; expected one of {}", Arch::NAMES.join(", "))]
pub struct UnknownArch {
    name: String,
}

impl FromStr for Arch {
    type Err = UnknownArch;

    fn from_str(name: &str) -> Result<Self, UnknownArch> {
        Ok(match name {
            "resnet18" => Self::ResNet18,
            "resnet34" => Self::ResNet34,
            "resnet50" => Self::ResNet50,
            "resnet101" => Self::ResNet101,
            "resnet20" => Self::Cifar { blocks: 3 },
            "resnet32" => Self::Cifar { blocks: 5 },
            "resnet44" => Self::Cifar { blocks: 7 },
            "resnet56" => Self::Cifar { blocks: 9 },
            "patch-resnet" => Self::PatchResNet,
            other => return Err(UnknownArch { name: other.to_owned() }),
        })
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ResNet18 => f.write_str("resnet18"),
            Self::ResNet34 => f.write_str("resnet34"),
            Self::ResNet50 => f.write_str("resnet50"),
            Self::ResNet101 => f.write_str("resnet101"),
            Self::PatchResNet => f.write_str("patch-resnet"),
            Self::Cifar { blocks } => write!(f, "resnet{}", 6 * blocks + 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in Arch::NAMES {
            assert_eq!(name.parse::<Arch>().unwrap().to_string(), name);
        }
        let error = "resnet9000".parse::<Arch>().unwrap_err().to_string();
        assert!(error.contains("resnet50"), "{error}");
    }
}
