//! `model.first_filters = "k-means"`: the first convolution starts with filters learned from patches of the images ([`filters_of_patches`]).
//!
//! Patches are cut at random places of crops as training makes them, without its changes of color. Afterwards batch norms have statistics of the same crops, so
//! that the encoder is useful before its first step.

use mochi_config::Resolved;
use mochi_data::Dataset;
use mochi_nets::{Encoder, NormMode, filters_of_patches};
use mochi_tensor::{Device, Kind, Tensor, dim, no_grad, with_seed};
use mochi_term::StopFlag;
use mochi_views::Augmentation;

use super::sample::{BATCH, sample};
use crate::{TrainError, augmentation};

/// Images that patches are cut from, at most.
const IMAGES: usize = 2048;
/// Patches of all images together: 200 for each of 256 filters.
const PATCHES: usize = 51_200;
/// Images of which batch norms take statistics.
const MEASURED: usize = 256;

/// Replaces the first filters of `encoder`, and measures its batch norms' statistics. Returns the numbers of patches and images.
///
/// # Errors
/// Images that cannot be read, [`mochi_data::DataError::Canceled`] after a stop, no memory.
pub(super) fn learn(
    settings: &Resolved,
    dataset: &Dataset,
    encoder: &Encoder,
    stop: &StopFlag,
) -> Result<(usize, usize), TrainError> {
    let shape = encoder.first_filters().size();
    let &[filters, _, side, _] = shape.as_slice() else {
        return Err(TrainError::Internal(format!("filters of shape {shape:?}")));
    };
    let images = dataset.len().min(IMAGES);
    let each = PATCHES.div_ceil(images.max(1));
    let mut measured = Vec::new();
    let learned = with_seed(settings.seed, || -> Result<_, TrainError> {
        let mut cut = Vec::new();
        for crops in sample(settings, dataset, crop(settings)?, stop)?.take(images.div_ceil(BATCH)) {
            let crops = crops?;
            cut.push(patches(&crops, dim(each), side)?);
            // A single row has no variance. All crops would need gigabytes at 224 pixels.
            if measured.len() < MEASURED / BATCH && crops.size().first() > Some(&1) {
                measured.push(crops);
            }
        }
        Ok(filters_of_patches(&Tensor::f_cat(&cut, 0)?, filters)?)
    })?;
    encoder.set_first_filters(&learned)?;
    no_grad(|| measured.iter().try_for_each(|crops| encoder.embed(crops, NormMode::Collect).map(drop)))?;
    encoder.finish_collection()?;
    Ok((each * images, images))
}

/// The crops of training without what follows them.
fn crop(settings: &Resolved) -> Result<Augmentation, TrainError> {
    Ok(Augmentation { transforms: Vec::new(), ..augmentation(settings)? })
}

