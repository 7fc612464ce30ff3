//! Projection heads: pooled features (B, F) to embeddings (B, D), before they are normalized to unit length.

use crate::NormMode;
use crate::layers::{Builder, Linear};
use mochi_tensor::{Affine, BatchNorm, Tensor, TensorError};

/// Projection head. H is F, as published; [`crate::Arch::PatchResNet`] has 512.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// MoCo-v1's single layer: `Linear(F, D)`, `fc.*`.
    Linear,
    /// MoCo-v2's two layers: `Linear(F, H) - ReLU - Linear(H, D)`, `fc.0.*` and `fc.2.*`. No batch norm, as published.
    Mlp,
    /// SimCLR's two layers with batch norm after both (google-research/simclr, `model_util.py`, `projection_head`): `Linear(F, H) - norm -
    /// ReLU - Linear(H, D) - norm`, `fc.0.*`, `fc.1.*`, `fc.3.*` and `fc.4.*`. The linear layers have no bias, the last norm no shift.
    MlpBn,
}

/// A head's layers.
#[derive(Debug)]
pub(crate) struct Head(Vec<Layer>);

#[derive(Debug)]
struct Layer {
    linear: Linear,
    norm: Option<BatchNorm>,
    relu: bool,
}

impl Head {
    /// A head from `features` over `hidden` to `dim` values.
    pub fn new(kind: HeadKind, [features, hidden, dim]: [i64; 3], b: &mut Builder) -> Result<Self, TensorError> {
        let plain = |linear, relu| Layer { linear, norm: None, relu };
        Ok(Self(match kind {
            HeadKind::Linear => vec![plain(b.linear("fc", dim, features), false)],
            HeadKind::Mlp => {
                vec![plain(b.linear("fc.0", hidden, features), true), plain(b.linear("fc.2", dim, hidden), false)]
            }
            HeadKind::MlpBn => {
                let mut layer = |names: [&str; 2], input: i64, out: i64, last: bool| -> Result<Layer, TensorError> {
                    let linear = b.linear_before_norm(names[0], out, input);
                    let norm = BatchNorm::new(
                        b.store,
                        names[1],
                        out,
                        if last { Affine::Scale } else { Affine::ScaleAndShift },
                        b.compute.device,
                    )?;
                    Ok(Layer { linear, norm: Some(norm), relu: !last })
                };
                vec![layer(["fc.0", "fc.1"], features, hidden, false)?, layer(["fc.3", "fc.4"], hidden, dim, true)?]
            }
        }))
    }

    /// Its norms.
    pub fn norms(&self) -> impl Iterator<Item = &BatchNorm> {
        self.0.iter().filter_map(|layer| layer.norm.as_ref())
    }

    /// Every norm, to change how it works.
    pub fn norms_mut(&mut self) -> impl Iterator<Item = &mut BatchNorm> {
        self.0.iter_mut().filter_map(|layer| layer.norm.as_mut())
    }

    /// (B, F) -> (B, D), float32.
    pub fn forward(&self, features: &Tensor, mode: NormMode) -> Result<Tensor, TensorError> {
        let mut x = features.shallow_clone();
        for Layer { linear, norm, relu } in &self.0 {
            x = linear.forward(&x)?;
            x = match norm {
                Some(norm) => norm.forward(x, mode, *relu, None)?,
                None if *relu => x.f_relu()?,
                None => x,
            };
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_tensor::{Compute, Device, Kind, ParameterStore};

    fn head(kind: HeadKind, store: &mut ParameterStore) -> Head {
        let mut b = Builder { store, compute: Compute::CPU, fan_in: false };
        mochi_tensor::with_seed(5, || Head::new(kind, [48, 48, 16], &mut b)).unwrap()
    }

    fn features() -> Tensor {
        mochi_tensor::with_seed(9, || Tensor::randn([64, 48], (Kind::Float, Device::Cpu))) + 0.5
    }

    /// Science review, A4: SimCLR's head normalizes each dimension of the embedding over the batch.
    #[test]
    fn a4_simclrs_head_has_batch_norm_after_both_layers() {
        let mut store = ParameterStore::new();
        let head = head(HeadKind::MlpBn, &mut store);
        let names: Vec<&str> = store.named_parameters().map(|(name, _)| name).collect();
        assert_eq!(names, ["fc.0.weight", "fc.1.weight", "fc.1.bias", "fc.3.weight", "fc.4.weight"]);
        let y = head.forward(&features(), NormMode::Train { groups: 1 }).unwrap().to_kind(Kind::Double);
        assert_eq!(y.size(), [64, 16]);
        let mean = y.mean_dim([0i64].as_slice(), false, Kind::Double);
        let variance = (&y - &mean).square().mean_dim([0i64].as_slice(), false, Kind::Double);
        // float32 roundings of `x * scale + shift`, whose terms are larger than their sum.
        assert!(mean.abs().max().double_value(&[]) < 1e-5);
        // Short of 1 by eps over the variance before.
        assert!((&variance - 1.0).abs().max().double_value(&[]) < 0.1, "{variance:?}");
        y.square().sum(Kind::Double).backward();
        assert!(store.named_parameters().all(|(_, tensor)| tensor.grad().defined()));
    }

    /// In float64, out of libtorch's own operations.
    #[test]
    fn a4_simclrs_head_computes_its_definition() {
        let mut store = ParameterStore::new();
        let head = head(HeadKind::MlpBn, &mut store);
        let weights = store.export("");
        let wide = |name: &str| weights[name].to_kind(Kind::Double);
        let norm = |x: &Tensor| {
            let mean = x.mean_dim([0i64].as_slice(), true, Kind::Double);
            let variance = (x - &mean).square().mean_dim([0i64].as_slice(), true, Kind::Double);
            (x - mean) / (variance + 1e-5).sqrt()
        };
        let x = norm(&features().to_kind(Kind::Double).matmul(&wide("fc.0.weight").tr())).relu();
        let wanted = norm(&x.matmul(&wide("fc.3.weight").tr()));
        let y = head.forward(&features(), NormMode::Train { groups: 1 }).unwrap().to_kind(Kind::Double);
        assert!((y - wanted).abs().max().double_value(&[]) < 1e-4);
    }
}
