//! State of one epoch in a loader: its order, the blocks that are read ahead, and its bad images.

use std::collections::BTreeMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::options::{LoaderOptions, Order, Position};
use crate::dataset::{Dataset, shards};
use crate::error::BadImage;

/// State shared by the batches of one epoch.
pub(super) struct Epoch {
    pub(super) number: u64,
    /// The epoch's permutation; `None` is 0, 1, 2, ...
    order: Option<Vec<u32>>,
    /// Reads ahead from remote storage.
    pub(super) stream: Option<shards::stream::Stream>,
    /// Bad images by index, so that none is read twice. They do not change any result.
    bad: RwLock<BTreeMap<u32, BadImage>>,
    bad_count: AtomicUsize,
}

impl Epoch {
    /// Starts epoch `start.epoch` at batch `start.batch`.
    pub(super) fn new(dataset: &Dataset, options: &LoaderOptions, start: Position) -> Self {
        let order = match options.order {
            Order::Sequential => options.images.as_ref().map(|images| images.to_vec()),
            Order::Shuffled { seed } => {
                let mut order = dataset.order(seed, start.epoch);
                if let Some(images) = &options.images {
                    order.retain(|image| images.binary_search(image).is_ok());
                }
                Some(order)
            }
        };
        let images = options.count(dataset);
        let image = |position: usize| image_at(order.as_deref(), position);
        let positions = (start.batch..options.batches(images)).flat_map(|batch| options.positions(images, batch));
        let stream = dataset.stream(positions.map(image));
        Self { number: start.epoch, order, stream, bad: RwLock::default(), bad_count: AtomicUsize::new(0) }
    }

    /// The image at a position of the epoch.
    pub(super) fn image(&self, position: usize) -> u32 {
        image_at(self.order.as_deref(), position)
    }

    /// Bad images found so far.
    pub(super) fn bad_count(&self) -> usize {
        self.bad_count.load(Ordering::Relaxed)
    }

    pub(super) fn is_bad(&self, image: u32) -> bool {
        // Usually there are none.
        self.bad_count() > 0 && self.read().contains_key(&image)
    }

    pub(super) fn note(&self, image: u32, bad: BadImage) {
        let mut known = self.bad.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.entry(image).or_insert(bad);
        self.bad_count.store(known.len(), Ordering::Relaxed);
    }

    /// Known errors of these images.
    pub(super) fn noted<'a>(&self, images: impl Iterator<Item = &'a u32>) -> Vec<BadImage> {
        let known = self.read();
        images.filter_map(|image| known.get(image).cloned()).collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<u32, BadImage>> {
        self.bad.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn image_at(order: Option<&[u32]>, position: usize) -> u32 {
    order.and_then(|order| order.get(position).copied()).unwrap_or(position as u32)
}
