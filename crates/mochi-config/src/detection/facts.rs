//! Properties of the data and of the machine that the rules of `"auto"` and the checks read.

use crate::facts::{DeviceFacts, Machine};

/// Properties of the data and of the machine. [`Facts::default`] knows nothing: no image, no class, no GPU.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Number of training images.
    pub images: usize,
    /// Number of classes, without background.
    pub classes: usize,
    /// Whether the training objects have masks.
    pub masks: bool,
    /// Number of training objects without a mask, which a detector with masks does not learn from, and of all.
    pub unmasked: (usize, usize),
    /// CPU cores that this process may use.
    pub cores: usize,
    /// The processor and the memory of this process.
    pub cpu: DeviceFacts,
    /// Usable CUDA devices, by index.
    pub gpus: Vec<DeviceFacts>,
}

impl Facts {
    pub(crate) fn machine(&self) -> Machine<'_> {
        Machine { cores: self.cores, cpu: self.cpu, gpus: &self.gpus }
    }
}
