//! Contrastive pre-training: MoCo v2 with MoCHi's synthetic negatives, and the methods that the settings can choose instead.
//!
//! | file | owns |
//! |---|---|
//! | `learner` | encoders, queue and optimizer |
//! | `first_filters` | filters of the first convolution that are learned from patches before the first step |
//! | `feature_norm` | statistics of standardized features, measured for each checkpoint and evaluation |
//! | `sample` | a sample of the images, for both |
//! | `step` | one step of them |
//! | `method` | from the views to losses and gradients: momentum or shared encoder, positives, candidate keys, mixed images |
//! | `metrics` | what a step reports |
//! | `batches` | the views of each image, over the whole run |
//! | `watch` | evaluation during training |
//! | `ranks` | a step on several ranks |
//! | `parts` | model, optimizer and queue as parts of a checkpoint |

mod batches;
mod feature_norm;
mod first_filters;
pub(crate) mod learner;
pub(crate) mod method;
mod metrics;
mod parts;
mod ranks;
mod sample;
pub(crate) mod step;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use mochi_config::{EncoderKind, FirstFilters, NO_WEIGHTS, Positive, Resolved, epochs_to_steps};
use mochi_contrast::{ContrastError, SampleMetadata};
use mochi_data::dataset::path_from_text;
use mochi_data::{Batch, Dataset, OpenOptions, Shard};
use mochi_eval::Monitor;
use mochi_run::metric::{contrastive, general, online};
use mochi_run::{CurveRecord, Metric, RunFolder};
use mochi_tensor::{Engine, Group, HostValues, Tensor, dim, from_f32, set_threads};
use mochi_term::StopFlag;

pub use batches::Views;
use feature_norm::FeatureNorm;
use learner::Learner;
use mochi_text::{counted, duration};
pub(crate) use parts::KEY_PREFIX;

use crate::part::{Part, Parts};
use crate::start_weights::StartWeights;
use crate::task::{DataIdentity, Evaluated, OnChange, Setting, StepError, StepPlan, StepReport, Task, Timeline};
use crate::wiring::use_own_gpu;
use crate::{
    Decay, Destination, Evaluate, LearningRate, TrainError, Trainer, TrainerOptions, Update, WarmUp, compute,
    open_data, open_evaluation_data,
};

/// Settings by which steps are counted, data ordered or tensors shaped: a resumed run refuses another value.
const FIXED: [&str; 12] = [
    "seed",
    "moco.batch",
    "moco.queue",
    "moco.encoder",
    "moco.positive",
    "model.arch",
    "model.stem",
    "model.init",
    "model.first_filters",
    "model.head",
    "model.dim",
    "optimizer.name",
];
/// Settings that do not change what is learned, by section or key.
const FREE: [&str; 10] = [
    "compute.",
    "checkpoint.",
    "log.",
    "evaluation.source",
    "evaluation.every_steps",
    "evaluation.time_fraction",
    "data.threads",
    "data.prefetch",
    "data.source",
    "data.also",
];

/// Metrics of a contrastive run.
static METRICS: std::sync::LazyLock<Vec<&'static Metric>> =
    std::sync::LazyLock::new(|| [&[&general::LOSS][..], contrastive::TABLE, online::TABLE].concat());

/// Images of a run.
#[derive(Clone, Debug)]
pub struct ContrastiveData {
    /// Those that it learns from.
    pub training: Dataset,
    /// Labeled ones on which it is evaluated meanwhile (`evaluation.source`).
    pub evaluation: Option<Dataset>,
}

impl From<Dataset> for ContrastiveData {
    fn from(training: Dataset) -> Self {
        Self { training, evaluation: None }
    }
}

/// Contrastive pre-training on a dataset.
#[derive(Debug)]
pub struct Contrastive {
    settings: Resolved,
    dataset: Dataset,
    /// What evaluates it during training, if it is evaluated.
    monitor: Option<Monitor>,
    learner: Learner,
    feature_norm: FeatureNorm,
    start: Option<StartWeights>,
    timeline: Timeline,
    schedule: LearningRate,
    /// Whether the log says that some query has fewer negatives than `negatives.hardest`.
    clamping_noted: bool,
}

