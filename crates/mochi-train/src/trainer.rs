//! The training loop of any task: steps, records, evaluations, stopping, resuming.
//!
//! | file | contains |
//! |---|---|
//! | `event` | what a run reports while it trains, and at its end |
//! | `saving` | checkpoints, and the dump of a step that failed |
//! | `unchanged` | what a resumed run must have in common with its checkpoint |

mod event;
mod saving;
mod unchanged;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mochi_data::{BadImage, DataError, Shard};
use mochi_run::metric::{Averages, general};
use mochi_run::{Checkpoint, Line, Metrics, Record, RunFolder};
use mochi_term::StopFlag;
use mochi_text::counted;

use crate::clock::Clock;
use crate::destination::Destination;
use crate::evaluations::{Evaluate, Evaluations};
use crate::pace::Pace;
use crate::ranks::{Ranks, Report, own_stop};
use crate::records::Records;
use crate::state::State;
use crate::task::{Batches, DataIdentity, Evaluated, StepPlan, Task, Timeline};
use crate::{TrainError, checkpoint};
use unchanged::{changed_settings, other_evaluation_data, same_data};

pub use event::{Event, Outcome, Progress};

/// How often things are done, in steps.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainerOptions {
    /// Steps between records of `metrics.jsonl` and TensorBoard; the last step always has one.
    pub record_every: u64,
    /// Steps between periodic diagnostics, which also come at the last step. 0: never.
    pub diagnostics_every: u64,
    /// When the task is evaluated.
    pub evaluate: Evaluate,
    /// Steps between checkpoints; the last step always has one.
    pub checkpoint_every: u64,
    /// How many of the latest checkpoints are kept.
    pub keep_last: usize,
    /// Checkpoints at multiples of this many steps are kept for good. 0: none.
    pub keep_every: u64,
}

/// A run of a task, new or resumed.
#[derive(Debug)]
pub struct Trainer<T> {
    run: Destination,
    ranks: Ranks,
    task: T,
    options: TrainerOptions,
    step: u64,
    images: u64,
    /// Seconds of earlier sessions, and of what was done for this one before its first step.
    earlier_s: f64,
    clock: Clock,
    /// The checkpoint that it was resumed from.
    resumed: Option<PathBuf>,
    notes: Vec<String>,
    warnings: Vec<String>,
    /// The training images and those of evaluations, as they were when this session began: files that change or disappear later do not make other checkpoints.
    data: DataIdentity,
    evaluation: Option<DataIdentity>,
}

impl<T: Task> Trainer<T> {
    /// A new run in a fresh folder.
    pub fn new(run: impl Into<Destination>, task: T, options: TrainerOptions) -> Self {
        let (run, notes, ranks) = (run.into(), task.notes(), Ranks::new(task.group(), task.metrics()));
        let clock = Clock::new(task.timeline(), 0, 0.0, 0.0, false);
        let (data, evaluation) = (task.data(), task.evaluation_data());
        Self {
            run,
            ranks,
            task,
            options,
            step: 0,
            images: 0,
            earlier_s: 0.0,
            clock,
            resumed: None,
            notes,
            warnings: Vec::new(),
            data,
            evaluation,
        }
    }

    /// Counts seconds that were spent before the first step, on measuring the machine for instance, as training time.
    #[must_use]
    pub fn after(mut self, seconds: f64) -> Self {
        self.earlier_s += seconds;
        self.clock = Clock::new(self.task.timeline(), self.step, self.earlier_s, seconds, self.clock.ended());
        self
    }

