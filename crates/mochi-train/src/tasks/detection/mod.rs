//! Object detection and instance segmentation: a detector that learns from images with boxes and masks.
//!
//! | file | owns |
//! |---|---|
//! | `learner` | detector and optimizer; one step of them |
//! | `spec` | the detector that the settings ask for |
//! | `batches` | which images each step takes |
//! | `truths` | their boxes, classes and masks |
//! | `evaluate` | detections and average precision |
//! | `gather` | detections of several ranks in the order of one process |
//! | `export` | a trained detector as a file for other programs |

mod batches;
mod evaluate;
mod export;
mod gather;
mod learner;
mod spec;
mod truths;

use std::path::Path;
use std::sync::Arc;

use mochi_annotations::Annotations;
use mochi_config::NO_WEIGHTS;
use mochi_config::detection::Resolved;
use mochi_data::objects::{ObjectBatch, ObjectLoader};
use mochi_data::{DataError, Shard};
use mochi_run::metric::{detection, general};
use mochi_run::{Metric, NoCurve, RunFolder};
use mochi_tensor::{Compute, Engine, Group, from_f32, set_threads};
use mochi_term::StopFlag;
use mochi_text::counted;

pub use batches::ObjectBatches;
pub use evaluate::{Found, LoadedDetector, detect_all, load_detector};
pub use export::export_detector;
pub use learner::Learner as DetectionLearner;
use learner::Learner;

use crate::part::{Part, Parts};
use crate::ranks::{any_stops, own_stop};
use crate::start_weights::{self, StartWeights, needed, weight_file};
use crate::task::{DataIdentity, Evaluated, OnChange, Setting, StepError, StepPlan, StepReport, Task, Timeline};
use crate::wiring::use_own_gpu;
use crate::{
    Decay, Destination, Evaluate, LearningRate, TrainError, Trainer, TrainerOptions, Update, WarmUp, compute_of,
};

/// Settings by which steps are counted, data ordered or tensors shaped: a resumed run refuses another value.
const FIXED: [&str; 11] = [
    "seed",
    "iterations",
    "data.batch",
    "data.groups",
    "data.aspect_grouping",
    "model.architecture",
    "model.arch",
    "model.stem",
    "model.masks",
    "model.anchor_sizes",
    "model.anchor_ratios",
];
/// Settings that do not change what is learned, by section or key.
const FREE: [&str; 7] =
    ["compute.", "checkpoint.", "log.", "evaluation.", "data.threads", "data.prefetch", "data.source"];

/// Metrics of a detection run.
static METRICS: std::sync::LazyLock<Vec<&'static Metric>> =
    std::sync::LazyLock::new(|| [general::TABLE, detection::TABLE].concat());

/// Images that a detector learns from, and those that it is evaluated on.
#[derive(Clone, Debug)]
pub struct DetectionData {
    /// The images of the steps.
    pub training: Arc<Annotations>,
    /// The images of the evaluations, with the classes of `training`; `None`: the run is not evaluated.
    pub evaluation: Option<Arc<Annotations>>,
    /// Where the training images are, for messages.
    pub source: String,
}

/// Training of a detector.
#[derive(Debug)]
pub struct Detection {
    settings: Resolved,
    data: DetectionData,
    learner: Learner,
    schedule: LearningRate,
    start: Option<StartWeights>,
}

impl Detection {
    /// Detector and optimizer from the settings' seed, the backbone from `model.init`.
    ///
    /// # Errors
    /// Settings that the networks do not support, weights that do not fit, no memory.
    pub fn new(
        settings: Resolved,
        data: DetectionData,
        engine: &Engine,
        group: Option<&Arc<Group>>,
    ) -> Result<Self, TrainError> {
        let init = (settings.model.init != NO_WEIGHTS).then(|| Path::new(&settings.model.init).to_owned());
        Self::with_start(settings, data, engine, group, init.as_deref())
    }

    /// As [`Self::new`]; the backbone starts from `init`.
    fn with_start(
        mut settings: Resolved,
        data: DetectionData,
        engine: &Engine,
        group: Option<&Arc<Group>>,
        init: Option<&Path>,
    ) -> Result<Self, TrainError> {
        if let Some(group) = group {
            use_own_gpu(&mut settings.compute, group);
        }
        set_threads(settings.compute.threads);
        let compute: Compute = compute_of(&settings.compute, engine)?;
        let mut start = None;
        let learner = Learner::new(&settings, data.training.classes.len(), compute, group, |detector| {
            if let Some(init) = init {
                let (arch, backbone) = (detector.spec().arch.to_string(), needed(detector.backbone_tensors()));
                start = Some(start_weights::load(&arch, &backbone, &weight_file(init)?)?);
            }
            Ok(())
        })?;
        let schedule = schedule(&settings);
        Ok(Self { settings, data, learner, schedule, start })
    }

