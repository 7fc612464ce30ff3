//! Augmentation pipelines: how an image becomes a view, and presets of published pipelines.
//!
//! A pipeline is a geometry (crop and resize), a list of transforms, and a normalization. It does not contain the view size, which is an option of
//! the loader. Random numbers are drawn in [`crate::plan`].

use serde::{Deserialize, Serialize};

use crate::error::RangeError;

/// ImageNet's channel means, of values in 0..1.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// ImageNet's channel standard deviations, of values in 0..1.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
const CIFAR_MEAN: [f32; 3] = [0.4914, 0.4822, 0.4465];
const CIFAR_STD: [f32; 3] = [0.2023, 0.1994, 0.2010];
// Statistics of Fashion-MNIST, on three equal channels.
const GRAY_MEAN: [f32; 3] = [0.2860; 3];
const GRAY_STD: [f32; 3] = [0.3530; 3];

/// Augmentation pipeline. Unknown keys are an error when it is deserialized.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Crop, and how it is resized to the view size.
    pub geometry: Geometry,
    /// Transforms after the resize, in this order.
    #[serde(default)]
    pub transforms: Vec<Transform>,
    /// Mean that is subtracted from each channel (R, G, B), for values from 0 to 1.
    pub mean: [f32; 3],
    /// Standard deviation by which the result is divided.
    pub std: [f32; 3],
}

/// Crop and resize.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Geometry {
    /// `torchvision.transforms.RandomResizedCrop` with antialiased bilinear resizing.
    RandomResizedCrop {
        /// Range of the crop's area as a fraction of the image's area.
        scale: [f64; 2],
        /// Range of the crop's aspect ratio (width / height), drawn uniformly in the logarithm.
        ratio: [f64; 2],
    },
    /// `Resize` of the shorter side to `enlarge` x size, then `CenterCrop` of size. 256/224 is usual for ImageNet; 1 shows all of a square image.
    ResizeCenterCrop {
        /// Shorter side after resizing, as a multiple of the view's size; at least 1.
        enlarge: f64,
    },
}

/// Transform of the pixels, applied with probability `p`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Transform {
    /// `RandomApply([ColorJitter(brightness, contrast, saturation, hue)], p)`. The order of the four is drawn for each view; an operation with
    /// strength 0 is skipped, as in torchvision.
    ColorJitter {
        /// Factor drawn from `max(0, 1 - b) ..= 1 + b`.
        brightness: f64,
        /// As `brightness`.
        contrast: f64,
        /// As `brightness`.
        saturation: f64,
        /// Shift drawn from `-h ..= h`, as a fraction of the color circle; at most 0.5.
        hue: f64,
        /// Probability.
        p: f64,
    },
    /// `RandomGrayscale(p)`: three equal channels of luma.
    Grayscale {
        /// Probability.
        p: f64,
    },
    /// MoCo's `GaussianBlur`: Pillow's `ImageFilter.GaussianBlur(radius = sigma)`, three box blurs in each direction.
    GaussianBlur {
        /// Range of sigma in pixels.
        sigma: [f64; 2],
        /// Probability.
        p: f64,
    },
    /// `PIL.ImageOps.solarize`: inverts values at or above the threshold (BYOL).
    Solarize {
        /// Lowest value that is inverted.
        threshold: u8,
        /// Probability.
        p: f64,
    },
    /// `RandomHorizontalFlip(p)`.
    Flip {
        /// Probability.
        p: f64,
    },
    /// RandAugment as PyContrast's InfoMin recipe uses it: `count` operations drawn with repetition, of `magnitude` in 0..=10.
    RandAugment {
        /// Number of operations.
        count: u32,
        /// Strength; 10 is the strongest.
        magnitude: f64,
    },
}

const MOCO_CROP: Geometry = Geometry::RandomResizedCrop { scale: [0.2, 1.0], ratio: [3.0 / 4.0, 4.0 / 3.0] };
const WIDE_CROP: Geometry = Geometry::RandomResizedCrop { scale: [0.08, 1.0], ratio: [3.0 / 4.0, 4.0 / 3.0] };
const FLIP: Transform = Transform::Flip { p: 0.5 };
const BLUR: Transform = Transform::GaussianBlur { sigma: [0.1, 2.0], p: 0.5 };
const GRAYSCALE: Transform = Transform::Grayscale { p: 0.2 };