    /// A run as a checkpoint left it, in the middle of an epoch or not. `task` is a new one; its parts are restored.
    ///
    /// # Errors
    /// A checkpoint that is damaged or of another task, dataset or number of processes; a setting that may not change.
    pub fn resume(
        run: impl Into<Destination>,
        mut task: T,
        options: TrainerOptions,
        checkpoint: &Checkpoint,
    ) -> Result<Self, TrainError> {
        let (run, ranks) = (run.into(), Ranks::new(task.group(), task.metrics()));
        let state = State::read(&checkpoint.path)?;
        let mut notes = task.notes();
        // Settings first: what they change (the number of steps, say) would otherwise be reported as damage.
        notes.extend(changed_settings(&task, &state, &RunFolder::config_in(run.path()))?);
        let (data, evaluation) = (task.data(), task.evaluation_data());
        same_data(&data, &state)?;
        let warnings = other_evaluation_data(evaluation.as_ref(), &state).into_iter().collect();
        if state.world_size != ranks.size() {
            notes.push(format!(
                "{} here; the checkpoint is of {}: sums are rounded differently, so the last bits of the results can differ",
                counted(ranks.size(), "process"),
                counted(state.world_size, "process")
            ));
        }
        checkpoint::check_state(&state, checkpoint, task.name(), task.timeline())?;
        let mut parts = checkpoint::read_parts(&checkpoint.path, &state)?;
        task.restore(&mut parts)?;
        let timeline = task.timeline();
        // With more time than before, a run that has ended goes on.
        let ended = state.finished && state.budget_s == timeline.budget.map(|budget| budget.as_secs_f64());
        let (step, images, earlier_s) = (state.step, state.images_seen, state.elapsed_s);
        let clock = Clock::new(timeline, step, earlier_s, state.before_s, ended);
        Ok(Self {
            run,
            ranks,
            task,
            options,
            step,
            images,
            earlier_s,
            clock,
            resumed: Some(checkpoint.path.clone()),
            notes,
            warnings,
            data,
            evaluation,
        })
    }

    /// The task.
    pub fn task(&self) -> &T {
        &self.task
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        self.run.path()
    }

    /// Whether this process writes the run, because it is the only one or rank 0.
    pub fn writes(&self) -> bool {
        self.run.folder().is_some()
    }

    /// Steps done so far.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Steps of the whole run, as far as they can be known.
    pub fn total_steps(&self) -> u64 {
        self.clock.total_steps(self.step, self.earlier_s)
    }

    /// What is left of the time budget, if there is one.
    pub fn left(&self) -> Option<Duration> {
        self.clock.left(self.earlier_s)
    }

    /// Whether no step is left.
    pub fn ended(&self) -> bool {
        self.clock.ended()
    }