    /// Begins a new run in a fresh folder: `config.toml` is written at once, with `settings` as they were given to [`Self::new`].
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn begin(self, run: impl Into<Destination>, settings: &Resolved) -> Result<Trainer<Self>, TrainError> {
        let run = run.into();
        if let Some(folder) = run.folder() {
            folder.write_config(&settings.to_toml())?;
        }
        Ok(Trainer::new(run, self, options(settings)))
    }

    /// [`Self::new`] and [`Self::begin`].
    ///
    /// # Errors
    /// As both.
    pub fn start(
        run: impl Into<Destination>,
        settings: Resolved,
        data: DetectionData,
        engine: &Engine,
        group: Option<&Arc<Group>>,
    ) -> Result<Trainer<Self>, TrainError> {
        Self::new(settings.clone(), data, engine, group)?.begin(run, &settings)
    }

    /// A run as its newest checkpoint left it; `open` reads the data that its settings name.
    ///
    /// # Errors
    /// A folder that is not a detection run or has no checkpoint, and as [`Trainer::resume`].
    pub fn resume<E: From<TrainError>>(
        path: &Path,
        engine: &Engine,
        group: Option<&Arc<Group>>,
        open: impl FnOnce(&Resolved) -> Result<DetectionData, E>,
    ) -> Result<Trainer<Self>, E> {
        let read = || -> Result<_, TrainError> {
            let (run, newest) = Destination::resume(path, group)?;
            Ok((run, Resolved::read(&RunFolder::config_in(path))?, newest))
        };
        let (run, settings, newest) = read()?;
        let data = open(&settings)?;
        let options = options(&settings);
        // The checkpoint has all weights: those that the run started from are not needed any more.
        let task = Self::with_start(settings, data, engine, group, None)?;
        Ok(Trainer::resume(run, task, options, &newest)?)
    }

    /// What a resumed run does with another value of a setting.
    pub fn on_change(key: &str) -> OnChange {
        OnChange::of(key, &FIXED, &FREE)
    }

    /// The run's settings.
    pub fn settings(&self) -> &Resolved {
        &self.settings
    }

    /// The detector.
    pub fn detector(&self) -> &mochi_detection::Detector {
        &self.learner.detector
    }

    /// What the backbone started from; `None` for random weights and for a resumed run.
    pub fn start_weights(&self) -> Option<&StartWeights> {
        self.start.as_ref()
    }
}

impl Task for Detection {
    type Batch = ObjectBatch;
    type Loader = ObjectBatches;
    type Curve = NoCurve;

