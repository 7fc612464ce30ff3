//! A batch of views.

use std::time::Duration;

use crate::targets::Targets;

/// A batch of views.
#[derive(Clone, Debug)]
pub struct Batch<B = Vec<f32>> {
    /// Its epoch, from 0.
    pub epoch: u64,
    /// Its number in the epoch, from 0.
    pub number: usize,
    /// B images: for each the index that was used, after replacement of bad ones.
    pub images: Vec<u32>,
    /// For each image its targets.
    pub targets: Vec<Targets>,
    /// For each view a buffer that begins with (B, 3, S, S) planar normalized floats. It is longer only where bad images were left out
    /// ([`super::Order::Sequential`]).
    pub views: Vec<B>,
    /// Floats of one view of one image.
    pub(super) floats: usize,
    /// How long `next()` waited for this batch.
    pub waited: Duration,
}

impl<B: std::ops::Deref<Target = [f32]>> Batch<B> {
    /// View `index` as (B, 3, S, S) floats; empty where there is none.
    pub fn view(&self, index: usize) -> &[f32] {
        self.views.get(index).and_then(|view| view.get(..self.images.len() * self.floats)).unwrap_or_default()
    }
}
