//! An encoder f: a backbone and MoCo's projection head, whose normalised output lives on the unit sphere.
//!
//! Head "mlp" (MoCo-v2): `Linear(F, F) - ReLU - Linear(F, D)`, names `fc.0.*`, `fc.2.*`; head "linear" (MoCo-v1): `Linear(F, D)`, `fc.*`.
//! No batch-norm in either, as published.

use crate::layers::{Builder, Linear};
use crate::{Arch, NormMode, ResNet, Stem};
use mochi_tensor::{Compute, ParameterStore, Tensor, TensorError};

/// Projection head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// MoCo-v2's two layers.
    Mlp,
    /// MoCo-v1's single layer.
    Linear,
}

/// What an encoder is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderSpec {
    /// Backbone.
    pub arch: Arch,
    /// Its entrance; the CIFAR family has only the small one.
    pub stem: Stem,
    /// Head.
    pub head: HeadKind,
    /// D, the embedding's dimension.
    pub dim: i64,
}

/// Backbone, head and their parameters.
#[derive(Debug)]
pub struct Encoder {
    compute: Compute,
    store: ParameterStore,
    backbone: ResNet,
    head: Vec<Linear>,
}

impl Encoder {
    /// A new encoder with initial values from libtorch's generator.
    ///
    /// # Errors
    /// What libtorch says where memory is short.
    pub fn new(spec: &EncoderSpec, compute: Compute) -> Result<Self, TensorError> {
        let mut store = ParameterStore::new();
        let backbone = ResNet::new(spec.arch, spec.stem, compute, &mut store)?;
        let features = spec.arch.features();
        let mut b = Builder { store: &mut store, compute, fan_in: false };
        let head = match spec.head {
            HeadKind::Linear => vec![b.linear("fc", spec.dim, features)],
            HeadKind::Mlp => vec![b.linear("fc.0", features, features), b.linear("fc.2", spec.dim, features)],
        };
        Ok(Self { compute, store, backbone, head })
    }

    /// Names and tensors.
    pub fn store(&self) -> &ParameterStore {
        &self.store
    }

    /// Where and how it computes.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// Stops all learning: for key encoders and frozen backbones.
    pub fn freeze(&mut self) {
        self.store.set_requires_grad(false);
    }

    /// Pooled backbone features (B, F), float32, before the head: what probes judge.
    ///
    /// # Errors
    /// What libtorch says, e.g. where the images are too small for the network.
    pub fn features(&self, images: &Tensor, mode: NormMode) -> Result<Tensor, TensorError> {
        self.backbone.forward(&self.compute.input(images)?, mode)
    }

    /// Unit embeddings (B, D), float32: `normalize(head(backbone(images)))` with torch's `F.normalize` (eps 1e-12).
    ///
    /// # Errors
    /// As [`Self::features`].
    pub fn embed(&self, images: &Tensor, mode: NormMode) -> Result<Tensor, TensorError> {
        let mut x = self.features(images, mode)?;
        for (i, layer) in self.head.iter().enumerate() {
            if i > 0 {
                x = x.f_relu()?;
            }
            x = layer.forward(&x)?;
        }
        let norm = x.f_norm_scalaropt_dim(2, [1i64].as_slice(), true)?.f_clamp_min(1e-12)?;
        Ok(x.f_div(&norm)?)
    }
}
