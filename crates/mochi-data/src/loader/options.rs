//! Options of a loader.

use std::time::Duration;

use crate::augmentation::Augmentation;
use crate::cancel::Cancel;
use crate::dataset::Dataset;
use crate::error::DataError;

/// In which order an epoch visits the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A permutation drawn from (seed, epoch). A bad image is replaced, so that batches stay complete.
    Shuffled {
        /// The run's seed.
        seed: u64,
    },
    /// 0, 1, 2, ... A bad image is left out: a batch can be smaller, and `Batch::images` says which are in it. An empty batch is
    /// not yielded.
    Sequential,
}

/// Which part of each batch this process loads, of several that train together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Number of this process, from 0.
    pub rank: usize,
    /// Number of processes. It must divide the batch size.
    pub world_size: usize,
}

impl Shard {
    /// The only process.
    pub const WHOLE: Self = Self { rank: 0, world_size: 1 };

    /// The positions of an epoch that this process loads, of a batch at `start..end`.
    pub(super) fn of(self, start: usize, end: usize) -> std::ops::Range<usize> {
        let count = end - start;
        start + count * self.rank / self.world_size..start + count * (self.rank + 1) / self.world_size
    }
}

/// A place in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The epoch, from 0.
    pub epoch: u64,
    /// The batch in the epoch, from 0.
    pub batch: usize,
}

/// How to load.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// Order of the images.
    pub order: Order,
    /// Seed of the views.
    pub seed: u64,
    /// The first batch to yield.
    pub start: Position,
    /// The loader ends before this epoch.
    pub end_epoch: u64,
    /// Images in a batch, over all processes.
    pub batch: usize,
    /// Which part of each batch is loaded.
    pub shard: Shard,
    /// Views of each image: 1 or 2.
    pub views: usize,
    /// Width and height of a view in pixels.
    pub size: u32,
    /// How a view is made.
    pub augmentation: Augmentation,
    /// Whether a last batch of an epoch that is not full is left out.
    pub drop_last: bool,
    /// Reading threads; 0 means one for each core.
    pub threads: usize,
    /// Batches begun and not yet taken, at most; memory grows with it. At least 1; 2 or more keep all threads busy.
    pub prefetch: usize,
    /// The fraction of bad images among those read in an epoch above which the loader gives up (0.01 = 1 %). So that a few files do not
    /// decide it, fractions are taken of at least 1,000 images (or all, if there are fewer), and a single bad image never ends a run
    /// unless the limit is 0.
    pub max_bad_fraction: f64,
    /// Let JPEG be decoded at 1/2, 1/4 or 1/8 of its size where the shorter side keeps at least twice the view's size, with
    /// fast chroma upsampling. Faster, and not exact: crops are then resized from an image that was shrunk by a box filter.
    pub fast_decode: bool,
    /// Turn JPEGs as their EXIF data says. Off, as in Pillow and torchvision.
    pub exif_orientation: bool,
    /// Give up if no image is finished for this long (a network file system that hangs).
    pub stall_timeout: Duration,
    /// Ends waiting for a batch with [`DataError::Canceled`].
    pub cancel: Cancel,
}

impl Default for LoaderOptions {
    /// Epoch 0 with two `moco-v2` views at 224 px in shuffled batches of 256, four batches ahead, with a thread for each core.
    fn default() -> Self {
        Self {
            order: Order::Shuffled { seed: 0 },
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
            exif_orientation: false,
            stall_timeout: Duration::from_secs(600),
            cancel: Cancel::default(),
        }
    }
}

impl LoaderOptions {
    /// Floats of one view.
    pub(super) fn floats(&self) -> usize {
        self.size as usize * self.size as usize * 3
    }

    /// Batches of an epoch of `images` images.
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
            return setting("batch size", "0 images in a batch".into());
        }
        if rank >= world_size {
            return setting("shard", format!("rank {rank} of {world_size} processes"));
        }
        if !self.batch.is_multiple_of(world_size) {
            return setting(
                "batch size",
                format!("{} images cannot be divided among {world_size} processes", self.batch),
            );
        }
        if !(1..=2).contains(&self.views) {
            return setting("views", format!("{} views of an image; 1 or 2 are made", self.views));
        }
        if !(1..=4096).contains(&self.size) {
            return setting("view size", format!("{} px; 1 to 4096 are possible", self.size));
        }
        if !(0.0..=1.0).contains(&self.max_bad_fraction) {
            return setting("max_bad_fraction", format!("{} is not a fraction between 0 and 1", self.max_bad_fraction));
        }
        if self.drop_last && dataset.len() < self.batch {
            let detail = format!("batches of {} cannot be filled from {} images", self.batch, dataset.len());
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
