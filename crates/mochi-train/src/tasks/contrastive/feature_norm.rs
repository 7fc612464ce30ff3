//! Statistics of the standardized features of `patch-resnet`, measured after the last step.
//!
//! During training its last norm sees crops and changed colors. Whole images have other means in each cell: with the running statistics of training, k-NN on 50
//! classes of Tiny-ImageNet is 2.4 points lower (docs/results/recipes). So they are measured anew on evaluation views, as precise batch norm does (Wu and
//! Johnson 2021); all other norms keep theirs.

use mochi_config::Resolved;
use mochi_data::{DataError, Dataset};
use mochi_nets::Encoder;
use mochi_tensor::{Group, no_grad};
use mochi_term::StopFlag;

use super::sample::{BATCH, sample};
use crate::ranks::{any_stops, own_stop};
use crate::{TrainError, augmentation};

/// Images of which statistics are taken, at most: a mean is then known to 4 % of a deviation.
const IMAGES: usize = 512;
/// Smallest variance, as a fraction of the mean variance: a feature that is the same in all of these images must not decide the cosine of others.
const FLOOR: f64 = 0.01;

/// Replaces the statistics of the features' norm, if `encoder` has one.
///
/// # Errors
/// Images that cannot be read, [`mochi_data::DataError::Canceled`] after a stop, no memory.
pub(super) fn measure(
    settings: &Resolved,
    dataset: &Dataset,
    encoder: &Encoder,
    group: Option<&Group>,
    stop: &StopFlag,
) -> Result<(), TrainError> {
    if !encoder.backbone().standardizes() {
        return Ok(());
    }
    let views = augmentation(settings)?.evaluation(settings.data.size);
    for images in sample(settings, dataset, views, &own_stop(group, stop))?.take(IMAGES / BATCH) {
        if any_stops(group, stop)? {
            return Err(DataError::Canceled.into());
        }
        no_grad(|| encoder.collect_features(&images?).map_err(TrainError::from))?;
    }
    encoder.finish_collection()?;
    Ok(encoder.limit_feature_variance(FLOOR)?)
}

#[cfg(test)]
mod tests {
    use mochi_nets::NormMode;
    use mochi_tensor::{Kind, Tensor};

    use super::super::Contrastive;
    use super::super::first_filters::tests::{settings, stripes};
    use super::*;
    use crate::task::Task;

    #[test]
    fn a_finished_run_has_standardized_features_of_whole_images() {
        let engine = mochi_tensor::start(Some(2)).unwrap();
        // 65 images: the last batch has one.
        let (_folder, dataset) = stripes(65);
        let settings = settings(&engine, &dataset, "small");
        let mut task = Contrastive::new(settings.clone(), dataset.clone(), &engine, None).unwrap();
        task.initialize(&StopFlag::default()).unwrap();
        let views = augmentation(&settings).unwrap().evaluation(settings.data.size);
        let images: Result<Vec<_>, _> = sample(&settings, &dataset, views, &StopFlag::default()).unwrap().collect();
        let images = Tensor::f_cat(&images.unwrap(), 0).unwrap();
        let inner = |task: &Contrastive| {
            let tensors = task.learner.query.store().export("").into_iter();
            tensors.filter(|(name, _)| !name.starts_with("norm.")).collect::<Vec<_>>()
        };
        let (before, off) = (inner(&task), |task: &Contrastive| {
            let features = no_grad(|| task.learner.query.features(&images, NormMode::Eval)).unwrap();
            features.mean_dim([0i64].as_slice(), false, Kind::Double).abs().max().double_value(&[])
        });
        assert!(off(&task) > 0.1, "statistics of crops");
        task.finish(&StopFlag::default()).unwrap();
        assert!(off(&task) < 1e-4, "{}", off(&task));
        assert!(before.iter().zip(inner(&task)).all(|((_, a), (_, b))| a.equal(&b)), "nothing else changes");
    }

    #[test]
    fn evaluations_leave_the_statistics_of_training() {
        let engine = mochi_tensor::start(Some(2)).unwrap();
        let (_folder, dataset) = stripes(64);
        let mut settings = settings(&engine, &dataset, "small");
        settings.evaluation.every_steps = 1;
        let mut task = Contrastive::new(settings, dataset, &engine, None).unwrap();
        task.initialize(&StopFlag::default()).unwrap();
        let before = task.learner.query.store().export("");
        let found = task.evaluate(1, &StopFlag::default()).unwrap();
        assert!(found.metrics.iter().next().is_some(), "{:?}", found.note);
        assert!(task.learner.query.store().identical(&before));
    }

    #[test]
    fn a_stop_ends_the_measurement() {
        let engine = mochi_tensor::start(Some(2)).unwrap();
        let (_folder, dataset) = stripes(32);
        let settings = settings(&engine, &dataset, "small");
        let mut task = Contrastive::new(settings, dataset, &engine, None).unwrap();
        assert!(task.finishes());
        let stop = StopFlag::default();
        stop.request();
        assert!(matches!(task.finish(&stop), Err(TrainError::Data(DataError::Canceled))));
    }
}