impl Contrastive {
    /// Encoders, queue and optimizer from the settings' seed.
    ///
    /// # Errors
    /// Settings that the networks do not support, classes that the dataset does not have, labeled images that cannot be evaluated on, no memory.
    pub fn new(
        mut settings: Resolved,
        data: impl Into<ContrastiveData>,
        engine: &Engine,
        group: Option<&Arc<Group>>,
    ) -> Result<Self, TrainError> {
        let ContrastiveData { training: dataset, evaluation } = data.into();
        check_labels(&settings, &dataset)?;
        let monitor = watch::monitor(&settings, &dataset, evaluation)?;
        if let Some(group) = group {
            use_own_gpu(&mut settings.compute, group);
        }
        set_threads(settings.compute.threads);
        let learner = Learner::new(&settings, compute(&settings, engine)?, group)?;
        let steps_per_epoch = settings.steps_per_epoch(dataset.len());
        let timeline = Timeline {
            steps: settings.total_steps(dataset.len()),
            steps_per_epoch,
            warm_up: epochs_to_steps(settings.negatives.warmup_epochs, steps_per_epoch),
            budget: settings.time.limit(),
        };
        let schedule = schedule(&settings, steps_per_epoch);
        let feature_norm = FeatureNorm::default();
        let start = None;
        Ok(Self { settings, dataset, monitor, learner, feature_norm, start, timeline, schedule, clamping_noted: false })
    }

    /// What a new run starts from, if it is not random: the weights of `model.init`, or the filters of `model.first_filters = "k-means"`, which it learns. Returns
    /// a sentence about the filters. A run without steps learns nothing: its encoder is the untrained baseline, or that of `model.init`, whose standardized features
    /// have statistics as a trained one's.
    ///
    /// # Errors
    /// Images or weights that cannot be read or do not fit, [`mochi_data::DataError::Canceled`] after a stop, a rank that is lost.
    pub fn initialize(&mut self, stop: &StopFlag) -> Result<Option<String>, TrainError> {
        self.read_feature_sample(stop)?;
        let model = &self.settings.model;
        if model.init != NO_WEIGHTS {
            let (init, arch) = (path_from_text(&model.init), model.arch.as_str());
            self.start = Some(self.learner.start_from(&init, arch)?);
            return Ok(None);
        }
        if self.timeline.steps == 0 || model.first_filters == FirstFilters::Random {
            return Ok(None);
        }
        let begun = Instant::now();
        let (patches, images) = self.learner.learn_first_filters(&self.settings, &self.dataset, stop)?;
        Ok(Some(format!(
            "first convolution: filters learned by k-means from {} of {} in {}",
            counted(patches, "patch"),
            counted(images, "image"),
            duration(begun.elapsed().as_secs_f64())
        )))
    }