    /// Trains to the end, or until `stop` is requested: then a checkpoint is written after the current step.
    ///
    /// # Errors
    /// Too many bad images, values that are not finite ([`TrainError::Diverged`]), a full disk.
    pub fn train(mut self, stop: &StopFlag, watch: &mut dyn FnMut(Event)) -> Result<Outcome, TrainError> {
        let (begun, first) = (Instant::now(), self.step);
        let timeline = self.task.timeline();
        if let (true, Some(checkpoint)) = (self.clock.ended(), &self.resumed) {
            // Nothing is left to do, so that no file is written either.
            let (step, checkpoint) = (self.step, checkpoint.clone());
            return Ok(Outcome { step, finished: true, trained: 0, checkpoint, elapsed_s: self.earlier_s });
        }
        let mut records =
            self.run.folder().map(|run| Records::open(run, self.resumed.is_some(), self.step)).transpose()?;
        self.notes.drain(..).for_each(|note| watch(Event::Note(note)));
        self.warnings.drain(..).for_each(|warning| watch(Event::Warning(warning)));
        let mut saved: Option<Checkpoint> = None;
        let mut now = self.agree(stop, begun, Report::default())?;
        // A rank that stopped by itself would keep the others waiting: with several, only a stop that all have agreed on counts.
        let alone = self.ranks.size() == 1;
        let stopping = |now: &Report| if alone { stop.requested() } else { now.stop };
        if !self.clock.ended() && !stopping(&now) {
            let of_loader = own_stop(self.task.group().map(Arc::as_ref), stop);
            let mut batches = self.task.loader(self.step, self.shard(), &of_loader)?;
            let (mut averages, mut pace) = (Averages::default(), Pace::start());
            let mut evaluations = Evaluations::new(self.options.evaluate, now.elapsed_s);
            let (mut evaluated, mut evaluated_at) = (Metrics::new(), None);
            // What follows the last step can take long, and can be stopped. The result needs it.
            let ending = evaluations.is_result() || self.task.finishes();
            while !self.clock.ended() && !stopping(&now) {
                let begin_s = now.elapsed_s;
                let waiting = Instant::now();
                let batch = batches.next_batch();
                let waited = waiting.elapsed();
                let bad = batches.new_bad_images();
                let early = TrainError::DataEnded { step: self.step, steps: timeline.steps };
                let mut batch = match batch.ok_or(early)? {
                    // Stopped while waiting for data: the state is saved below.
                    Err(TrainError::Data(DataError::Canceled)) if stop.requested() => break,
                    Ok(batch) => batch,
                    Err(error) => {
                        list_bad(&mut records, bad, watch)?;
                        return Err(error);
                    }
                };
                let last = self.clock.is_last(self.step, begin_s + evaluations.reserve_s());
                if last && ending && saved.as_ref().is_none_or(|s| s.step < self.step) {
                    saved = Some(self.save_in_pause(begun, records.as_ref(), watch, &mut pace)?);
                }
                let plan = self.plan(timeline, begin_s, last);
                let output = self.take_step(&mut batch, &plan, begun)?;
                batches.recycle(batch);
                self.step += 1;
                let own =
                    Report { images: output.images, bad: bad.len(), metrics: output.metrics, ..Report::default() };
                now = self.agree(stop, begun, own)?;
                self.images += now.images;
                pace.step(now.images, waited);
                list_bad(&mut records, self.ranks.bad_images(bad, now.bad)?, watch)?;
                let metrics = self.metrics(&now, &plan, timeline, &pace);
                output.note.into_iter().for_each(|note| watch(Event::Note(note)));
                averages.add(&metrics);
                self.clock.step(now.elapsed_s - begin_s, last);
                let due = evaluations.due(self.step, last, now.elapsed_s);
                let mut found = match self.after_step(last, due, evaluations.is_result(), stop, watch) {
                    Ok(found) => found,
                    // The last checkpoint is of the step before, from which a resumed run does this again.
                    Err(TrainError::Data(DataError::Canceled)) if last && ending && saved.is_some() => {
                        let (step, checkpoint) = (self.step - 1, saved.map_or_else(PathBuf::new, |saved| saved.path));
                        let elapsed_s = self.elapsed(begun);
                        return Ok(Outcome { step, finished: false, trained: step - first, checkpoint, elapsed_s });
                    }
                    Err(TrainError::Data(DataError::Canceled)) => Metrics::new(),
                    Err(error) => return Err(error),
                };
                if due || last {
                    // On the clock of rank 0, as all times.
                    let after = self.agree(stop, begun, Report::default())?;
                    let seconds = after.elapsed_s - now.elapsed_s;
                    pace.pause(seconds);
                    evaluations.took(seconds);
                    (now.elapsed_s, now.stop) = (after.elapsed_s, now.stop || after.stop);
                }
                let was_evaluated = found.iter().next().is_some();
                if was_evaluated {
                    found.set(&general::EVALUATION_TIME_FRACTION, evaluations.fraction(now.elapsed_s));
                    averages.add(&found);
                    evaluated.extend(&found);
                    evaluated_at = Some(self.step);
                }
                let steps = self.clock.total_steps(self.step, now.elapsed_s);
                let mut shown = metrics;
                shown.extend(&evaluated);
                watch(Event::Step(Progress {
                    step: self.step,
                    steps,
                    epoch: timeline.epoch(self.step - 1),
                    epochs: timeline.epochs_of(steps),
                    left: self.clock.left(now.elapsed_s),
                    metrics: &shown,
                    evaluated: evaluated_at,
                }));
                // The values of an evaluation stand alone: the next one of the same record would take their place.
                if was_evaluated || self.due(self.options.record_every, self.step, last) {
                    let record = Record { step: self.step, values: averages.take() };
                    records.as_mut().map_or(Ok(()), |records| records.append(&record))?;
                    pace = Pace::start();
                }
                if let (Some(curve), Some(records)) = (output.curve, &mut records) {
                    records.curve(&curve)?;
                }
                if stopping(&now) || self.due(self.options.checkpoint_every, self.step, last) {
                    saved = Some(self.save_in_pause(begun, records.as_ref(), watch, &mut pace)?);
                }
            }
        }
        let checkpoint = match saved {
            Some(saved) if saved.step == self.step => saved.path,
            _ => self.save(begun, records.as_ref(), watch)?.path,
        };
        let (step, finished) = (self.step, self.clock.ended());
        Ok(Outcome { step, finished, trained: step - first, checkpoint, elapsed_s: self.elapsed(begun) })
    }

