//! Feature maps of a backbone's stages and their shapes.

use mochi_tensor::Tensor;
use std::fmt;
use std::str::FromStr;

/// A part of a backbone, under detectron2's names: the stem and torchvision's `layer1` to `layer4` (`res2` to `res5`, He et al.'s
/// conv2_x to conv5_x).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// First convolution and pooling.
    Stem,
    /// torchvision's `layer1`.
    Res2,
    /// torchvision's `layer2`.
    Res3,
    /// torchvision's `layer3`.
    Res4,
    /// torchvision's `layer4`; the CIFAR family has none.
    Res5,
}

impl Stage {
    /// Every stage, in the order of the forward pass.
    pub const ALL: [Self; 5] = [Self::Stem, Self::Res2, Self::Res3, Self::Res4, Self::Res5];

    /// The name.
    pub fn name(self) -> &'static str {
        ["stem", "res2", "res3", "res4", "res5"][self as usize]
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no stage.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not a stage; expected stem, res2, res3, res4 or res5")]
pub struct UnknownStage(String);

impl FromStr for Stage {
    type Err = UnknownStage;

    fn from_str(name: &str) -> Result<Self, UnknownStage> {
        Self::ALL.into_iter().find(|stage| stage.name() == name).ok_or_else(|| UnknownStage(name.to_owned()))
    }
}

/// Shape of a feature map, whatever the image's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShapeSpec {
    /// Number of channels.
    pub channels: i64,
    /// Pixels of the image from one cell to the next; a side of n pixels gives ceil(n / stride) cells.
    pub stride: i64,
}

/// A stage's output.
#[derive(Debug)]
pub struct FeatureMap {
    /// The stage.
    pub stage: Stage,
    /// Channels and stride.
    pub shape: ShapeSpec,
    /// Values (B, channels, H / stride, W / stride) in the computation's type and layout.
    pub values: Tensor,
}

/// The outputs of the stages that ran, in order.
#[derive(Debug)]
pub struct FeatureMaps(Vec<FeatureMap>);

impl FeatureMaps {
    pub(crate) fn new(maps: Vec<FeatureMap>) -> Self {
        Self(maps)
    }

    /// A stage's map, where it ran.
    pub fn get(&self, stage: Stage) -> Option<&FeatureMap> {
        self.0.iter().find(|map| map.stage == stage)
    }

    /// All maps, finest first.
    pub fn iter(&self) -> impl Iterator<Item = &FeatureMap> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for stage in Stage::ALL {
            assert_eq!(stage.to_string().parse::<Stage>().unwrap(), stage);
        }
        assert!("res1".parse::<Stage>().unwrap_err().to_string().contains("expected stem"));
    }
}