    /// Reads the images on which the statistics of standardized features are measured, on the rank that evaluates and saves.
    fn read_feature_sample(&self, stop: &StopFlag) -> Result<(), TrainError> {
        match self.group() {
            Some(group) if group.rank() > 0 => Ok(()),
            _ => self.feature_norm.read(&self.settings, &self.dataset, &self.learner.query, stop),
        }
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

    /// [`Self::new`], [`Self::initialize`] and [`Self::begin`].
    ///
    /// # Errors
    /// As both.
    pub fn start(
        run: impl Into<Destination>,
        settings: Resolved,
        data: impl Into<ContrastiveData>,
        engine: &Engine,
        group: Option<&Arc<Group>>,
    ) -> Result<Trainer<Self>, TrainError> {
        let mut task = Self::new(settings.clone(), data, engine, group)?;
        task.initialize(&StopFlag::default())?;
        task.begin(run, &settings)
    }

    /// A run as its newest checkpoint left it. `stop` ends waiting for remote data.
    ///
    /// # Errors
    /// A folder that is not a run or has no checkpoint, and as [`Trainer::resume`].
    pub fn resume(
        path: &Path,
        engine: &Engine,
        stop: &StopFlag,
        group: Option<&Arc<Group>>,
    ) -> Result<Trainer<Self>, TrainError> {
        let (run, newest) = Destination::resume(path, group)?;
        let settings = Resolved::read(&RunFolder::config_in(path))?;
        let open = OpenOptions { cancel: stop.flag().into(), ..OpenOptions::default() };
        let options = options(&settings);
        let task = || -> Result<Self, TrainError> {
            let training = open_data(&settings, &open)?;
            let evaluation = open_evaluation_data(&settings, &open)?;
            Self::new(settings, ContrastiveData { training, evaluation }, engine, group)
        };
        let task = task().map_err(|error| error.of_resumed(&RunFolder::config_in(path)))?;
        Trainer::resume(run, task, options, &newest)
    }

    /// What a resumed run does with another value of a setting.
    pub fn on_change(key: &str) -> OnChange {
        OnChange::of(key, &FIXED, &FREE)
    }

    /// The run's settings.
    pub fn settings(&self) -> &Resolved {
        &self.settings
    }

    /// The weights of `model.init` that the backbone started from; `None` for random weights and for a resumed run.
    pub fn start_weights(&self) -> Option<&StartWeights> {
        self.start.as_ref()
    }

    /// Image indices of a batch, and their labels if the dataset has any.
    fn known(&self, batch: &Batch<HostValues>) -> (Vec<i64>, Option<Vec<i64>>) {
        let images = batch.images.iter().map(|&image| i64::from(image)).collect();
        let label = |labels: &[u32], image: u32| labels.get(image as usize).map_or(-1, |&label| i64::from(label));
        let of = |labels| batch.images.iter().map(|&image| label(labels, image)).collect();
        (images, self.dataset.labels().map(of))
    }

    /// A view's values in their memory and as (B, 3, S, S), float32.
    fn view(&self, batch: &Batch<HostValues>, values: HostValues) -> Result<(Tensor, Tensor), TrainError> {
        let (images, side) = (dim(batch.images.len()), i64::from(self.settings.data.size));
        let whole = values.into_tensor();
        let shaped = whole.f_narrow(0, 0, images * 3 * side * side)?.f_view([images, 3, side, side])?;
        Ok((whole, shaped))
    }

    /// Runs `work` on the views of a batch, which gets its memory back afterwards.
    fn with_views<T>(
        &mut self,
        batch: &mut Batch<HostValues>,
        work: impl FnOnce(&mut Self, &[Tensor]) -> T,
    ) -> Result<T, TrainError> {
        let (mut memory, mut views) = (Vec::new(), Vec::new());
        for values in std::mem::take(&mut batch.views) {
            let (whole, view) = self.view(batch, values)?;
            memory.push(whole);
            views.push(view);
        }
        let result = work(self, &views);
        drop(views);
        batch.views = memory.into_iter().map(HostValues::new).collect::<Result<_, _>>()?;
        Ok(result)
    }

    /// How batch norm takes its statistics: whether shuffle-BN is effective.
    fn norm_note(&self) -> String {
        let (moco, ranks) = (&self.settings.moco, self.group().map_or(1, |group| group.size()));
        let shared = moco.encoder == EncoderKind::Shared;
        let over = if shared { "over all views of the batch" } else { "over the whole batch" };
        let shuffled = match ranks {
            1 => ", keys shuffled across them".to_owned(),
            _ => format!(
                ", {} on each of {ranks} processes, images shuffled across all",
                counted(moco.bn_groups / ranks, "group")
            ),
        };
        match moco.bn_groups {
            0 | 1 if ranks > 1 => format!("batch norm: synchronized over {ranks} processes, statistics {over}"),
            0 | 1 if shared => format!("batch norm: statistics {over}"),
            0 | 1 => {
                format!("batch norm: statistics {over}; key shuffling is off (it has no effect with a single group)")
            }
            groups => format!(
                "batch norm: statistics over {groups} groups of {}{}",
                moco.batch / groups,
                if shared { "" } else { &shuffled }
            ),
        }
    }
}

impl Task for Contrastive {
    type Batch = Batch<HostValues>;
    type Loader = Views;
    type Curve = CurveRecord;