const fn jitter(strength: f64, hue: f64, p: f64) -> Transform {
    Transform::ColorJitter { brightness: strength, contrast: strength, saturation: strength, hue, p }
}

impl Augmentation {
    /// Names of the presets.
    pub const PRESETS: &'static [&'static str] =
        &["moco-v1", "moco-v2", "infomin", "simclr", "cifar", "supcon-cifar", "gray", "eval", "linear-train"];

    /// A preset by name; `None` if the name is not in [`Augmentation::PRESETS`].
    ///
    /// Sources: `moco-v1`, `moco-v2` and `linear-train` are facebookresearch/moco's `main_moco.py` and `main_lincls.py`;
    /// `cifar` its CIFAR notebook; `supcon-cifar` SupContrast's `main_supcon.py`; `infomin` PyContrast (with RandAugment twice as strong: both
    /// operations are always applied, there each with probability 0.5); `simclr` Chen et al. 2020 (strength 1.0 in 224 px terms); `gray` is
    /// for small grayscale images: without color operations and with a weaker blur; it has no published source.
    pub fn preset(name: &str) -> Option<Self> {
        let imagenet = |geometry, transforms| Self { geometry, transforms, mean: IMAGENET_MEAN, std: IMAGENET_STD };
        Some(match name {
            "moco-v1" => imagenet(MOCO_CROP, vec![GRAYSCALE, jitter(0.4, 0.4, 1.0), FLIP]),
            "moco-v2" => imagenet(MOCO_CROP, vec![jitter(0.4, 0.1, 0.8), GRAYSCALE, BLUR, FLIP]),
            "infomin" => imagenet(
                MOCO_CROP,
                vec![
                    FLIP,
                    jitter(0.8, 0.2, 0.8),
                    BLUR,
                    Transform::RandAugment { count: 2, magnitude: 10.0 },
                    GRAYSCALE,
                ],
            ),
            "simclr" => imagenet(WIDE_CROP, vec![FLIP, jitter(0.8, 0.2, 0.8), GRAYSCALE, BLUR]),
            "cifar" => Self {
                geometry: WIDE_CROP,
                transforms: vec![FLIP, jitter(0.4, 0.1, 0.8), GRAYSCALE],
                mean: CIFAR_MEAN,
                std: CIFAR_STD,
            },
            "supcon-cifar" => Self { geometry: MOCO_CROP, ..Self::preset("cifar")? },
            "gray" => Self {
                geometry: MOCO_CROP,
                transforms: vec![
                    Transform::ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.0, hue: 0.0, p: 0.8 },
                    Transform::GaussianBlur { sigma: [0.1, 1.0], p: 0.3 },
                    FLIP,
                ],
                mean: GRAY_MEAN,
                std: GRAY_STD,
            },
            "eval" => imagenet(Geometry::ResizeCenterCrop { enlarge: 256.0 / 224.0 }, vec![]),
            "linear-train" => imagenet(WIDE_CROP, vec![FLIP]),
            _ => return None,
        })
    }

    /// Shorter side, in pixels, that an image of any size can be reduced to without enlarging a crop of the smallest area (of a square image) to a view
    /// of `size` pixels: `size / sqrt(smallest fraction of the area)`.
    pub fn needed_side(&self, size: u32) -> u32 {
        let factor = match self.geometry {
            Geometry::RandomResizedCrop { scale, .. } => 1.0 / scale[0].max(1e-4).sqrt(),
            Geometry::ResizeCenterCrop { enlarge } => enlarge,
        };
        (f64::from(size) * factor).ceil() as u32
    }

    /// Deterministic pipeline for the evaluation of an encoder trained with this pipeline: same normalization, no random transforms. Views up to
    /// 64 px show the whole image (usual for CIFAR and MNIST), larger views the center crop after resizing to 256/224.
    pub fn evaluation(&self, size: u32) -> Self {
        let enlarge = if size <= 64 { 1.0 } else { 256.0 / 224.0 };
        Self { geometry: Geometry::ResizeCenterCrop { enlarge }, transforms: vec![], mean: self.mean, std: self.std }
    }

    /// Pipeline for training a linear probe on such an encoder: crops of 0.08 to 1 and flips, same normalization.
    pub fn linear_training(&self) -> Self {
        Self { geometry: WIDE_CROP, transforms: vec![FLIP], mean: self.mean, std: self.std }
    }

    /// Whether the pipeline has no random operation.
    pub fn is_deterministic(&self) -> bool {
        matches!(self.geometry, Geometry::ResizeCenterCrop { .. }) && self.transforms.is_empty()
    }

    /// Checks that every value is in its valid range.
    pub fn check(&self) -> Result<(), RangeError> {
        let range = |what, [low, high]: [f64; 2], least: f64, most: f64| {
            if low.is_finite() && high.is_finite() && low <= high && low >= least && high <= most {
                Ok(())
            } else {
                Err(RangeError { what, detail: format!("[{low}, {high}] is not a range within {least}..{most}") })
            }
        };
        let probability = |what, p: f64| range(what, [p, p], 0.0, 1.0);
        match self.geometry {
            Geometry::RandomResizedCrop { scale, ratio } => {
                range("crop scale", scale, 1e-6, 1.0)?;
                range("crop ratio", ratio, 1e-3, 1e3)?;
            }
            Geometry::ResizeCenterCrop { enlarge } => range("resize enlarge", [enlarge, enlarge], 1.0, 16.0)?,
        }
        for transform in &self.transforms {
            match *transform {
                Transform::ColorJitter { brightness, contrast, saturation, hue, p } => {
                    probability("color jitter p", p)?;
                    range("color jitter hue", [hue, hue], 0.0, 0.5)?;
                    for strength in [brightness, contrast, saturation] {
                        range("color jitter strength", [strength, strength], 0.0, 10.0)?;
                    }
                }
                Transform::Grayscale { p } => probability("grayscale p", p)?,
                Transform::Flip { p } => probability("flip p", p)?,
                Transform::Solarize { p, .. } => probability("solarize p", p)?,
                Transform::GaussianBlur { sigma, p } => {
                    probability("blur p", p)?;
                    range("blur sigma", sigma, 0.0, 100.0)?;
                }
                Transform::RandAugment { count, magnitude } => {
                    range("RandAugment magnitude", [magnitude, magnitude], 0.0, 10.0)?;
                    range("RandAugment count", [f64::from(count); 2], 0.0, 16.0)?;
                }
            }
        }
        for (mean, std) in self.mean.iter().zip(self.std) {
            if !mean.is_finite() || !std.is_finite() || std <= 0.0 {
                let detail = format!("expected a finite mean and a standard deviation above 0, got {mean} and {std}");
                return Err(RangeError { what: "normalization", detail });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_survive_toml() {
        for name in Augmentation::PRESETS {
            let augmentation = Augmentation::preset(name).unwrap();
            augmentation.check().unwrap();
            let text = toml::to_string(&augmentation).unwrap();
            assert_eq!(toml::from_str::<Augmentation>(&text).unwrap(), augmentation, "{text}");
        }
        assert_eq!(Augmentation::preset("moco-v3"), None);
    }

    #[test]
    fn unknown_keys_and_invalid_values_are_refused() {
        let text = toml::to_string(&Augmentation::preset("eval").unwrap()).unwrap();
        assert!(toml::from_str::<Augmentation>(&format!("meen = 1\n{text}")).is_err());
        let mut augmentation = Augmentation::preset("moco-v2").unwrap();
        augmentation.std[1] = 0.0;
        assert!(augmentation.check().is_err());
        let mut augmentation = Augmentation::preset("moco-v2").unwrap();
        augmentation.transforms.push(Transform::Flip { p: f64::NAN });
        assert!(augmentation.check().is_err());
    }
}
