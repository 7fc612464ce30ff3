//! Image encoders: ResNets with torchvision's names, initial values and numerics, and projection heads.
//!
//! Images (B, 3, H, W) go in; feature maps of strides 4 to 32, pooled features (B, F) or unit embeddings (B, D) come out. The crate knows no
//! dataset and no loss.
//!
//! ```
//! use mochi_nets::{Arch, Encoder, EncoderSpec, HeadKind, NormMode, Stage, Stem};
//! use mochi_tensor::{Compute, Device, Kind, Tensor, with_seed};
//!
//! let compute = Compute::CPU;
//! let spec = EncoderSpec { arch: Arch::Cifar { blocks: 3 }, stem: Stem::Cifar, head: HeadKind::Mlp, dim: 128 };
//! let encoder = with_seed(0, || Encoder::new(&spec, compute))?;
//! let images = Tensor::f_zeros([2, 3, 32, 32], (Kind::Float, Device::Cpu))?;
//! assert_eq!(encoder.embed(&images, NormMode::Eval)?.size(), [2, 128]);
//!
//! let maps = encoder.backbone().features(&[compute.input(&images)?], NormMode::Eval, Stage::Res4)?;
//! let strides: Vec<i64> = maps[0].iter().map(|map| map.shape.stride).collect();
//! assert_eq!(strides, [1, 2, 4]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod arch;
mod backbone;
mod block;
mod encoder;
mod feature_map;
mod head;
mod init;
mod layers;
mod patches;
mod recognize;

pub use arch::{Arch, Stem, UnknownArch};
pub use backbone::Backbone;
pub use encoder::{Encoder, EncoderSpec};
pub use feature_map::{FeatureMap, FeatureMaps, ShapeSpec, Stage, UnknownStage};
pub use head::HeadKind;
pub use patches::filters_of_patches;
pub use recognize::network_of;

/// Mode of a forward pass: batch statistics in groups, or running statistics.
pub use mochi_tensor::NormMode;
