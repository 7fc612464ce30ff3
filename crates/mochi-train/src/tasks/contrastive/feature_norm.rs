//! Statistics of the standardized features of `patch-resnet`, as every checkpoint and every evaluation has them.
//!
//! During training its last norm sees crops and changed colors. Whole images have other means in each cell: with the running statistics of training, k-NN on 50
//! classes of Tiny-ImageNet is 2.4 points lower (docs/results/recipes). So they are measured on evaluation views, as precise batch norm does (Wu and Johnson
//! 2021); all other norms keep theirs. Training does not read them, so that measuring changes nothing that is learned.

use std::cell::OnceCell;

use mochi_config::Resolved;
use mochi_data::Dataset;
use mochi_nets::Encoder;
use mochi_tensor::{Tensor, no_grad};
use mochi_term::StopFlag;

use super::sample::{BATCH, sample};
use crate::{TrainError, augmentation};

/// Images of which statistics are taken, at most: a mean is then known to 4 % of a deviation.
const IMAGES: usize = 512;
/// Smallest variance, as a fraction of the mean variance: a feature that is the same in all of these images must not decide the cosine of others.
const FLOOR: f64 = 0.01;

/// Evaluation views (B, 3, S, S) of a sample of the training images, which stay in memory: 25 MB at 64 pixels.
#[derive(Debug, Default)]
pub(super) struct FeatureNorm {
    views: OnceCell<Vec<Tensor>>,
}

impl FeatureNorm {
    /// Reads the sample, if it was not read before and `encoder` standardizes its features.
    ///
    /// # Errors
    /// Images that cannot be read, [`mochi_data::DataError::Canceled`] after a stop.
    pub(super) fn read(
        &self,
        settings: &Resolved,
        dataset: &Dataset,
        encoder: &Encoder,
        stop: &StopFlag,
    ) -> Result<(), TrainError> {
        if self.views.get().is_some() || !encoder.backbone().standardizes() {
            return Ok(());
        }
        let views = augmentation(settings)?.evaluation(settings.data.size);
        let views = sample(settings, dataset, views, stop)?.take(IMAGES / BATCH).collect::<Result<_, _>>()?;
        self.views.get_or_init(|| views);
        Ok(())
    }

    /// Replaces the statistics of the features' norm by those of the sample, if it was read.
    ///
    /// # Errors
    /// No memory.
    pub(super) fn measure(&self, encoder: &Encoder) -> Result<(), TrainError> {
        let Some(views) = self.views.get() else { return Ok(()) };
        no_grad(|| views.iter().try_for_each(|images| encoder.collect_features(images)))?;
        encoder.finish_collection()?;
        Ok(encoder.limit_feature_variance(FLOOR)?)
    }
}

#[cfg(test)]
mod tests {
    use mochi_data::DataError;
    use mochi_nets::NormMode;
    use mochi_tensor::Kind;

    use super::super::Contrastive;
    use super::super::first_filters::tests::{settings, stripes};
    use super::*;
    use crate::task::Task;

    #[test]
    fn every_checkpoint_has_standardized_features_of_whole_images() {
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
        let parts = task.parts().unwrap();
        assert!(off(&task) < 1e-4, "{}", off(&task));
        assert!(before.iter().zip(inner(&task)).all(|((_, a), (_, b))| a.equal(&b)), "nothing else changes");
        let saved = &parts.iter().find(|part| part.name == "model").unwrap().tensors["norm.running_mean"];
        assert!(saved.equal(&task.learner.query.store().export("")["norm.running_mean"]));
    }

    /// Two checkpoints of the same weights are alike, whatever crops did to the running statistics between them.
    #[test]
    fn measures_of_equal_weights_are_equal() {
        let engine = mochi_tensor::start(Some(2)).unwrap();
        let (_folder, dataset) = stripes(64);
        let mut settings = settings(&engine, &dataset, "small");
        settings.evaluation.every_steps = 1;
        let mut task = Contrastive::new(settings, dataset, &engine, None).unwrap();
        task.initialize(&StopFlag::default()).unwrap();
        let model = |task: &Contrastive| task.parts().unwrap().remove(0).tensors;
        let before = model(&task);
        let norm = task.learner.query.backbone().norms().last().unwrap();
        let _moved = norm.statistics().map(|running| running.shallow_clone().fill_(3.0));
        let found = task.evaluate(1, &StopFlag::default()).unwrap();
        assert!(found.metrics.iter().next().is_some(), "{:?}", found.note);
        let (now, feature) = (model(&task), "norm.running_mean");
        assert!(before[feature].equal(&now[feature]));
    }

    #[test]
    fn a_stop_ends_the_reading_of_the_sample() {
        let engine = mochi_tensor::start(Some(2)).unwrap();
        let (_folder, dataset) = stripes(32);
        let settings = settings(&engine, &dataset, "small");
        let task = Contrastive::new(settings, dataset, &engine, None).unwrap();
        let stop = StopFlag::default();
        stop.request();
        assert!(matches!(task.read_feature_sample(&stop), Err(TrainError::Data(DataError::Canceled))));
    }
}
