//! ResNets: `torchvision.models.resnet{18,34,50,101}` without `fc`, with the standard or the CIFAR stem, and the CIFAR family.

use crate::arch::{BlockKind, Pool, StemShape};
use crate::block::Block;
use crate::layers::{Builder, Forward, Unit, UnitShape};
use crate::{Arch, FeatureMap, FeatureMaps, NormMode, ShapeSpec, Stage, Stem};
use mochi_tensor::{Affine, BatchNorm, Compute, Kind, ParameterStore, Tensor, TensorError};

/// A convolutional backbone; its tensors are in the store that it was built into.
#[derive(Debug)]
pub struct Backbone {
    compute: Compute,
    stem: Unit,
    pool: Pool,
    stages: Vec<(Stage, ShapeSpec, Vec<Block>)>,
    /// Cells in each direction of the pooled features.
    cells: i64,
    /// F, the width of the pooled features.
    width: i64,
    /// Norm of the pooled features.
    norm: Option<BatchNorm>,
}

impl Backbone {
    /// Builds the network into `store`, drawing initial values from libtorch's generator.
    ///
    /// # Errors
    /// libtorch's error, e.g. when memory is short.
    pub fn new(arch: Arch, stem: Stem, compute: Compute, store: &mut ParameterStore) -> Result<Self, TensorError> {
        let shape = arch.shape(stem);
        let mut b = Builder { store, compute, fan_in: shape.block == BlockKind::Cifar };
        let StemShape { width, kernel, stride, pool } = shape.stem;
        let stem = b.unit("conv1", "bn1", UnitShape { out: width, input: 3, kernel, stride })?;
        let mut stages = Vec::new();
        let (mut channels, mut total_stride) = (width, if pool == Pool::None { stride } else { 2 * stride });
        for ((layer, &stage), &count) in Stage::ALL[1..].iter().enumerate().zip(&shape.blocks) {
            let planes = shape.planes << layer;
            let mut blocks = Vec::new();
            for i in 0..count {
                let name = format!("layer{}.{i}", layer + 1);
                let stride = if layer > 0 && i == 0 { 2 } else { 1 };
                total_stride *= stride;
                blocks.push(Block::new(&mut b, &name, channels, planes, stride, shape.block)?);
                channels = shape.block.channels(planes);
            }
            if shape.zero_init_residual {
                blocks.iter_mut().for_each(Block::start_as_identity);
            }
            stages.push((stage, ShapeSpec { channels, stride: total_stride }, blocks));
        }
        let norm = if shape.standardized {
            Some(BatchNorm::new(b.store, "norm", shape.features(), Affine::No, compute.device)?)
        } else {
            None
        };
        Ok(Self { compute, stem, pool, stages, cells: shape.cells, width: shape.features(), norm })
    }

    /// The stages after the stem with the shapes of their outputs: res2 to res5 with strides 4 to 32 (1 to 8 with the CIFAR stem), in the
    /// CIFAR family res2 to res4 with strides 1 to 4, in [`Arch::PatchResNet`] res2 with stride 8, or 4 with the CIFAR stem.
    pub fn shapes(&self) -> impl Iterator<Item = (Stage, ShapeSpec)> {
        self.stages.iter().map(|(stage, shape, _)| (*stage, *shape))
    }

    /// Feature maps of images that went through [`Compute::input`], up to and including stage `last`. `images`: the batch, or its parts
    /// (B, 3, H, W) of different height and width whose norms have statistics in common ([`mochi_tensor::BatchNorm::forward_together`]); each
    /// part has its maps.
    ///
    /// # Errors
    /// libtorch's error, e.g. when the images are too small for the network.
    pub fn features(&self, images: &[Tensor], mode: NormMode, last: Stage) -> Result<Vec<FeatureMaps>, TensorError> {
        let mut maps: Vec<Vec<FeatureMap>> = images.iter().map(|_| Vec::new()).collect();
        let mut xs = self.stem(images, mode)?;
        for (stage, shape, _) in self.stages.iter().filter(|(stage, ..)| *stage <= last) {
            xs = self.stage(*stage, &xs, mode)?;
            for (maps, x) in maps.iter_mut().zip(&xs) {
                maps.push(FeatureMap { stage: *stage, shape: *shape, values: x.shallow_clone() });
            }
        }
        Ok(maps.into_iter().map(FeatureMaps::new).collect())
    }

    /// One stage alone: (B, C, H, W) -> (B, C', H', W') for each part of the batch. Detection runs `res5` on regions of `res4`'s map.
    ///
    /// # Errors
    /// [`TensorError::Mismatch`] for the stem and for a stage that this backbone lacks; libtorch's error for other shapes.
    pub fn stage(&self, stage: Stage, xs: &[Tensor], mode: NormMode) -> Result<Vec<Tensor>, TensorError> {
        let cx = Forward { compute: self.compute, mode };
        let (_, _, blocks) = self.stages.iter().find(|(own, ..)| *own == stage).ok_or_else(|| {
            let own: Vec<_> = self.stages.iter().map(|(stage, ..)| stage.name()).collect();
            TensorError::Mismatch(format!("there is no stage {stage} to run; expected one of {}", own.join(", ")))
        })?;
        let mut xs: Vec<Tensor> = xs.iter().map(Tensor::shallow_clone).collect();
        for block in blocks {
            xs = block.forward(&xs, &cx)?;
        }
        Ok(xs)
    }

