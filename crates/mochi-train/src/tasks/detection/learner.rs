//! A detector, its optimizer, and one step of them (detectron2 `engine/train_loop.py`, `solver/build.py`): SGD whose weight decay is on weights and biases, but not
//! on norms.

use std::sync::Arc;

use mochi_annotations::Annotations;
use mochi_config::detection::{Freeze, Norm, Resolved};
use mochi_data::objects::ObjectGroup;
use mochi_detection::{Detector, Losses, Prediction, names};
use mochi_nets::{NormMode, Stage};
use mochi_run::Metrics;
use mochi_run::metric::{detection, general};
use mochi_tensor::{
    Compute, Device, Group, Kind, Optimizer, ParameterGroup, Reducer, Role, Tensor, Update, no_grad, with_seed,
};
use mochi_views::random::{Purpose, Stream};

use super::evaluate::detect;
use super::spec::detector_spec;
use super::truths::{images, truth};
use crate::task::StepError;
use crate::{StepPlan, TrainError};

/// Step number of the draws of [`Learner::measure_statistics`], after which a run has no step.
const AFTER_TRAINING: u64 = 1 << 48;

/// A detector and its optimizer.
#[derive(Debug)]
pub struct Learner {
    /// The detector.
    pub detector: Detector,
    /// The optimizer and its state.
    pub optimizer: Optimizer,
    seed: u64,
    clip_norm: f64,
    ranks: Option<Ranks>,
}

/// The other ranks, each with its share of the groups. Losses are means over groups, so that gradients averaged over ranks are those of one process; batch
/// statistics are those of all groups.
#[derive(Debug)]
struct Ranks {
    group: Arc<Group>,
    reducer: Reducer,
    /// Draws of a step for the groups of lower ranks.
    drawn_before: u32,
}

/// Draws for an image: positive and negative anchors, then positive and negative regions.
const DRAWS_PER_IMAGE: usize = 4;

impl Ranks {
    /// Makes this rank's detector equal to that of rank 0.
    fn join(group: &Arc<Group>, settings: &Resolved, detector: &mut Detector) -> Result<Self, TrainError> {
        detector.synchronize_norms(group);
        for (_, tensor, role) in detector.store().iter() {
            if role != Role::Counter {
                no_grad(|| group.broadcast(&mut tensor.detach(), 0, "copying the initial weights"))?;
            }
        }
        let learned: Vec<Tensor> = detector.store().trainable().map(|(_, tensor)| tensor.shallow_clone()).collect();
        let reducer = Reducer::new(group, &learned)?;
        let before = settings.data.batch / group.size().max(1) * group.rank() * DRAWS_PER_IMAGE;
        Ok(Self { group: Arc::clone(group), reducer, drawn_before: u32::try_from(before).unwrap_or(u32::MAX) })
    }
}

impl Learner {
    /// A new detector from the settings' seed, whose backbone `initialize` may fill.
    ///
    /// # Errors
    /// Settings that the networks do not support, no memory, weights that do not fit.
    pub fn new(
        settings: &Resolved,
        classes: usize,
        compute: Compute,
        group: Option<&Arc<Group>>,
        initialize: impl FnOnce(&Detector) -> Result<(), TrainError>,
    ) -> Result<Self, TrainError> {
        let ranks = group.map_or(1, |group| group.size());
        if !settings.data.groups.is_multiple_of(ranks) {
            return Err(TrainError::Ranks {
                what: format!("data.groups is {}, which {ranks} processes cannot share equally", settings.data.groups),
                hint: format!(
                    "set data.groups={ranks}, or a multiple of it: each process is a group of its own, as in detectron2"
                ),
            });
        }
        let spec = detector_spec(settings, classes)?;
        let mut detector = with_seed(settings.seed, || Detector::new(spec, compute))?;
        initialize(&detector)?;
        let frozen = match settings.model.freeze {
            Freeze::None => None,
            Freeze::Stem => Some(Stage::Stem),
            Freeze::Res2 => Some(Stage::Res2),
            Freeze::Res3 => Some(Stage::Res3),
            Freeze::Res4 => Some(Stage::Res4),
        };
        if let Some(stage) = frozen {
            detector.backbone_mut().freeze_through(stage);
        }
        if settings.model.norm == Norm::Frozen {
            detector.backbone_mut().freeze_norms(|_| true);
        }
        let architecture = detector.spec().architecture;
        let ranks = group.map(|group| Ranks::join(group, settings, &mut detector)).transpose()?;
        let norm = |name: &str| names::detectron2(name, architecture).contains(".norm.");
        let groups = vec![
            ParameterGroup::new(1.0, settings.optimizer.weight_decay).with(detector.store(), "", |name| !norm(name)),
            ParameterGroup::new(1.0, 0.0).with(detector.store(), "", norm),
        ];
        let optimizer = Optimizer::new(Update::Sgd, settings.optimizer.momentum, groups)?;
        Ok(Self { detector, optimizer, seed: settings.seed, clip_norm: settings.optimizer.clip_norm, ranks })
    }

