//! Batches of views, made by one loader for the whole run.

use mochi_config::Resolved;
use mochi_data::{
    BadImage, Batch, CacheOptions, DataError, Dataset, Loader, LoaderOptions, Memory, Order, Position, Shard,
};
use mochi_tensor::{Device, HostValues};
use mochi_term::StopFlag;

use crate::{Batches, Timeline, TrainError, augmentation};

/// Bytes of kept images where the memory of the machine is unknown.
const CACHE_BYTES: u64 = 1 << 30;

/// Memory of tensors, from which the device takes the views: the training thread copies nothing.
#[derive(Clone, Copy, Debug)]
pub struct TensorMemory {
    /// Where the networks compute.
    pub device: Device,
}

impl Memory for TensorMemory {
    type Buffer = HostValues;

    fn lend(&self, floats: usize) -> Result<HostValues, DataError> {
        HostValues::zeros(floats, self.device).map_err(|error| DataError::Memory { detail: error.to_string() })
    }
}

/// The views of each image, epoch after epoch.
pub struct Views(Loader<TensorMemory>);

impl Views {
    /// The batches from step `step` to the end of the run; a request to stop ends waiting for them.
    pub(crate) fn new(
        settings: &Resolved,
        dataset: &Dataset,
        timeline: Timeline,
        step: u64,
        shard: Shard,
        stop: &StopFlag,
        device: Device,
    ) -> Result<Self, TrainError> {
        let data = &settings.data;
        let per_epoch = timeline.steps_per_epoch.max(1);
        let batch = usize::try_from(step % per_epoch);
        let batch = batch.map_err(|_| TrainError::Internal(format!("an epoch of {per_epoch} steps")))?;
        let augmentation = augmentation(settings)?;
        let cache = data.cache.then(|| CacheOptions {
            // Processes of one machine share its memory.
            bytes: mochi_system::memory_limit().unwrap_or(CACHE_BYTES * 4) / 4 / shard.world_size.max(1) as u64,
            short_side: augmentation.needed_side(data.size),
        });
        let options = LoaderOptions {
            order: Order::Shuffled { seed: settings.seed },
            seed: settings.seed,
            start: Position { epoch: step / per_epoch, batch },
            end_epoch: timeline.end_epoch(),
            batch: settings.moco.batch,
            shard,
            views: data.views,
            size: data.size,
            augmentation,
            drop_last: true,
            threads: data.threads,
            prefetch: data.prefetch,
            max_bad_fraction: data.max_bad_fraction,
            fast_decode: data.fast_decode,
            cache,
            cancel: stop.flag().into(),
            ..LoaderOptions::default()
        };
        Ok(Self(Loader::with_memory(dataset, options, TensorMemory { device })?))
    }
}

impl Batches for Views {
    type Batch = Batch<HostValues>;

    fn next_batch(&mut self) -> Option<Result<Self::Batch, TrainError>> {
        Some(self.0.next()?.map_err(TrainError::from))
    }

    fn recycle(&mut self, batch: Self::Batch) {
        self.0.recycle(batch);
    }

    fn new_bad_images(&mut self) -> Vec<BadImage> {
        self.0.new_bad_images()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of a lent buffer become a tensor and go back to the loader without a copy.
    #[test]
    fn a_step_copies_no_views() {
        let mut values = TensorMemory { device: Device::Cpu }.lend(6).unwrap();
        values[5] = 2.0;
        let place = values.as_ptr();
        let whole = values.into_tensor();
        let shaped = whole.narrow(0, 0, 6).view([2, 3]);
        assert_eq!((shaped.data_ptr().cast_const().cast(), shaped.double_value(&[1, 2])), (place, 2.0));
        drop(shaped);
        assert_eq!(HostValues::new(whole).unwrap().as_ptr(), place);
    }
}