    /// What follows a step: after the last one what the task does then, and an evaluation if it is `due`; `result`: the last one is the run's result.
    fn after_step(
        &mut self,
        last: bool,
        due: bool,
        result: bool,
        stop: &StopFlag,
        watch: &mut dyn FnMut(Event),
    ) -> Result<Metrics, TrainError> {
        if last && (result || self.task.finishes()) {
            let follow = if due { "batch statistics and the evaluation" } else { "batch statistics" };
            watch(Event::Note(format!("the last step is done; {follow} follow")));
        }
        if last {
            self.task.finish(stop)?;
        }
        if !due {
            return Ok(Metrics::new());
        }
        let Evaluated { metrics, note } = self.task.evaluate(self.step, stop)?;
        note.into_iter().for_each(|note| watch(Event::Note(note)));
        Ok(metrics)
    }

    /// This process's part of every batch.
    fn shard(&self) -> Shard {
        self.task.group().map_or(Shard::WHOLE, |group| Shard { rank: group.rank(), world_size: group.size() })
    }

    /// What all ranks agree on, of the stop flag and the time here and `own`.
    fn agree(&self, stop: &StopFlag, begun: Instant, own: Report) -> Result<Report, TrainError> {
        Ok(self.ranks.agree(Report { stop: stop.requested(), elapsed_s: self.elapsed(begun), ..own })?)
    }

    /// Whether something that is done every `every` steps is due after `step` steps, or because they are the last.
    fn due(&self, every: u64, step: u64, last: bool) -> bool {
        every > 0 && (step.is_multiple_of(every) || last)
    }

    /// The plan of the next step, which begins after `elapsed_s` seconds of training.
    fn plan(&self, timeline: Timeline, elapsed_s: f64, last: bool) -> StepPlan {
        let position = self.clock.position(self.step, elapsed_s);
        StepPlan {
            step: self.step,
            learning_rate: self.task.schedule().at(position),
            warm_up: position < timeline.warm_up as f64,
            diagnostics: self.due(self.options.diagnostics_every, self.step + 1, last),
        }
    }

    /// The step's values with the trainer's own.
    fn metrics(&self, agreed: &Report, plan: &StepPlan, timeline: Timeline, pace: &Pace) -> Metrics {
        debug_assert!(agreed.metrics.iter().all(|(metric, _)| self.task.metrics().iter().any(|m| m.key == metric.key)));
        let (images_per_s, wait_fraction) = pace.speed();
        let mut metrics = Metrics::new()
            .with(&general::EPOCH, timeline.epoch(self.step - 1) as f64)
            .with(&general::IMAGES, self.images as f64)
            .with(&general::LEARNING_RATE, plan.learning_rate)
            .with(&general::IMAGES_PER_S, images_per_s)
            .with(&general::DATA_WAIT_FRACTION, wait_fraction)
            .with(&general::ELAPSED_S, agreed.elapsed_s);
        metrics.extend(&agreed.metrics);
        metrics
    }

    fn elapsed(&self, begun: Instant) -> f64 {
        self.earlier_s + begun.elapsed().as_secs_f64()
    }
}

/// Lists bad images that were not listed before, and reports them.
fn list_bad<C: Line>(
    records: &mut Option<Records<C>>,
    bad: Vec<BadImage>,
    watch: &mut dyn FnMut(Event),
) -> Result<(), TrainError> {
    let Some(records) = records else { return Ok(()) };
    for image in bad {
        if records.bad_image(&image)? {
            watch(Event::BadImage(&image));
        }
    }
    Ok(())
}
