//! What an interrupted fine-tuning leaves behind, so that a call of the same evaluation goes on where it stopped.

use std::collections::BTreeMap;

use mochi_data::{BadImage, Position};
use mochi_tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::Progress;
use crate::linear::SweepPoint;

/// What an interrupted call has found.
#[derive(Debug, Default)]
pub struct Known {
    /// Learning rates that were tried.
    pub sweep: Vec<SweepPoint>,
    /// The training that was interrupted.
    pub training: Option<PartialTraining>,
}

/// A training between two steps. On a CPU with the same number of threads, the rest of the training is bit for bit that of an uninterrupted one.
#[derive(Debug)]
pub struct PartialTraining {
    /// Where it was interrupted.
    pub at: Interruption,
    /// The encoder's tensors (`encoder.`), the classifier's (`classifier.`) and the optimizer's (`optimizer.`).
    pub tensors: BTreeMap<String, Tensor>,
}

/// Where a training was interrupted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Interruption {
    /// Whether it was the last training, on all labeled images.
    pub fit: bool,
    /// Learning rate of the backbone.
    pub learning_rate: f64,
    /// Steps done.
    pub steps: usize,
    /// Position of the next batch.
    pub next: Position,
    /// Images that could not be read so far, by their index in the dataset.
    pub bad_images: BTreeMap<usize, BadImage>,
}

/// What happens during a fine-tuning.
pub enum Event<'a> {
    /// A training resumed from this state.
    Resumed(&'a Interruption),
    /// A learning rate was tried.
    Point(&'a SweepPoint),
    /// A step was done; the function copies the state of its training.
    Step(&'a dyn Fn() -> PartialTraining),
    /// Steps of the sweep, steps of the last training, test images.
    Progress(Progress),
}

/// A function that is called with each event.
pub type Tell<'a> = dyn FnMut(Event<'_>) + 'a;