/// `each` patches (each B, C, k, k) of every crop (B, C, S, S), at places from libtorch's generator.
fn patches(crops: &Tensor, each: i64, k: i64) -> Result<Tensor, TrainError> {
    let all = crops.f_unfold(2, k, 1)?.f_unfold(3, k, 1)?.f_permute([0i64, 2, 3, 1, 4, 5].as_slice())?;
    let &[images, high, wide, ..] = all.size().as_slice() else {
        return Err(TrainError::Internal(format!("crops of shape {:?}", crops.size())));
    };
    let at = |below: i64| Tensor::f_randint(below, [images * each], (Kind::Int64, Device::Cpu));
    let image = Tensor::f_arange(images, (Kind::Int64, Device::Cpu))?.f_repeat_interleave_self_int(each, 0, None)?;
    Ok(all.f_index(&[Some(image), Some(at(high)?), Some(at(wide)?)])?)
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use mochi_config::Settings;
    use mochi_data::{OpenOptions, Split};
    use mochi_tensor::{Engine, Group};

    use super::super::Contrastive;
    use super::*;
    use crate::facts;

    /// `count` gray images of 28 pixels in an IDX file: stripes of four directions.
    pub(in super::super) fn stripes(count: u32) -> (tempfile::TempDir, Dataset) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = vec![0, 0, 8, 3];
        bytes.extend([count, 28, 28].into_iter().flat_map(u32::to_be_bytes));
        for i in 0..count {
            let value = |p: u32| [p % 28, p / 28, p % 28 + p / 28, p % 28 * (p / 28) / 8][i as usize % 4] + i / 4;
            bytes.extend((0..784).map(|p| (value(p) * 37 % 256) as u8));
        }
        std::fs::write(folder.path().join("train-images-idx3-ubyte"), bytes).unwrap();
        let dataset = Dataset::open(folder.path(), &OpenOptions { split: Split::Train, ..OpenOptions::default() });
        (folder, dataset.unwrap())
    }

    pub(in super::super) fn settings(engine: &Engine, dataset: &Dataset, preset: &str) -> Resolved {
        let words = [
            "epochs=1",
            "model.arch=patch-resnet",
            "model.first_filters=k-means",
            "data.size=28",
            "moco.batch=8",
            "moco.bn_groups=1",
            "compute.precision=float32",
        ];
        let settings = Settings::load(Some(preset), None, &words.map(str::to_owned)).unwrap();
        settings.resolve(&facts(engine, dataset.len())).unwrap().0
    }

    #[test]
    fn filters_come_from_the_images_and_norms_know_their_statistics() {
        let engine = mochi_tensor::start(Some(2)).unwrap();
        // 65 images: the last batch has one, which has no variance.
        let (_folder, dataset) = stripes(65);
        let settings = settings(&engine, &dataset, "small-mochi");
        let task = || {
            let mut task = Contrastive::new(settings.clone(), dataset.clone(), &engine, None).unwrap();
            let before = task.learner.query.first_filters().copy();
            let note = task.initialize(&StopFlag::default()).unwrap().unwrap();
            (task, before, note)
        };
        let (one, before, note) = task();
        assert!(
            note.starts_with("first convolution: filters learned by k-means from 51220 patches of 65 images"),
            "{note}"
        );
        let filters = one.learner.query.first_filters();
        assert!(!filters.equal(&before) && filters.requires_grad());
        assert!(
            task().0.learner.query.store().identical(&one.learner.query.store().export("")),
            "a seed gives the same"
        );
        let key = one.learner.key.as_ref().unwrap();
        assert!(key.store().identical(&one.learner.query.store().export("")), "f_k starts as a copy");
        let crops = sample(&settings, &dataset, crop(&settings).unwrap(), &StopFlag::default()).unwrap();
        let all: Result<Vec<_>, _> = crops.collect();
        let images = Tensor::f_cat(&all.unwrap(), 0).unwrap();
        let evaluated = no_grad(|| one.learner.query.features(&images, NormMode::Eval)).unwrap();
        let trained = no_grad(|| one.learner.query.features(&images, NormMode::Train { groups: 1 })).unwrap();
        // Of 64 of the 65 crops; features are standardized, so the difference is in deviations.
        let off = (evaluated - trained).abs().mean(Kind::Float).double_value(&[]);
        assert!(off < 0.03, "running statistics are those of the crops: {off} deviations");
    }

    #[test]
    fn a_run_without_steps_keeps_its_random_filters() {
        let engine = mochi_tensor::start(Some(2)).unwrap();
        let (_folder, dataset) = stripes(32);
        let mut settings = settings(&engine, &dataset, "small");
        settings.epochs = 0.0;
        let mut task = Contrastive::new(settings, dataset, &engine, None).unwrap();
        let before = task.learner.query.first_filters().copy();
        assert_eq!(task.initialize(&StopFlag::default()).unwrap(), None);
        assert!(task.learner.query.first_filters().equal(&before));
    }

    #[test]
    fn ranks_start_with_the_filters_of_rank_0() {
        let engine = mochi_tensor::start(Some(2)).unwrap();
        let (_folder, dataset) = stripes(32);
        let settings = settings(&engine, &dataset, "small");
        let found = Group::of_threads(2, Duration::from_secs(30), |group| {
            let mut task =
                Contrastive::new(settings.clone(), dataset.clone(), &engine, Some(&Arc::new(group))).unwrap();
            task.initialize(&StopFlag::default()).unwrap();
            task.learner.query.store().export("")
        });
        let found = found.unwrap();
        assert!(found[0].iter().all(|(name, tensor)| tensor.equal(&found[1][name])));
    }

    #[test]
    fn a_stop_ends_the_search_for_filters() {
        let engine = mochi_tensor::start(Some(2)).unwrap();
        let (_folder, dataset) = stripes(32);
        let settings = settings(&engine, &dataset, "small");
        let mut task = Contrastive::new(settings, dataset, &engine, None).unwrap();
        let stop = StopFlag::default();
        stop.request();
        let error = task.initialize(&stop).unwrap_err();
        assert!(matches!(error, TrainError::Data(mochi_data::DataError::Canceled)), "{error}");
    }
}
