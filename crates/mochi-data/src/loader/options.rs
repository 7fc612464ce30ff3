//! Options of a loader.

use std::sync::Arc;
use std::time::Duration;

use super::cache::CacheOptions;
use crate::cancel::Cancel;
use crate::dataset::Dataset;
use crate::error::DataError;
use mochi_views::Augmentation;
use serde::{Deserialize, Serialize};

/// Order of the images in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A permutation drawn from (seed, epoch). A bad image is replaced, so that batches stay complete.
    Shuffled {
        /// Seed of the run.
        seed: u64,
    },
    /// 0, 1, 2, ... Bad images are left out, so a batch can be smaller; `Batch::images` lists its images. Empty batches are
    /// not returned.
    Sequential,
}

/// Part of each batch that this process loads in distributed training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Rank of this process, from 0.
    pub rank: usize,
    /// Number of processes. It must divide the batch size.
    pub world_size: usize,
}

impl Shard {
    /// A single process.
    pub const WHOLE: Self = Self { rank: 0, world_size: 1 };

    /// The positions that this process loads of a batch at positions `start..end`.
    pub fn of(self, start: usize, end: usize) -> std::ops::Range<usize> {
        let count = end - start;
        start + count * self.rank / self.world_size..start + count * (self.rank + 1) / self.world_size
    }
}

/// Position in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Epoch, from 0.
    pub epoch: u64,
    /// Batch in the epoch, from 0.
    pub batch: usize,
}

/// Options of a loader.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// Order of the images.
    pub order: Order,
    /// Only these images, by rising index; `None`: all. A bad one is replaced by one of them.
    pub images: Option<Arc<[u32]>>,
    /// Seed of the views.
    pub seed: u64,
    /// The first batch to return.
    pub start: Position,
    /// The loader ends before this epoch.
    pub end_epoch: u64,
    /// Images per batch, over all processes.
    pub batch: usize,
    /// Part of each batch that is loaded.
    pub shard: Shard,
    /// Number of views per image: 1 or 2.
    pub views: usize,
    /// Width and height of a view in pixels.
    pub size: u32,
    /// Augmentation pipeline.
    pub augmentation: Augmentation,
    /// Whether an incomplete last batch of an epoch is dropped.
    pub drop_last: bool,
    /// Number of worker threads; 0 means one per core.
    pub threads: usize,
    /// Maximum number of batches that are started and not yet taken, at least 1. Memory grows with it; 2 or more keep all threads busy.
    pub prefetch: usize,
    /// Fraction of bad images among those read in an epoch above which the loader fails (0.01 = 1 %). The fraction is relative to at least 1,000
    /// images (or all, if there are fewer), and a single bad image does not end a run unless the limit is 0.
    pub max_bad_fraction: f64,
    /// Decode JPEGs at 1/2, 1/4 or 1/8 of their size if the shorter side remains at least twice the view size, with fast chroma upsampling. This is
    /// faster but not exact, because crops are resized from an image that was already shrunk by a box filter.
    pub fast_decode: bool,
    /// Keep decoded images in memory, reduced to this size. Images without an encoding (IDX, CIFAR) are in memory anyway and stay as they are.
    pub cache: Option<CacheOptions>,
    /// Apply the EXIF orientation of JPEGs. Off by default, as in Pillow and torchvision.
    pub exif_orientation: bool,
    /// Fail if no image is completed for this time, for example because a network file system hangs.
    pub stall_timeout: Duration,
    /// Cancels a wait for a batch, which then returns [`DataError::Canceled`].
    pub cancel: Cancel,
}