    fn name(&self) -> &'static str {
        "contrastive"
    }

    fn warm_up_setting(&self) -> &'static str {
        "optimizer.warmup_epochs"
    }

    fn timeline(&self) -> Timeline {
        self.timeline
    }

    fn schedule(&self) -> &LearningRate {
        &self.schedule
    }

    fn metrics(&self) -> &'static [&'static Metric] {
        &METRICS
    }

    fn data(&self) -> DataIdentity {
        let source = self.settings.data.source.clone();
        DataIdentity { source, images: self.dataset.len(), fingerprint: self.dataset.fingerprint() }
    }

    fn evaluation_data(&self) -> Option<DataIdentity> {
        let dataset = self.monitor.as_ref()?.dataset();
        let (labeled, training) = (&self.settings.evaluation.source, &self.settings.data.source);
        let source = if labeled.is_empty() { training } else { labeled };
        Some(DataIdentity { source: source.clone(), images: dataset.len(), fingerprint: dataset.fingerprint() })
    }

    fn settings(&self) -> Vec<Setting> {
        let described = self.settings.describe().into_iter();
        let setting = |key, value: String| Setting { key, value, on_change: Self::on_change(key) };
        described.map(|s| setting(s.key, s.value.to_string())).collect()
    }

    fn group(&self) -> Option<&Arc<Group>> {
        self.learner.ranks.as_ref().map(|ranks| ranks.group())
    }

    fn loader(&self, step: u64, shard: Shard, stop: &StopFlag) -> Result<Views, TrainError> {
        self.read_feature_sample(stop)?;
        Views::new(&self.settings, &self.dataset, self.timeline, step, shard, stop, self.learner.query.compute().device)
    }

    fn step(&mut self, batch: &mut Batch<HostValues>, plan: &StepPlan) -> Result<StepReport<CurveRecord>, StepError> {
        let (images, labels) = self.known(batch);
        let metadata = SampleMetadata { images: Some(&images), labels: labels.as_deref() };
        let report = match self.with_views(batch, |task, views| task.learner.step(views, metadata, plan))? {
            Err(TrainError::Contrast(
                reason @ (ContrastError::NotFinite { .. } | ContrastError::LossNotFinite { .. }),
            )) => {
                return Err(StepError::NotFinite {
                    reason: reason.to_string(),
                    state: "The parts are as they were before the step, except that the key encoder (key.*) has already been updated",
                });
            }
            report => report?,
        };
        let mut metrics = report.metrics;
        if self.settings.uses_queue() {
            metrics.extend(&metrics::of_queue(&self.learner.queue, report.entered, self.timeline.steps_per_epoch));
        }
        let curve = report.diagnostics.map(|found| {
            metrics.extend(&metrics::of_diagnostics(&found));
            let (step, epoch) = (plan.step + 1, self.timeline.epoch(plan.step));
            CurveRecord { step, epoch, ranks: found.curve.ranks, real: found.curve.real, all: found.curve.all }
        });
        let note = report.fewer_hard_negatives.filter(|_| !self.clamping_noted).map(|fewest| {
            self.clamping_noted = true;
            let (n, step) = (self.settings.negatives.hardest, plan.step);
            match fewest {
                0 => format!(
                    "negatives.filters exclude every key for a query at step {step}; such queries have no loss and no gradient (metric without_negatives)"
                ),
                _ => format!(
                    "negatives.hardest is {n}, but filtering left only {} for a query at step {step}; all of them are used as hard negatives",
                    counted(fewest, "negative")
                ),
            }
        });
        Ok(StepReport { metrics, images: batch.images.len() as u64, curve, note })
    }

    fn parts(&self) -> Result<Vec<Part>, TrainError> {
        self.feature_norm.measure(&self.learner.query)?;
        parts::save(&self.learner)
    }

    fn restore(&mut self, saved: &mut Parts) -> Result<(), TrainError> {
        parts::restore(&mut self.learner, saved)
    }

    fn batch_part(&self, batch: &Batch<HostValues>) -> Result<Part, TrainError> {
        let side = i64::from(self.settings.data.size);
        let view = |index: usize| from_f32(batch.view(index), &[-1, 3, side, side]);
        let (view_1, view_2) = (view(0)?, view(1)?);
        let (images, _) = self.known(batch);
        let images = Tensor::f_from_slice(&images)?;
        let tensors = [("view_1", view_1), ("view_2", view_2), ("images", images)];
        Ok(Part::tensors("batch", tensors.map(|(name, tensor)| (name.to_owned(), tensor)).into()))
    }

    fn evaluate(&mut self, _step: u64, stop: &StopFlag) -> Result<Evaluated, TrainError> {
        match &mut self.monitor {
            Some(monitor) => {
                self.feature_norm.measure(&self.learner.query)?;
                let group = self.learner.ranks.as_ref().map(|ranks| ranks.group().as_ref());
                watch::evaluate(monitor, &self.learner.query, group, stop)
            }
            None => Ok(Evaluated::default()),
        }
    }

    fn notes(&self) -> Vec<String> {
        let trains = self.settings.epochs > 0.0;
        let mut notes: Vec<String> = trains.then(|| self.norm_note()).into_iter().collect();
        notes.extend(self.monitor.is_some().then(|| watch::note(&self.settings)));
        notes
    }
}

