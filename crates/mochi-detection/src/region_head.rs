//! The layers that regions go through before classes, boxes and masks are predicted: in a C4 detector the backbone's last stage, whose map boxes and masks
//! have in common; in one with a feature pyramid two linear layers for the boxes (detectron2 `roi_heads/box_head.py`, `FastRCNNConvFCHead`), and for
//! the masks regions of their own.

use mochi_nets::Stage;
use mochi_tensor::{BatchNorm, TensorError};

use crate::layers::{Builder, Initial, Linear};

/// Values after each linear layer.
pub(crate) const HIDDEN: i64 = 1024;

/// The layers.
#[derive(Debug)]
pub(crate) enum RegionHead {
    /// A stage of the backbone, followed by a norm without ReLU. Its map (R, C, 7, 7) serves boxes and masks.
    Stage(Stage, BatchNorm),
    /// Two linear layers, each followed by ReLU, over all values of a region of 7x7.
    Linear([Linear; 2]),
}

impl RegionHead {
    /// Two linear layers over regions of `channels` channels and `bins` x `bins` cells. Weights as fvcore's `c2_xavier_fill`.
    pub fn linear(channels: i64, bins: usize, b: &mut Builder) -> Result<Self, TensorError> {
        let input = channels * mochi_tensor::dim(bins * bins);
        let first = b.linear("box_head.fc1", [HIDDEN, input], Initial::Xavier)?;
        Ok(Self::Linear([first, b.linear("box_head.fc2", [HIDDEN, HIDDEN], Initial::Xavier)?]))
    }
}