    /// The ranks that train it together, if there are several.
    pub fn group(&self) -> Option<&Arc<Group>> {
        self.ranks.as_ref().map(|ranks| &ranks.group)
    }

    /// The losses of a batch (a rank's groups); `step` determines the samples.
    fn losses(
        &self,
        data: &Annotations,
        groups: &[ObjectGroup],
        step: u64,
        mode: NormMode,
    ) -> Result<Losses, TrainError> {
        let masks = self.detector.spec().masks;
        let truths: Vec<Vec<_>> =
            groups.iter().map(|group| group.images.iter().map(|image| truth(data, image, masks)).collect()).collect();
        let inputs = groups.iter().map(images).collect::<Result<Vec<_>, _>>()?;
        let mut drawn = self.ranks.as_ref().map_or(0, |ranks| ranks.drawn_before);
        let mut permute = |count: usize| {
            let mut order: Vec<usize> = (0..count).collect();
            Stream::new(self.seed, Purpose::Sample, step, drawn, 0).shuffle(&mut order);
            drawn += 1;
            order
        };
        Ok(self.detector.losses(&inputs, &truths, mode, &mut permute)?)
    }

    /// One step on a batch. Its parameters have not moved when the losses are not finite.
    ///
    /// # Errors
    /// [`StepError::NotFinite`]; libtorch's error.
    pub fn step(&mut self, data: &Annotations, groups: &[ObjectGroup], plan: &StepPlan) -> Result<Metrics, StepError> {
        let losses = self.losses(data, groups, plan.step, NormMode::Train { groups: 1 })?;
        let total = losses.total().map_err(TrainError::from)?;
        let metrics = read(&losses, &total)?;
        if let Some((metric, value)) = metrics.iter().find(|(_, value)| !value.is_finite()) {
            return Err(StepError::NotFinite {
                reason: format!("{} is {value} at step {}", metric.key, plan.step),
                state: "The parts are as they were before the step, except that running statistics of norms have moved",
            });
        }
        let mut backward = || -> Result<(), TrainError> {
            self.optimizer.clear_gradients()?;
            total.f_backward().map_err(mochi_tensor::TensorError::from)?;
            if let Some(ranks) = &mut self.ranks {
                ranks.reducer.finish()?;
            }
            if self.clip_norm > 0.0 {
                let _ = self.optimizer.clip_gradients(self.clip_norm)?;
            }
            Ok(self.optimizer.step(plan.learning_rate)?)
        };
        backward()?;
        Ok(metrics)
    }

    /// The objects in the images of a batch, image by image, in coordinates of the images in `data`.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn detect(&self, data: &Annotations, group: &ObjectGroup) -> Result<Vec<Vec<Prediction>>, TrainError> {
        detect(&self.detector, data, group)
    }

    /// Adds a batch to the statistics that [`mochi_tensor::BatchNorm::finish_collection`] makes the running ones; `number` counts such batches.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn measure_statistics(
        &self,
        data: &Annotations,
        groups: &[ObjectGroup],
        number: u64,
    ) -> Result<(), TrainError> {
        no_grad(|| self.losses(data, groups, AFTER_TRAINING + number, NormMode::Collect)).map(|_| ())
    }
}

/// The losses as values, read back in one transfer.
fn read(losses: &Losses, total: &Tensor) -> Result<Metrics, TrainError> {
    let read = || -> Result<Vec<f64>, mochi_tensor::TensorError> {
        let mut all = vec![total, &losses.classes, &losses.boxes, &losses.rpn_objectness, &losses.rpn_boxes];
        all.extend(&losses.masks);
        let values = no_grad(|| Tensor::f_stack(&all, 0)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double))?;
        Ok(Vec::<f64>::try_from(&values)?)
    };
    let values = read()?;
    let [total, classes, boxes, rpn_objectness, rpn_boxes, ..] = values[..] else {
        return Err(TrainError::Internal("five losses".to_owned()));
    };
    Ok(Metrics::new()
        .with(&general::LOSS, total)
        .with(&detection::LOSS_CLS, classes)
        .with(&detection::LOSS_BOX_REG, boxes)
        .with(&detection::LOSS_MASK, values.get(5).copied())
        .with(&detection::LOSS_RPN_CLS, rpn_objectness)
        .with(&detection::LOSS_RPN_LOC, rpn_boxes)
        .with(&detection::FOREGROUND, losses.foreground))
}