/// How often things are done.
fn options(settings: &Resolved) -> TrainerOptions {
    TrainerOptions {
        record_every: settings.log.every_steps,
        diagnostics_every: settings.log.diagnostics_every_steps,
        evaluate: match settings.evaluation.every_steps {
            0 => Evaluate::Never,
            every => Evaluate::Watch { every, time_fraction: settings.evaluation.time_fraction },
        },
        checkpoint_every: settings.checkpoint.every_steps,
        keep_last: settings.checkpoint.keep_last,
        keep_every: settings.checkpoint.keep_every,
    }
}

/// The learning rate, counted in epochs.
fn schedule(settings: &Resolved, steps_per_epoch: u64) -> LearningRate {
    use mochi_config::{Per, Schedule};
    let optimizer = &settings.optimizer;
    LearningRate {
        peak: optimizer.learning_rate,
        steps_per_unit: steps_per_epoch,
        update: match optimizer.per {
            Per::Epoch => Update::EveryUnit,
            Per::Step => Update::EveryStep,
        },
        length: settings.epochs,
        warm_up: if optimizer.warmup_epochs > 0.0 { WarmUp::Linear(optimizer.warmup_epochs) } else { WarmUp::None },
        decay: match optimizer.schedule {
            Schedule::Cosine => Decay::Cosine,
            Schedule::Step => {
                let milestones = optimizer.milestones.iter().map(|&epoch| f64::from(epoch)).collect();
                Decay::Steps { milestones, factor: 0.1 }
            }
        },
    }
}

/// Refuses options that need classes if the dataset has none.
fn check_labels(settings: &Resolved, dataset: &Dataset) -> Result<(), TrainError> {
    let oracle = settings.negatives.filters.iter().any(|filter| filter.name() == "class-oracle");
    let asked = [
        (settings.moco.positive == Positive::Label, "moco.positive=label"),
        (oracle, "negatives.filters with class-oracle"),
    ];
    match asked.into_iter().find(|(asked, _)| *asked) {
        Some((_, option)) if dataset.labels().is_none() => Err(TrainError::NoLabels { option }),
        _ => Ok(()),
    }
}