    fn name(&self) -> &'static str {
        "detection"
    }

    fn counts_epochs(&self) -> bool {
        false
    }

    fn warm_up_setting(&self) -> &'static str {
        "optimizer.warmup_iterations"
    }

    fn timeline(&self) -> Timeline {
        let images = self.data.training.images.len();
        let steps_per_epoch = (images / self.settings.data.batch.max(1)).max(1) as u64;
        Timeline { steps: self.settings.iterations, steps_per_epoch, warm_up: 0, budget: None }
    }

    fn schedule(&self) -> &LearningRate {
        &self.schedule
    }

    fn metrics(&self) -> &'static [&'static Metric] {
        &METRICS
    }

    fn data(&self) -> DataIdentity {
        let data = &self.data.training;
        DataIdentity { source: self.data.source.clone(), images: data.images.len(), fingerprint: data.fingerprint() }
    }

    fn evaluation_data(&self) -> Option<DataIdentity> {
        let data = self.data.evaluation.as_ref()?;
        let of = &self.settings;
        let source = if of.evaluation.source.is_empty() { &of.data.source } else { &of.evaluation.source };
        Some(DataIdentity { source: source.clone(), images: data.images.len(), fingerprint: data.fingerprint() })
    }

    fn settings(&self) -> Vec<Setting> {
        let described = self.settings.describe().into_iter();
        let setting = |key, value: String| Setting { key, value, on_change: Self::on_change(key) };
        described.map(|s| setting(s.key, s.value.to_string())).collect()
    }

    fn group(&self) -> Option<&Arc<Group>> {
        self.learner.group()
    }

    fn loader(&self, step: u64, shard: Shard, stop: &StopFlag) -> Result<ObjectBatches, TrainError> {
        ObjectBatches::new(&self.settings, &self.data.training, step, shard, stop)
    }

    fn step(&mut self, batch: &mut ObjectBatch, plan: &StepPlan) -> Result<StepReport<NoCurve>, StepError> {
        let metrics = self.learner.step(&self.data.training, &batch.groups, plan)?;
        let images = batch.groups.iter().map(|group| group.images.len() as u64).sum();
        Ok(StepReport { metrics, images, curve: None, note: None })
    }

    fn finishes(&self) -> bool {
        self.settings.evaluation.precise_bn_iterations > 0
    }

    /// Precise batch norm, once, after the last step (detectron2 `engine/hooks.py`, `PreciseBN`).
    fn finish(&mut self, stop: &StopFlag) -> Result<(), TrainError> {
        let count = self.settings.evaluation.precise_bn_iterations;
        if count == 0 {
            return Ok(());
        }
        // Other images in another order than the first steps had.
        let group = self.learner.group().cloned();
        let group = group.as_deref();
        let mut options = batches::training(&self.settings, 0, count, &own_stop(group, stop));
        options.seed = options.seed.map(|seed| seed ^ PRECISE_SEED);
        if let Some(group) = group {
            options.shard = Shard { rank: group.rank(), world_size: group.size() };
        }
        for (number, batch) in ObjectLoader::new(self.data.training.clone(), options)?.enumerate() {
            if any_stops(group, stop)? {
                return Err(DataError::Canceled.into());
            }
            self.learner.measure_statistics(&self.data.training, &batch?.groups, number as u64)?;
        }
        for norm in self.learner.detector.norms() {
            norm.finish_collection()?;
        }
        Ok(())
    }

    fn parts(&self) -> Result<Vec<Part>, TrainError> {
        let model = self.learner.detector.store().export("");
        let mut part = Part::tensors("model", model);
        part.value = serde_json::json!({
            "classes": self.data.training.classes,
            "category_ids": self.data.training.category_ids,
        });
        Ok(vec![part, Part::tensors("optimizer", self.learner.optimizer.export())])
    }

    fn restore(&mut self, saved: &mut Parts) -> Result<(), TrainError> {
        let (model, _) = saved.take("model")?;
        self.learner.detector.store().load(&model, "")?;
        let (optimizer, _) = saved.take("optimizer")?;
        Ok(self.learner.optimizer.load(&optimizer)?)
    }

    fn batch_part(&self, batch: &ObjectBatch) -> Result<Part, TrainError> {
        let mut part = Part::tensors("batch", std::collections::BTreeMap::new());
        let mut images = Vec::new();
        for (number, group) in batch.groups.iter().enumerate() {
            let shape = [group.images.len() as i64, 3, i64::from(group.height), i64::from(group.width)];
            part.tensors.insert(format!("pixels_{number}"), from_f32(&group.pixels, &shape)?);
            images.extend(
                group
                    .images
                    .iter()
                    .filter_map(|image| Some(self.data.training.images.get(image.index as usize)?.name.clone())),
            );
        }
        part.value = serde_json::json!({ "images": images });
        Ok(part)
    }

    fn evaluate(&mut self, _step: u64, stop: &StopFlag) -> Result<Evaluated, TrainError> {
        let Some(data) = &self.data.evaluation else { return Ok(Evaluated::default()) };
        let group = self.group().map(Arc::as_ref);
        Ok(evaluate::metrics(&self.learner.detector, &self.settings, data, group, stop)?.into())
    }

    fn notes(&self) -> Vec<String> {
        let (groups, ranks) = (self.settings.data.groups, self.group().map_or(1, |group| group.size()));
        let each = counted(self.settings.data.batch / groups.max(1), "image");
        vec![match (groups, ranks) {
            (1, _) => format!("batch norm and losses: over the whole batch of {each}"),
            (_, 1) => format!("batch norm and losses: over {groups} groups of {each}, as on {groups} devices"),
            _ => format!(
                "batch norm and losses: over {groups} groups of {each}, {} on each of {ranks} processes",
                counted(groups / ranks, "group")
            ),
        }]
    }
}

/// Makes the seed of the images of precise batch norm another one than that of the steps.
const PRECISE_SEED: u64 = 0x5072_6563_6973_6542;

/// How often things are done.
fn options(settings: &Resolved) -> TrainerOptions {
    // Once at the end, if nothing else is asked for.
    let every = match settings.evaluation.every_iterations {
        0 => settings.iterations.max(1),
        every => every,
    };
    TrainerOptions {
        record_every: settings.log.every_steps,
        diagnostics_every: 0,
        evaluate: Evaluate::Result { every },
        checkpoint_every: settings.checkpoint.every_steps,
        keep_last: settings.checkpoint.keep_last,
        keep_every: settings.checkpoint.keep_every,
    }
}

/// detectron2's schedule, counted in iterations: linear warm-up from a thousandth, a tenth at each milestone.
fn schedule(settings: &Resolved) -> LearningRate {
    let optimizer = &settings.optimizer;
    LearningRate {
        peak: optimizer.learning_rate,
        steps_per_unit: 1,
        update: Update::EveryStep,
        length: settings.iterations as f64,
        warm_up: match optimizer.warmup_iterations {
            0 => WarmUp::None,
            length => WarmUp::From { factor: 1e-3, length: length as f64 },
        },
        decay: Decay::Steps {
            milestones: optimizer.milestones.iter().map(|&iteration| iteration as f64).collect(),
            factor: 0.1,
        },
    }
}
