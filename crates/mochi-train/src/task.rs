//! What the trainer asks of a task. Contrastive pre-training is one ([`crate::Contrastive`]); detection, probes and supervised fine-tuning are of
//! the same shape: a loader that continues at any step, a step that follows a plan, and named parts of state.

use std::sync::Arc;
use std::time::Duration;

use mochi_data::{BadImage, Shard};
use mochi_run::{Line, Metric, Metrics};
use mochi_tensor::Group;
use mochi_term::StopFlag;

use crate::part::{Part, Parts};
use crate::{LearningRate, TrainError};

/// Something that is learned step by step.
pub trait Task {
    /// One batch, of any content: views, images with targets of different sizes, cached features.
    type Batch;
    /// Makes the batches.
    type Loader: Batches<Batch = Self::Batch>;
    /// A line of `curves.jsonl`, written at periodic diagnostics; [`mochi_run::NoCurve`] for none.
    type Curve: Line;

    /// Its name in `state.json`: a checkpoint of another task is refused.
    fn name(&self) -> &'static str;

    /// Whether its schedule is counted in epochs; otherwise people are told iterations.
    fn counts_epochs(&self) -> bool {
        true
    }

    /// The setting that makes the warm-up longer, for messages.
    fn warm_up_setting(&self) -> &'static str;

    /// How many steps there are.
    fn timeline(&self) -> Timeline;

    /// The learning rate over the steps. Several parameter groups scale it by factors of their own.
    fn schedule(&self) -> &LearningRate;

    /// The metrics that its steps and evaluations report. The loss is [`mochi_run::metric::general::LOSS`].
    fn metrics(&self) -> &'static [&'static Metric];

    /// The dataset, so that a run does not continue on another one.
    fn data(&self) -> DataIdentity;

    /// The images that [`Self::evaluate`] uses, if it does anything: a resumed run says where they are others, since its values are then no longer comparable.
    fn evaluation_data(&self) -> Option<DataIdentity> {
        None
    }

    /// Settings as they are now. A checkpoint keeps them; [`OnChange`] says what a resumed run does if one differs.
    fn settings(&self) -> Vec<Setting>;

    /// The ranks that train it together, if there are several processes.
    fn group(&self) -> Option<&Arc<Group>> {
        None
    }

    /// The batches from step `step` on, to the end of the run ([`Timeline::end_epoch`]) and across its epochs. A process of several sees the batches of its shard. A request to
    /// stop ends waiting for data with [`mochi_data::DataError::Canceled`].
    ///
    /// # Errors
    /// Data that cannot be opened, options that the loader refuses.
    fn loader(&self, step: u64, shard: Shard, stop: &StopFlag) -> Result<Self::Loader, TrainError>;

    /// One training step.
    ///
    /// # Errors
    /// [`StepError::NotFinite`] if embeddings, loss or gradients are not finite; the trainer then saves the state and the batch and ends the run.
    fn step(&mut self, batch: &mut Self::Batch, plan: &StepPlan) -> Result<StepReport<Self::Curve>, StepError>;

    /// Everything that a resumed run needs, by name. Each part's tensors become `NAME.safetensors` and its value an entry of `state.json`.
    ///
    /// # Errors
    /// Tensors that cannot be read from the device.
    fn parts(&self) -> Result<Vec<Part>, TrainError>;

    /// Restores what [`Self::parts`] returned. All tensors are already known to be finite.
    ///
    /// # Errors
    /// A part or tensor that is missing or of another shape, a value that is not consistent.
    fn restore(&mut self, parts: &mut Parts) -> Result<(), TrainError>;

    /// A batch as tensors, for the dump of a step that failed.
    ///
    /// # Errors
    /// Tensors that cannot be made.
    fn batch_part(&self, batch: &Self::Batch) -> Result<Part, TrainError>;

    /// Whether [`Self::finish`] does anything, so that the state before the last step is kept in case it is stopped.
    fn finishes(&self) -> bool {
        false
    }

    /// What follows the last step, before it is evaluated and saved: batch statistics that are measured anew, for instance. An interrupted run does
    /// it again from the last step's state.
    ///
    /// # Errors
    /// Data that cannot be read; [`mochi_data::DataError::Canceled`] when asked to stop.
    fn finish(&mut self, _stop: &StopFlag) -> Result<(), TrainError> {
        Ok(())
    }

    /// Evaluates after step `step`, when [`crate::TrainerOptions::evaluate`] asks for it. Must not change what is learned.
    ///
    /// # Errors
    /// Evaluation data that cannot be read; [`mochi_data::DataError::Canceled`] when asked to stop.
    fn evaluate(&mut self, _step: u64, _stop: &StopFlag) -> Result<Evaluated, TrainError> {
        Ok(Evaluated::default())
    }

    /// Remarks for the log when training starts.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Batches in order, made ahead of time.
