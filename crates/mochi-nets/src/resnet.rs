//! ResNets: `torchvision.models.resnet{18,34,50,101}` without `fc`, with the standard or the small-image stem, and the CIFAR family.

use crate::block::Block;
use crate::layers::{Builder, Conv, Forward};
use crate::{Arch, NormMode, Stem};
use mochi_tensor::{BatchNorm, Compute, Kind, ParameterStore, Tensor, TensorError};

/// A convolutional backbone; its tensors live in the store that it was built into.
#[derive(Debug)]
pub struct ResNet {
    compute: Compute,
    stem: (Conv, BatchNorm),
    pool: bool,
    blocks: Vec<Block>,
}

impl ResNet {
    /// Builds the network into `store`, drawing initial values from libtorch's generator.
    ///
    /// # Errors
    /// What libtorch says where memory is short.
    pub fn new(arch: Arch, stem: Stem, compute: Compute, store: &mut ParameterStore) -> Result<Self, TensorError> {
        let cifar = matches!(arch, Arch::Cifar { .. });
        let mut b = Builder { store, compute, fan_in: cifar };
        let width = if cifar { 16 } else { 64 };
        let small = cifar || stem == Stem::Cifar;
        let (kernel, stride) = if small { (3, 1) } else { (7, 2) };
        let stem = (b.conv("conv1", width, 3, kernel, stride)?, b.norm("bn1", width));
        let mut blocks = Vec::new();
        let mut channels = width;
        for (stage, count) in arch.stages().into_iter().enumerate() {
            let planes = width << stage;
            for i in 0..count {
                let name = format!("layer{}.{i}", stage + 1);
                let stride = if stage > 0 && i == 0 { 2 } else { 1 };
                if cifar {
                    blocks.push(Block::cifar(&mut b, &name, channels, planes, stride)?);
                    channels = planes;
                } else {
                    blocks.push(Block::standard(&mut b, &name, channels, planes, stride, arch.bottleneck())?);
                    channels = if arch.bottleneck() { 4 * planes } else { planes };
                }
            }
        }
        Ok(Self { compute, stem, pool: !small, blocks })
    }

    /// Pooled features (B, F), float32, of images (B, 3, H, W) that went through [`Compute::input`].
    ///
    /// # Errors
    /// What libtorch says, e.g. where the images are too small for the network.
    pub fn forward(&self, images: &Tensor, mode: NormMode) -> Result<Tensor, TensorError> {
        let cx = Forward { compute: self.compute, mode };
        let (conv, norm) = &self.stem;
        let mut x = conv.norm_act(images, norm, &cx, true, None)?;
        if self.pool {
            x = x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?;
        }
        for block in &self.blocks {
            x = block.forward(&x, &cx)?;
        }
        // The mean is taken in float32 whatever the activations are.
        Ok(x.f_mean_dim([2i64, 3].as_slice(), false, Kind::Float)?)
    }
}
