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
    /// convolution alone. They are pooled to 3x3 cells, as Coates, Lee and Ng (2011) pool to 2x2, and so keep where something is.
    PatchResNet,
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

/// How an image enters an ImageNet-family network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stem {
    /// 7x7 convolution of stride 2, then 3x3 max-pooling of stride 2.
    Standard,
    /// 3x3 convolution of stride 1 and no pooling, for images of 28 to 64 px (MoCo's CIFAR demo).
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

    /// Width of the pooled features: channels of the last stage, of each cell that they are pooled to.
    pub fn features(self) -> i64 {
        match self {
            Self::ResNet18 | Self::ResNet34 => 512,
            Self::ResNet50 | Self::ResNet101 => 2048,
            Self::Cifar { .. } => 64,
            Self::PatchResNet => 256 * self.cells() * self.cells(),
        }
    }

    /// Width of the projection head's hidden layer: that of the features, as published, except where these are several cells.
    pub(crate) fn hidden(self) -> i64 {
        if self == Self::PatchResNet { 512 } else { self.features() }
    }

    /// Cells in each direction to which the last feature map is pooled.
    pub(crate) fn cells(self) -> i64 {
        if self == Self::PatchResNet { 3 } else { 1 }
    }

    /// Blocks in each stage.
    pub(crate) fn stages(self) -> Vec<usize> {
        match self {
            Self::ResNet18 => vec![2, 2, 2, 2],
            Self::ResNet34 | Self::ResNet50 => vec![3, 4, 6, 3],
            Self::ResNet101 => vec![3, 4, 23, 3],
            Self::Cifar { blocks } => vec![blocks; 3],
            Self::PatchResNet => vec![2],
        }
    }

    /// The first layers; `stem` counts for the ImageNet family.
    pub(crate) fn stem(self, stem: Stem) -> StemShape {
        match (self, stem) {
            (Self::Cifar { .. }, _) => StemShape { width: 16, kernel: 3, stride: 1, pool: Pool::None },
            (Self::PatchResNet, _) => StemShape { width: 256, kernel: 7, stride: 4, pool: Pool::Mean },
            (_, Stem::Standard) => StemShape { width: 64, kernel: 7, stride: 2, pool: Pool::Max },
            (_, Stem::Cifar) => StemShape { width: 64, kernel: 3, stride: 1, pool: Pool::None },
        }
    }

    /// Channels of the 3x3 convolutions of the first stage; each later stage has twice as many.
    pub(crate) fn planes(self) -> i64 {
        match self {
            Self::Cifar { .. } => 16,
            _ => 64,
        }
    }

    pub(crate) fn bottleneck(self) -> bool {
        matches!(self, Self::ResNet50 | Self::ResNet101 | Self::PatchResNet)
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
