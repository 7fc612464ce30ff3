//! Batches of two views, made by one loader for the whole run.

use mochi_config::Resolved;
use mochi_data::{BadImage, Batch, Dataset, Loader, LoaderOptions, Order, Position, Shard};
use mochi_run::StopFlag;

use crate::{Batches, Timeline, TrainError, augmentation};

/// Two views of each image, epoch after epoch.
pub struct Views(Loader);

impl Views {
    /// The batches from step `step` to the end of the run; a request to stop ends waiting for them.
    pub(crate) fn new(
        settings: &Resolved,
        dataset: &Dataset,
        timeline: Timeline,
        step: u64,
        shard: Shard,
        stop: &StopFlag,
    ) -> Result<Self, TrainError> {
        let data = &settings.data;
        let per_epoch = timeline.steps_per_epoch.max(1);
        let batch = usize::try_from(step % per_epoch);
        let batch = batch.map_err(|_| TrainError::Internal(format!("an epoch of {per_epoch} steps")))?;
        let options = LoaderOptions {
            order: Order::Shuffled { seed: settings.seed },
            seed: settings.seed,
            start: Position { epoch: step / per_epoch, batch },
            end_epoch: u64::from(settings.epochs),
            batch: settings.moco.batch,
            shard,
            views: 2,
            size: data.size,
            augmentation: augmentation(settings)?,
            drop_last: true,
            threads: data.threads,
            prefetch: data.prefetch,
            max_bad_fraction: data.max_bad_fraction,
            fast_decode: data.fast_decode,
            cancel: stop.flag().into(),
            ..LoaderOptions::default()
        };
        Ok(Self(Loader::new(dataset, options)?))
    }
}

impl Batches for Views {
    type Batch = Batch;

    fn next_batch(&mut self) -> Option<Result<Batch, TrainError>> {
        Some(self.0.next()?.map_err(TrainError::from))
    }

    fn recycle(&mut self, batch: Batch) {
        self.0.recycle(batch);
    }

    fn new_bad_images(&mut self) -> Vec<BadImage> {
        self.0.new_bad_images()
    }
}
