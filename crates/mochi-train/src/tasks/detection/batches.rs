//! Batches of images with objects, made by one loader for the whole run.

use std::sync::Arc;

use mochi_annotations::Annotations;
use mochi_config::detection::Resolved;
use mochi_data::objects::{ObjectBatch, ObjectImageOptions, ObjectLoader, ObjectLoaderOptions};
use mochi_data::{BadImage, Shard};
use mochi_tensor::Group;
use mochi_term::StopFlag;

use crate::{Batches, TrainError};

/// Means of red, green and blue over ImageNet, in units of 0 to 255.
const MEAN: [f32; 3] = [123.675, 116.28, 103.53];
/// Standard deviations likewise.
const STD: [f32; 3] = [58.395, 57.12, 57.375];

/// Options of the images that are learned from, for steps `start` to `end`.
pub(super) fn training(settings: &Resolved, start: u64, end: u64, stop: &StopFlag) -> ObjectLoaderOptions {
    let data = &settings.data;
    ObjectLoaderOptions {
        seed: Some(settings.seed),
        batch: data.batch,
        groups: data.groups,
        shard: Shard::WHOLE,
        aspect_grouping: data.aspect_grouping,
        image: ObjectImageOptions {
            short_sides: data.short_sides.clone(),
            longest_side: data.longest_side,
            flip: data.flip,
        },
        mean: MEAN,
        std: STD,
        start,
        end,
        threads: data.threads,
        prefetch: data.prefetch,
        max_bad_fraction: data.max_bad_fraction,
        cancel: stop.flag().into(),
    }
}

/// Options of images that are evaluated, each once and alone, so that none is padded. Of several ranks each has every R-th image.
pub(super) fn evaluation(
    settings: &Resolved,
    images: usize,
    group: Option<&Group>,
    stop: &StopFlag,
) -> ObjectLoaderOptions {
    let data = &settings.data;
    let shard = group.map_or(Shard::WHOLE, |group| Shard { rank: group.rank(), world_size: group.size() });
    ObjectLoaderOptions {
        seed: None,
        batch: shard.world_size,
        groups: shard.world_size,
        shard,
        image: ObjectImageOptions {
            short_sides: vec![data.test_short_side],
            longest_side: data.longest_side,
            flip: 0.0,
        },
        ..training(settings, 0, images.div_ceil(shard.world_size) as u64, stop)
    }
}

/// The batches of a run.
pub struct ObjectBatches(ObjectLoader);

impl ObjectBatches {
    pub(super) fn new(
        settings: &Resolved,
        data: &Arc<Annotations>,
        step: u64,
        shard: Shard,
        stop: &StopFlag,
    ) -> Result<Self, TrainError> {
        let options = ObjectLoaderOptions { shard, ..training(settings, step, settings.iterations, stop) };
        Ok(Self(ObjectLoader::new(data.clone(), options)?))
    }
}

impl Batches for ObjectBatches {
    type Batch = ObjectBatch;

    fn next_batch(&mut self) -> Option<Result<ObjectBatch, TrainError>> {
        Some(self.0.next()?.map_err(TrainError::from))
    }

    fn new_bad_images(&mut self) -> Vec<BadImage> {
        self.0.new_bad_images()
    }
}
