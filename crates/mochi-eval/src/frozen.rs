//! Proof that a frozen encoder stays frozen: every parameter and every running statistic is bitwise what it was.
//!
//! facebookresearch/moco's `sanity_check` compares parameters after the first epoch. The usual mistake, batch-norm statistics that
//! drift because the network was left in training mode, is in the buffers, so those are compared too.

use crate::EvalError;
use mochi_nets::Encoder;
use mochi_tensor::Tensor;
use std::collections::BTreeMap;

/// An encoder with a copy of its tensors.
#[derive(Debug)]
pub struct FrozenEncoder<'a> {
    encoder: &'a Encoder,
    snapshot: BTreeMap<String, Tensor>,
}

impl<'a> FrozenEncoder<'a> {
    /// Copies every tensor of the encoder.
    ///
    /// # Errors
    /// [`EvalError::EncoderNotFinite`] if one holds NaN or infinity.
    pub fn snapshot(encoder: &'a Encoder) -> Result<Self, EvalError> {
        let snapshot = encoder.store().export("");
        // NaN differs from itself, so such a tensor could not be shown unchanged.
        match snapshot.iter().find(|(_, tensor)| !tensor.isfinite().all().equal(&Tensor::from(true))) {
            Some((name, _)) => Err(EvalError::EncoderNotFinite { tensor: name.clone() }),
            None => Ok(Self { encoder, snapshot }),
        }
    }

    /// Checks that nothing has changed since [`Self::snapshot`].
    ///
    /// # Errors
    /// [`EvalError::EncoderChanged`] naming the first tensor that did.
    pub fn check(&self) -> Result<(), EvalError> {
        if self.encoder.store().identical(&self.snapshot) {
            return Ok(());
        }
        let now = self.encoder.store().export("");
        let mut tensors = self.snapshot.iter();
        let changed = tensors.find(|(name, tensor)| now.get(*name).is_none_or(|other| !other.equal(tensor)));
        let tensor = changed.map_or_else(|| "(unnamed)".to_owned(), |(name, _)| name.clone());
        Err(EvalError::EncoderChanged { tensor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_nets::{Arch, EncoderSpec, HeadKind, NormMode, Stem};
    use mochi_tensor::{Compute, Device, Kind, no_grad};

    #[test]
    fn one_step_in_training_mode_shows_in_the_buffers_of_batch_norm() {
        let spec = EncoderSpec { arch: Arch::Cifar { blocks: 1 }, stem: Stem::Cifar, head: HeadKind::Linear, dim: 8 };
        let encoder = Encoder::new(&spec, Compute::CPU).unwrap();
        let images = Tensor::rand([4, 3, 16, 16], (Kind::Float, Device::Cpu));
        let frozen = FrozenEncoder::snapshot(&encoder).unwrap();
        let _ = no_grad(|| encoder.features(&images, NormMode::Eval)).unwrap();
        frozen.check().unwrap();
        let _ = no_grad(|| encoder.features(&images, NormMode::Train { groups: 1 })).unwrap();
        let error = frozen.check().unwrap_err().to_string();
        assert!(error.contains("\"bn1."), "{error}");
        let _ = no_grad(|| encoder.store().parameters()[0].fill_(f64::NAN));
        assert!(matches!(FrozenEncoder::snapshot(&encoder), Err(EvalError::EncoderNotFinite { .. })));
    }
}
