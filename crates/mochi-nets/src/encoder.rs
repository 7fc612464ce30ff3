//! An encoder f: a backbone and a projection head, whose normalized output lies on the unit sphere.

use crate::head::{Head, HeadKind};
use crate::layers::Builder;
use crate::{Arch, Backbone, NormMode, Stem};
use mochi_tensor::{BatchNorm, Compute, Group, ParameterStore, Role, Tensor, TensorError, no_grad};
use std::sync::Arc;

/// What an encoder is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderSpec {
    /// Backbone.
    pub arch: Arch,
    /// How an image enters it; the CIFAR family has only the CIFAR stem.
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
    /// Entries of the store that are the backbone's.
    backbone_entries: usize,
    backbone: Backbone,
    head: Head,
}

impl Encoder {
    /// A new encoder with initial values from libtorch's generator.
    ///
    /// # Errors
    /// libtorch's error, e.g. when memory is short.
    pub fn new(spec: &EncoderSpec, compute: Compute) -> Result<Self, TensorError> {
        let mut store = ParameterStore::new();
        let backbone = Backbone::new(spec.arch, spec.stem, compute, &mut store)?;
        let backbone_entries = store.iter().count();
        let mut b = Builder { store: &mut store, compute, fan_in: false };
        let shape = spec.arch.shape(spec.stem);
        let head = Head::new(spec.head, [shape.features(), shape.hidden, spec.dim], &mut b)?;
        Ok(Self { compute, store, backbone_entries, backbone, head })
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

    /// Lets every parameter learn again: for fine-tuning.
    pub fn unfreeze(&mut self) {
        self.store.set_requires_grad(true);
    }

    /// Takes the statistics of all batch norms over the batches of all ranks (`torch.nn.SyncBatchNorm.convert_sync_batchnorm`).
    pub fn synchronize_norms(&mut self, group: &Arc<Group>) {
        self.backbone.norms_mut().chain(self.head.norms_mut()).for_each(|norm| norm.synchronize(group));
    }

    /// The backbone.
    pub fn backbone(&self) -> &Backbone {
        &self.backbone
    }

    /// The backbone's tensors: torchvision's name, tensor and role.
    pub fn backbone_tensors(&self) -> impl Iterator<Item = (&str, &Tensor, Role)> {
        self.store.iter().take(self.backbone_entries)
    }

    /// Ends the collection of statistics that forward passes in [`NormMode::Collect`] began ([`mochi_tensor::BatchNorm::finish_collection`]).
    ///
    /// # Errors
    /// libtorch's error.
    pub fn finish_collection(&self) -> Result<(), TensorError> {
        self.backbone.norms().chain(self.head.norms()).try_for_each(BatchNorm::finish_collection)
    }

    /// Adds images to the statistics of standardized features, for [`Self::finish_collection`]; other norms keep theirs. Does nothing where features
    /// are not standardized.
    ///
    /// # Errors
    /// As [`Self::features`].
    pub fn collect_features(&self, images: &Tensor) -> Result<(), TensorError> {
        self.backbone.collect_features(&self.compute.input(images)?)
    }

    /// Raises the variances of standardized features to at least `fraction` of their mean.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn limit_feature_variance(&self, fraction: f64) -> Result<(), TensorError> {
        self.backbone.feature_norm().map_or(Ok(()), |norm| norm.limit_variance(fraction))
    }

    /// The filters (F, 3, k, k) of the first convolution.
    pub fn first_filters(&self) -> &Tensor {
        self.backbone.first_filters()
    }

    /// Replaces the filters of the first convolution, of the shape of [`Self::first_filters`].
    ///
    /// # Errors
    /// libtorch's error for another shape.
    pub fn set_first_filters(&self, filters: &Tensor) -> Result<(), TensorError> {
        let mut own = self.first_filters().shallow_clone();
        Ok(no_grad(|| own.f_copy_(filters))?)
    }

    /// Pooled backbone features (B, F), float32, before the head: the input of probes.
    ///
    /// # Errors
    /// libtorch's error, e.g. when the images are too small for the network.
    pub fn features(&self, images: &Tensor, mode: NormMode) -> Result<Tensor, TensorError> {
        self.backbone.pooled(&self.compute.input(images)?, mode)
    }

    /// Unit embeddings (B, D), float32: `normalize(head(backbone(images)))` with torch's `F.normalize` (eps 1e-12).
    ///
    /// # Errors
    /// As [`Self::features`].
    pub fn embed(&self, images: &Tensor, mode: NormMode) -> Result<Tensor, TensorError> {
        self.project(&self.features(images, mode)?, mode)
    }

    /// Unit embeddings (B, D) of pooled features (B, F): the second half of [`Self::embed`], for callers that need both.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn project(&self, features: &Tensor, mode: NormMode) -> Result<Tensor, TensorError> {
        let x = self.head.forward(features, mode)?;
        let norm = x.f_norm_scalaropt_dim(2, [1i64].as_slice(), true)?.f_clamp_min(1e-12)?;
        Ok(x.f_div(&norm)?)
    }
}
