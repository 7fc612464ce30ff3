//! A batch of views.

use std::time::Duration;

use crate::targets::Targets;

/// A batch of views.
#[derive(Clone, Debug)]
pub struct Batch<B = Vec<f32>> {
    /// Epoch, from 0.
    pub epoch: u64,
    /// Number of the batch in its epoch, from 0.
    pub number: usize,
    /// Indices of the B images, after replacement of bad images.
    pub images: Vec<u32>,
    /// Targets of each image.
    pub targets: Vec<Targets>,
    /// For each view a buffer that starts with (B, 3, S, S) planar normalized floats. It is longer only if bad images were left out
    /// ([`super::Order::Sequential`]).
    pub views: Vec<B>,
    /// Floats of one view of one image.
    pub(super) floats: usize,
    /// Time that `next()` waited for this batch.
    pub waited: Duration,
}

impl<B: std::ops::Deref<Target = [f32]>> Batch<B> {
    /// View `index` as (B, 3, S, S) floats; empty if there is no such view.
    pub fn view(&self, index: usize) -> &[f32] {
        self.views.get(index).and_then(|view| view.get(..self.images.len() * self.floats)).unwrap_or_default()
    }
}