    fn stem(&self, images: &[Tensor], mode: NormMode) -> Result<Vec<Tensor>, TensorError> {
        let xs = self.stem.forward(images, &Forward { compute: self.compute, mode }, true, None)?;
        match self.pool {
            Pool::None => Ok(xs),
            Pool::Max => xs.iter().map(|x| Ok(x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?)).collect(),
            Pool::Mean => xs.iter().map(|x| Ok(x.f_avg_pool2d([2, 2], [2, 2], [0, 0], true, false, None)?)).collect(),
        }
    }

    /// Pooled features (B, F), float32, of images (B, 3, H, W) that went through [`Compute::input`].
    ///
    /// # Errors
    /// libtorch's error, e.g. when the images are too small for the network.
    pub fn pooled(&self, images: &Tensor, mode: NormMode) -> Result<Tensor, TensorError> {
        let features = self.unstandardized(images, mode)?;
        match &self.norm {
            Some(norm) => norm.forward(features, mode, false, None),
            None => Ok(features),
        }
    }

    /// F, the width of the pooled features: the last stage's channels times the cells that they are pooled to.
    pub fn width(&self) -> i64 {
        self.width
    }

    /// Whether the pooled features are standardized.
    pub fn standardizes(&self) -> bool {
        self.norm.is_some()
    }

    pub(crate) fn feature_norm(&self) -> Option<&BatchNorm> {
        self.norm.as_ref()
    }

    /// Adds images to the statistics of standardized features, with all other norms as in evaluation.
    pub(crate) fn collect_features(&self, images: &Tensor) -> Result<(), TensorError> {
        if let Some(norm) = &self.norm {
            norm.collect_own(&self.unstandardized(images, NormMode::Eval)?)?;
        }
        Ok(())
    }

    fn unstandardized(&self, images: &Tensor, mode: NormMode) -> Result<Tensor, TensorError> {
        let mut xs = self.stem(std::slice::from_ref(images), mode)?;
        for (stage, ..) in &self.stages {
            xs = self.stage(*stage, &xs, mode)?;
        }
        // The mean is taken in float32 whatever the activations are.
        let pool = |x: &Tensor| match self.cells {
            1 => x.f_mean_dim([2i64, 3].as_slice(), false, Kind::Float),
            cells => x.f_to_kind(Kind::Float)?.f_adaptive_avg_pool2d([cells, cells])?.f_flatten(1, -1),
        };
        Ok(Tensor::f_cat(&xs.iter().map(pool).collect::<Result<Vec<_>, _>>()?, 0)?)
    }

    /// The filters (F, 3, k, k) of the first convolution.
    pub fn first_filters(&self) -> &Tensor {
        self.stem.kernel()
    }

    /// Every norm, in the order of the forward pass.
    pub fn norms(&self) -> impl Iterator<Item = &BatchNorm> {
        let blocks = self.stages.iter().flat_map(|(_, _, blocks)| blocks);
        std::iter::once(&self.stem).chain(blocks.flat_map(Block::units)).map(Unit::norm).chain(&self.norm)
    }

    /// Freezes the stem and all stages up to `last`: no gradients, and norms use their running statistics. detectron2's
    /// `MODEL.BACKBONE.FREEZE_AT`: 1 is the stem, 2 is `res2`. Call it before an optimizer takes the parameters.
    pub fn freeze_through(&mut self, last: Stage) {
        self.units_through(last).for_each(Unit::freeze);
    }

    /// Freezes the norms after the convolutions that `select` takes by name (`conv1`, `layer2.0.conv1`, `layer2.0.downsample.0`); their
    /// kernels go on learning. All of them make detectron2's `FrozenBN`.
    pub fn freeze_norms(&mut self, select: impl Fn(&str) -> bool) {
        self.units_through(Stage::Res5).filter(|unit| select(unit.name())).for_each(Unit::freeze_norm);
    }

    /// Every norm, to change how it works.
    pub fn norms_mut(&mut self) -> impl Iterator<Item = &mut BatchNorm> {
        units(&mut self.stem, &mut self.stages, Stage::Res5).map(Unit::norm_mut).chain(&mut self.norm)
    }

    fn units_through(&mut self, last: Stage) -> impl Iterator<Item = &mut Unit> {
        units(&mut self.stem, &mut self.stages, last)
    }
}

fn units<'a>(
    stem: &'a mut Unit,
    stages: &'a mut [(Stage, ShapeSpec, Vec<Block>)],
    last: Stage,
) -> impl Iterator<Item = &'a mut Unit> {
    let stages = stages.iter_mut().filter(move |(stage, ..)| *stage <= last);
    std::iter::once(stem).chain(stages.flat_map(|(_, _, blocks)| blocks).flat_map(Block::units_mut))
}
