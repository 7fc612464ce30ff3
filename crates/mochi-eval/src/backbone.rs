//! The promise of a frozen backbone, checked: every parameter and every running statistic is bit for bit what it was.
//!
//! facebookresearch/moco's `sanity_check` compares parameters after the first epoch; the usual mistake, batch-norm statistics that
//! drift because the network was left in training mode, hides in the buffers, so those are compared too.

use crate::EvalError;
use mochi_nets::Encoder;
use mochi_tensor::Tensor;
use std::collections::BTreeMap;

/// An encoder and what it was when it was frozen.
#[derive(Debug)]
pub struct Backbone<'a> {
    encoder: &'a Encoder,
    before: BTreeMap<String, Tensor>,
}

impl<'a> Backbone<'a> {
    /// Remembers every tensor of the encoder.
    ///
    /// # Errors
    /// [`EvalError::BrokenBackbone`] where one holds NaN or infinity: NaN differs from itself, so nothing could be shown unchanged,
    /// and there is nothing to judge.
    pub fn watch(encoder: &'a Encoder) -> Result<Self, EvalError> {
        let before = encoder.store().export("");
        match before.iter().find(|(_, tensor)| !tensor.isfinite().all().equal(&Tensor::from(true))) {
            Some((name, _)) => Err(EvalError::BrokenBackbone { tensor: name.clone() }),
            None => Ok(Self { encoder, before }),
        }
    }

    /// Checks that nothing moved since [`Self::watch`].
    ///
    /// # Errors
    /// [`EvalError::BackboneMoved`] naming the first tensor that did.
    pub fn check(&self) -> Result<(), EvalError> {
        if self.encoder.store().identical(&self.before) {
            return Ok(());
        }
        let now = self.encoder.store().export("");
        let moved = self.before.iter().find(|(name, tensor)| now.get(*name).is_none_or(|other| !other.equal(tensor)));
        let tensor = moved.map_or_else(|| "an unnamed tensor".to_owned(), |(name, _)| name.clone());
        Err(EvalError::BackboneMoved { tensor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_nets::{Arch, EncoderSpec, HeadKind, NormMode, Stem};
    use mochi_tensor::{Compute, Device, Kind, no_grad};

    #[test]
    fn one_step_in_training_mode_is_caught_by_its_statistics() {
        let spec = EncoderSpec { arch: Arch::Cifar { blocks: 1 }, stem: Stem::Cifar, head: HeadKind::Linear, dim: 8 };
        let encoder = Encoder::new(&spec, Compute::CPU).unwrap();
        let images = Tensor::rand([4, 3, 16, 16], (Kind::Float, Device::Cpu));
        let backbone = Backbone::watch(&encoder).unwrap();
        let _ = no_grad(|| encoder.features(&images, NormMode::Eval)).unwrap();
        backbone.check().unwrap();
        let _ = no_grad(|| encoder.features(&images, NormMode::Train { groups: 1 })).unwrap();
        let error = backbone.check().unwrap_err().to_string();
        assert!(error.contains("running_"), "{error}");
        let _ = no_grad(|| encoder.store().parameters()[0].fill_(f64::NAN));
        assert!(matches!(Backbone::watch(&encoder), Err(EvalError::BrokenBackbone { .. })));
    }
}