impl Default for LoaderOptions {
    /// Epoch 0 with two `moco-v2` views at 224 px in shuffled batches of 256, four batches ahead, with a thread for each core.
    fn default() -> Self {
        Self {
            order: Order::Shuffled { seed: 0 },
            images: None,
            seed: 0,
            start: Position::default(),
            end_epoch: 1,
            batch: 256,
            shard: Shard::WHOLE,
            views: 2,
            size: 224,
            augmentation: Augmentation::preset("moco-v2").unwrap_or_else(|| unreachable!("moco-v2 is in PRESETS")),
            drop_last: true,
            threads: 0,
            prefetch: 4,
            max_bad_fraction: 0.01,
            fast_decode: false,
            cache: None,
            exif_orientation: false,
            stall_timeout: Duration::from_secs(600),
            cancel: Cancel::default(),
        }
    }
}

impl LoaderOptions {
    /// Number of floats per view.
    pub(super) fn floats(&self) -> usize {
        self.size as usize * self.size as usize * 3
    }

    /// Number of images of an epoch.
    pub(super) fn count(&self, dataset: &Dataset) -> usize {
        self.images.as_ref().map_or(dataset.len(), |images| images.len())
    }

    /// The image that replaces `image` after `step` bad ones.
    pub(super) fn replacement(&self, dataset: &Dataset, image: u32, step: u32) -> u32 {
        let after = |place: u64, count: u64| (place + u64::from(step)) % count.max(1);
        match &self.images {
            None => after(u64::from(image), dataset.len() as u64) as u32,
            Some(images) => {
                let place = images.partition_point(|&one| one < image) as u64;
                let at = after(place, images.len() as u64) as usize;
                images.get(at).copied().unwrap_or(image)
            }
        }
    }

    /// Number of batches per epoch of `images` images.
    pub(super) fn batches(&self, images: usize) -> usize {
        if self.drop_last { images / self.batch } else { images.div_ceil(self.batch) }
    }

    /// The positions of an epoch that this process loads for a batch.
    pub(super) fn positions(&self, images: usize, batch: usize) -> std::ops::Range<usize> {
        let start = batch.saturating_mul(self.batch).min(images);
        self.shard.of(start, start.saturating_add(self.batch).min(images))
    }

    pub(super) fn check(&self, dataset: &Dataset) -> Result<(), DataError> {
        let setting = |what, detail: String| Err(DataError::Setting { what, detail });
        self.augmentation.check()?;
        let Shard { rank, world_size } = self.shard;
        if self.batch == 0 {
            return setting("batch size", "expected at least 1 image per batch, got 0".into());
        }
        if rank >= world_size {
            return setting("shard", format!("rank {rank} is not below the number of processes, {world_size}"));
        }
        if !self.batch.is_multiple_of(world_size) {
            return setting(
                "batch size",
                format!("{} images per batch are not a multiple of {world_size} processes", self.batch),
            );
        }
        // A view's number is part of the key of its random numbers, as u16.
        if !(1..=usize::from(u16::MAX)).contains(&self.views) {
            return setting("views", format!("expected 1 to {} views per image, got {}", u16::MAX, self.views));
        }
        if !(1..=4096).contains(&self.size) {
            return setting("view size", format!("expected 1 to 4096 px, got {}", self.size));
        }
        if !(0.0..=1.0).contains(&self.max_bad_fraction) {
            return setting(
                "max_bad_fraction",
                format!("expected a fraction from 0 to 1, got {}", self.max_bad_fraction),
            );
        }
        if let Some(images) = &self.images
            && (!images.is_sorted_by(|a, b| a < b) || images.last().is_none_or(|&last| last as usize >= dataset.len()))
        {
            return setting("images", format!("expected rising indices below {}, at least one", dataset.len()));
        }
        let count = self.count(dataset);
        if self.drop_last && count < self.batch {
            let detail = format!("a batch of {} needs more images than there are, {count}", self.batch);
            return setting("batch size", detail);
        }
        if self.floats().checked_mul(self.batch).and_then(|n| n.checked_mul(4)).is_none_or(|n| n > isize::MAX as usize)
        {
            let detail = format!("{} images of {} px do not fit into memory", self.batch, self.size);
            return setting("batch size", detail);
        }
        Ok(())
    }
}
