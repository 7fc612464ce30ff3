//! Image encoders: ResNets with torchvision's names, initial values and numerics, and MoCo's projection heads.
//!
//! Images (B, 3, H, W) go in; pooled features (B, F) or unit embeddings (B, D) come out. The room knows no data set and no loss.
#![forbid(unsafe_code)]

mod arch;
mod block;
mod encoder;
mod init;
mod layers;
mod resnet;

pub use arch::{Arch, Stem};
pub use encoder::{Encoder, EncoderSpec, HeadKind};
pub use resnet::ResNet;

/// Which statistics the norms use: the batch's (in groups), or the running ones.
pub use mochi_tensor::NormMode;
