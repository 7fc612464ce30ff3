//! A sample of the training images, for what is measured of them beside the steps.

use mochi_config::Resolved;
use mochi_data::{Batch, Dataset, Loader, LoaderOptions, Order};
use mochi_tensor::{Tensor, from_f32};
use mochi_term::StopFlag;
use mochi_views::Augmentation;

use crate::TrainError;

/// Images of a batch.
pub(super) const BATCH: usize = 64;

/// One view (B, 3, S, S) of each image of the dataset, in the order of the run's first epoch, by [`BATCH`].
pub(super) fn sample(
    settings: &Resolved,
    dataset: &Dataset,
    augmentation: Augmentation,
    stop: &StopFlag,
) -> Result<impl Iterator<Item = Result<Tensor, TrainError>> + use<>, TrainError> {
    let (data, size) = (&settings.data, settings.data.size);
    let options = LoaderOptions {
        order: Order::Shuffled { seed: settings.seed },
        seed: settings.seed,
        batch: BATCH,
        views: 1,
        size,
        augmentation,
        drop_last: false,
        threads: settings.compute.threads,
        max_bad_fraction: data.max_bad_fraction,
        // Statistics do not need the last bit of a pixel.
        fast_decode: true,
        cancel: stop.flag().into(),
        ..LoaderOptions::default()
    };
    let side = i64::from(size);
    let tensor = move |batch: Result<Batch<_>, _>| -> Result<Tensor, TrainError> {
        Ok(from_f32(batch?.view(0), &[-1, 3, side, side])?)
    };
    Ok(Loader::new(dataset, options)?.map(tensor))
}