pub trait Batches {
    /// One batch.
    type Batch;

    /// The next batch; `None` after the last step of the run.
    fn next_batch(&mut self) -> Option<Result<Self::Batch, TrainError>>;

    /// Takes a batch's memory back.
    fn recycle(&mut self, _batch: Self::Batch) {}

    /// Images that turned out to be unreadable since the last call.
    fn new_bad_images(&mut self) -> Vec<BadImage> {
        Vec::new()
    }
}

/// What a step is told, all of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepPlan {
    /// Steps done before it; random draws derive from it.
    pub step: u64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Whether it belongs to the task's warm-up ([`Timeline::warm_up`]).
    pub warm_up: bool,
    /// Whether periodic diagnostics are due. They do not change what is learned.
    pub diagnostics: bool,
}

/// What a step returns.
#[derive(Clone, Debug)]
pub struct StepReport<C> {
    /// Values by metric.
    pub metrics: Metrics,
    /// Images of the batch.
    pub images: u64,
    /// The curve, if diagnostics were due; its step is that of the plan plus one.
    pub curve: Option<C>,
    /// A remark for the log.
    pub note: Option<String>,
}

/// What an evaluation returns.
#[derive(Clone, Debug, Default)]
pub struct Evaluated {
    /// Values by metric.
    pub metrics: Metrics,
    /// A remark for the log: why there are no values, for instance.
    pub note: Option<String>,
}

impl From<Metrics> for Evaluated {
    fn from(metrics: Metrics) -> Self {
        Self { metrics, note: None }
    }
}

/// Why a step was not taken.
#[derive(Debug)]
pub enum StepError {
    /// Embeddings, loss or gradients are not finite.
    NotFinite {
        /// What was not finite.
        reason: String,
        /// What the task's parts hold now, compared with the state before the step.
        state: &'static str,
    },
    /// Anything else.
    Other(TrainError),
}

impl<E: Into<TrainError>> From<E> for StepError {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// Steps of a run. A task that counts in iterations says so in its schedule and keeps the epochs for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Steps of the whole run. With a budget: those that it is expected to take.
    pub steps: u64,
    /// Steps of one pass over the data.
    pub steps_per_epoch: u64,
    /// First step after the task's own warm-up (contrastive pre-training: without synthetic negatives). Not the learning rate's.
    pub warm_up: u64,
    /// Training time, over all sessions. The run ends when it is over, however many steps were taken, and its schedule follows the time.
    pub budget: Option<Duration>,
}

impl Timeline {
    /// Epoch of a step, from 0.
    pub fn epoch(&self, step: u64) -> u64 {
        step / self.steps_per_epoch.max(1)
    }

    /// The epoch before which the data may end: that of the last step, or never, because a budget leaves the number of steps open.
    pub fn end_epoch(&self) -> u64 {
        if self.budget.is_some() { u64::MAX } else { self.epochs() }
    }

    /// Epochs of the whole run, the last one whole or not.
    pub fn epochs(&self) -> u64 {
        self.epochs_of(self.steps)
    }

    /// Epochs of so many steps, the last one whole or not.
    pub(crate) fn epochs_of(&self, steps: u64) -> u64 {
        steps.div_ceil(self.steps_per_epoch.max(1))
    }
}

/// What identifies a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataIdentity {
    /// Where it is, for messages.
    pub source: String,
    /// Number of images.
    pub images: usize,
    /// Fingerprint of names, contents and labels.
    pub fingerprint: u64,
}

/// A setting with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Key, such as "moco.batch".
    pub key: &'static str,
    /// Value as text.
    pub value: String,
    /// What a resumed run does if the value differs from the checkpoint's.
    pub on_change: OnChange,
}

/// What a resumed run does with a setting that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// Refuses to resume: steps were counted, data ordered or tensors shaped by it.
    Refuse,
    /// Resumes with the new value and says so.
    Note,
    /// Resumes silently: it does not change what is learned.
    Accept,
}

impl OnChange {
    /// Of a key, where `fixed` keys may not change, and `free` keys, or those that begin so, may without a word.
    pub(crate) fn of(key: &str, fixed: &[&str], free: &[&str]) -> Self {
        if fixed.contains(&key) {
            Self::Refuse
        } else if free.iter().any(|free| key.starts_with(free)) {
            Self::Accept
        } else {
            Self::Note
        }
    }
}
