//! An encoder's backbone with a classifier, trained together.
//!
//! ```text
//! z = W h + b            h (B, F): pooled backbone features, batch statistics        loss: mean cross entropy of softmax(z)
//! SGD, momentum 0.9, no weight decay: the backbone at the learning rate, W and b at [`CLASSIFIER`] times it
//! ```
//!
//! A test compares four steps with PyTorch in float64.

use std::collections::BTreeMap;

use mochi_nets::{Encoder, NormMode};
use mochi_tensor::{
    Kind, Optimizer, ParameterGroup, ParameterStore, Reduction, Role, Tensor, Update, from_f32, no_grad,
};

use crate::EvalError;
use crate::draws::normal;
use crate::features::as_i64;
use crate::probe::Probe;

/// Learning rate of the classifier over that of the backbone.
pub(super) const CLASSIFIER: f64 = 10.0;
const MOMENTUM: f64 = 0.9;
/// Standard deviation of the classifier's first weights, as of a linear probe.
const DEVIATION: f64 = 0.01;
/// Names of an encoder's head, which takes no part.
const HEAD: &str = "fc.";
/// Before the names of what [`Network::export`] gives.
const ENCODER: &str = "encoder.";
const CLASSIFIER_NAMES: &str = "classifier.";
const OPTIMIZER: &str = "optimizer.";

/// An encoder that is trained; dropped, it is again as it was.
pub(super) struct Network<'a> {
    encoder: &'a mut Encoder,
    /// The encoder's tensors as they were.
    start: BTreeMap<String, Tensor>,
    /// Weight (C, F) and bias (C,).
    classifier: ParameterStore,
    weight: Tensor,
    bias: Tensor,
    optimizer: Optimizer,
}

impl<'a> Network<'a> {
    /// The encoder as it is, with a classifier of `classes` classes whose weights come from `seed`.
    pub(super) fn new(encoder: &'a mut Encoder, classes: usize, seed: u64) -> Result<Self, EvalError> {
        let width = encoder.backbone().width(); // F
        let start = encoder.store().export("");
        encoder.unfreeze();
        let device = encoder.compute().device;
        let values = normal(classes * usize::try_from(width).unwrap_or(0), DEVIATION, seed);
        let weight = from_f32(&values, &[as_i64(classes), width])?;
        let bias = Tensor::f_zeros([as_i64(classes)], (Kind::Float, device))?;
        let mut classifier = ParameterStore::new();
        let weight = classifier.add("weight", weight.f_to_device(device)?, Role::Parameter);
        let bias = classifier.add("bias", bias, Role::Parameter);
        let backbone = ParameterGroup::new(1.0, 0.0).with(encoder.store(), "", |name| !name.starts_with(HEAD));
        let head = ParameterGroup::new(CLASSIFIER, 0.0).with(&classifier, CLASSIFIER_NAMES, |_| true);
        let optimizer = Optimizer::new(Update::Sgd, MOMENTUM, vec![backbone, head])?;
        Ok(Self { encoder, start, classifier, weight, bias, optimizer })
    }

    /// The encoder, in whatever state.
    pub(super) fn encoder(&self) -> &Encoder {
        self.encoder
    }

    /// One step on images (B, 3, S, S) of classes (B,), int64, on the encoder's device; gives the loss before it.
    pub(super) fn step(&mut self, images: &Tensor, labels: &Tensor, learning_rate: f64) -> Result<f64, EvalError> {
        let features = self.encoder.features(images, NormMode::Train { groups: 1 })?.f_to_kind(self.weight.kind())?;
        let logits = features.f_matmul(&self.weight.f_tr()?)?.f_add(&self.bias)?; // (B, C)
        let loss = logits.f_cross_entropy_loss::<Tensor>(labels, None, Reduction::Mean, -100, 0.0)?;
        self.optimizer.clear_gradients()?;
        loss.f_backward()?;
        self.optimizer.step(learning_rate)?;
        Ok(loss.f_double_value(&[])?)
    }

    /// The classifier as a probe of one classifier, weights (F + 1, C), to be evaluated.
    pub(super) fn probe(&self) -> Result<Probe, EvalError> {
        let weights = no_grad(|| Tensor::f_cat(&[self.weight.f_tr()?, self.bias.f_unsqueeze(0)?], 0)?.f_detach())?;
        Probe::from_weights(&weights, &[0.0])
    }

    /// A copy of everything that the next steps depend on.
    pub(super) fn export(&self) -> BTreeMap<String, Tensor> {
        let mut tensors = self.encoder.store().export(ENCODER);
        tensors.extend(self.classifier.export(CLASSIFIER_NAMES));
        tensors
            .extend(self.optimizer.export().into_iter().map(|(name, tensor)| (format!("{OPTIMIZER}{name}"), tensor)));
        tensors
    }

    /// Goes on from what [`Network::export`] gave; `false`, and nothing is changed, if these tensors have other names or shapes.
    pub(super) fn load(&mut self, tensors: &BTreeMap<String, Tensor>) -> Result<bool, EvalError> {
        let own = self.export();
        let fits =
            |(name, tensor): (&String, &Tensor)| tensors.get(name).is_some_and(|other| other.size() == tensor.size());
        if own.len() != tensors.len() || !own.iter().all(fits) {
            return Ok(false);
        }
        self.encoder.store().load(tensors, ENCODER)?;
        self.classifier.load(tensors, CLASSIFIER_NAMES)?;
        let state = tensors
            .iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(OPTIMIZER)?.to_owned(), tensor.shallow_clone())));
        self.optimizer.load(&state.collect())?;
        Ok(true)
    }

    /// Weight and bias of the classifier.
    #[cfg(test)]
    pub(super) fn classifier(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        // The shapes are those of the encoder itself, so that nothing can fail.
        let restored = self.encoder.store().load(&self.start, "");
        debug_assert!(restored.is_ok());
        self.encoder.freeze();
    }
}
