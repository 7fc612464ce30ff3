//! The trainer with a task that has nothing to do with contrastive learning: least squares with iteration-based warm-up, batches of different
//! sizes, gradient clipping, two learning rates, an evaluation, a metric and state of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mochi_data::Shard;
use mochi_run::metric::Unit;
use mochi_run::metric::general::{IMAGES_PER_S, LEARNING_RATE, LOSS};
use mochi_run::{CurveRecord, Log, Metric, Metrics, MetricsLog, NoCurve, RunFolder};
use mochi_tensor::{Device, Kind, Tensor, read_tensors};
use mochi_term::StopFlag;
use mochi_train::{
    Batches, DataIdentity, Decay, Evaluate, Evaluated, Event, LearningRate, OnChange, Outcome, Part, Parts, Setting,
    State, StepError, StepPlan, StepReport, Task, Timeline, TrainError, Trainer, TrainerOptions, Update, WarmUp,
};

mochi_run::metrics! {
    /// Distance of the solution from the true one.
    DISTANCE: "distance", Unit::Scalar, "least_squares/distance", Last;
    /// Norm of the gradient before clipping.
    GRADIENT_NORM: "gradient_norm", Unit::Scalar, "least_squares/gradient_norm", Max;
}

static METRICS: &[&Metric] = &[&LOSS, &DISTANCE, &GRADIENT_NORM];
const TRUTH: [f32; 3] = [1.0, -2.0, 0.5];
const STEPS: u64 = 30;

/// Rows and targets of a step.
struct Samples {
    rows: Tensor,
    targets: Tensor,
}

/// Makes the samples of every step from its number: 2, 3 or 4 of them.
struct Generator {
    step: u64,
    end: u64,
}

fn samples(step: u64) -> Samples {
    let count = 2 + (step % 3) as i64;
    let at = Tensor::arange(3 * count, (Kind::Float, Device::Cpu)) + 7.0 * step as f64;
    let rows = (&at * &at * 0.37).sin().view([count, 3]);
    let targets = rows.matmul(&Tensor::from_slice(&TRUTH));
    Samples { rows, targets }
}

impl Batches for Generator {
    type Batch = Samples;

    fn next_batch(&mut self) -> Option<Result<Samples, TrainError>> {
        let batch = (self.step < self.end).then(|| Ok(samples(self.step)));
        self.step += 1;
        batch
    }
}

#[derive(Debug)]
struct LeastSquares {
    /// Time that an evaluation takes.
    evaluates: Duration,
    /// Time that a checkpoint takes.
    saves: Duration,
    /// The step that leaves weights that are not finite.
    spoils: Option<u64>,
    weights: Tensor,
    updates: u64,
    schedule: LearningRate,
    /// With a budget a step takes 4 ms.
    budget: Option<Duration>,
}

impl LeastSquares {
    fn new(peak: f64) -> Self {
        let schedule = LearningRate {
            peak,
            steps_per_unit: 1,
            update: Update::EveryStep,
            length: STEPS as f64,
            warm_up: WarmUp::From { factor: 0.1, length: 5.0 },
            decay: Decay::Steps { milestones: vec![25.0], factor: 0.1 },
        };
        Self {
            evaluates: Duration::ZERO,
            saves: Duration::ZERO,
            spoils: None,
            weights: Tensor::zeros([3], (Kind::Float, Device::Cpu)),
            updates: 0,
            schedule,
            budget: None,
        }
    }

    fn distance(&self) -> f64 {
        (&self.weights - Tensor::from_slice(&TRUTH)).norm().double_value(&[])
    }
}

impl Task for LeastSquares {
    type Batch = Samples;
    type Loader = Generator;
    type Curve = NoCurve;

    fn name(&self) -> &'static str {
        "least-squares"
    }

    fn warm_up_setting(&self) -> &'static str {
        "warm_up"
    }

    fn timeline(&self) -> Timeline {
        Timeline { steps: STEPS, steps_per_epoch: 12, warm_up: 0, budget: self.budget }
    }

    fn schedule(&self) -> &LearningRate {
        &self.schedule
    }

    fn metrics(&self) -> &'static [&'static Metric] {
        METRICS
    }

    fn data(&self) -> DataIdentity {
        DataIdentity { source: "sines".into(), images: 0, fingerprint: 1 }
    }

    fn settings(&self) -> Vec<Setting> {
        vec![Setting { key: "peak", value: self.schedule.peak.to_string(), on_change: OnChange::Note }]
    }

    fn loader(&self, step: u64, shard: Shard, _stop: &StopFlag) -> Result<Generator, TrainError> {
        assert_eq!(shard, Shard::WHOLE);
        let timeline = self.timeline();
        let end = if self.budget.is_some() { timeline.end_epoch() } else { timeline.steps };
        Ok(Generator { step, end })
    }

    fn step(&mut self, batch: &mut Samples, plan: &StepPlan) -> Result<StepReport<NoCurve>, StepError> {
        if self.budget.is_some() {
            std::thread::sleep(Duration::from_millis(4));
        }
        let residual = batch.rows.f_matmul(&self.weights)?.f_sub(&batch.targets)?;
        let loss = residual.square().mean(Kind::Double).double_value(&[]);
        if !loss.is_finite() {
            let reason = format!("the loss is {loss} at step {}", plan.step);
            return Err(StepError::NotFinite { reason, state: "The weights are those before the step" });
        }
        let gradient = residual.unsqueeze(0).f_matmul(&batch.rows)?.squeeze();
        let norm = gradient.norm().double_value(&[]);
        // Two parameter groups: the last weight learns at half the rate.
        let rates = Tensor::from_slice(&[1.0f32, 1.0, 0.5]) * (plan.learning_rate / norm.clamp(1.0, 1e3));
        self.weights = &self.weights - gradient * rates;
        if self.spoils == Some(plan.step) {
            self.weights = &self.weights * f64::INFINITY;
        }
        self.updates += 1;
        let metrics = Metrics::new().with(&LOSS, loss).with(&GRADIENT_NORM, norm);
        Ok(StepReport { metrics, images: batch.rows.size()[0] as u64, curve: None, note: None })
    }

    fn parts(&self) -> Result<Vec<Part>, TrainError> {
        std::thread::sleep(self.saves);
        let weights = BTreeMap::from([("weights".to_owned(), self.weights.copy())]);
        Ok(vec![
            Part::tensors("model", weights),
            Part { name: "history", tensors: BTreeMap::new(), value: self.updates.into() },
        ])
    }

    fn restore(&mut self, parts: &mut Parts) -> Result<(), TrainError> {
        let (mut model, _) = parts.take("model")?;
        self.weights = model.remove("weights").ok_or_else(|| parts.invalid("there are no weights".into()))?;
        let (_, updates) = parts.take("history")?;
        self.updates = updates.as_u64().ok_or_else(|| parts.invalid("there is no count".into()))?;
        Ok(())
    }

    fn batch_part(&self, batch: &Samples) -> Result<Part, TrainError> {
        let tensors = [("rows", &batch.rows), ("targets", &batch.targets)];
        Ok(Part::tensors("batch", tensors.map(|(name, tensor)| (name.to_owned(), tensor.copy())).into()))
    }

    fn evaluate(&mut self, _step: u64, _stop: &StopFlag) -> Result<Evaluated, TrainError> {
        std::thread::sleep(self.evaluates);
        Ok(Metrics::new().with(&DISTANCE, self.distance()).into())
    }
}

fn options() -> TrainerOptions {
    TrainerOptions {
        record_every: 4,
        diagnostics_every: 0,
        evaluate: Evaluate::Result { every: 10 },
        checkpoint_every: 7,
        keep_last: 2,
        keep_every: 0,
    }
}

fn start(path: &Path, peak: f64) -> Trainer<LeastSquares> {
    let run = RunFolder::create(path).unwrap();
    run.write_config("").unwrap();
    Trainer::new(run, LeastSquares::new(peak), options())
}

fn resume(path: &Path, peak: f64) -> Result<Trainer<LeastSquares>, TrainError> {
    let run = RunFolder::open(path).unwrap();
    let newest = run.checkpoints().latest().unwrap().unwrap();
    Trainer::resume(run, LeastSquares::new(peak), options(), &newest)
}

/// Trains until step `stop_after`, or to the end.
fn train(trainer: Trainer<LeastSquares>, stop_after: u64) -> Result<Outcome, TrainError> {
    let stop = StopFlag::default();
    trainer.train(&stop, &mut |event| {
        if let Event::Step(at) = event {
            assert_eq!((at.steps, at.epochs, at.epoch), (STEPS, 3, (at.step - 1) / 12));
            if at.step == stop_after {
                stop.request();
            }
        }
    })
}

fn weights(checkpoint: &Path) -> Tensor {
    read_tensors(&checkpoint.join("model.safetensors")).unwrap().0.remove("weights").unwrap()
}

/// The records as JSON, without those values that are times.
fn records(run: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let mut records: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for record in &mut records {
        for timed in ["images_per_s", "data_wait_fraction", "elapsed_s"] {
            assert!(record.as_object_mut().unwrap().remove(timed).is_some(), "{timed}");
        }
        let fraction = record.as_object_mut().unwrap().remove("evaluation_time_fraction");
        assert_eq!(fraction.is_some(), !record["distance"].is_null());
    }
    records
}

#[test]
fn a_second_task_trains_stops_and_resumes_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let straight = train(start(&path("straight"), 0.5), u64::MAX).unwrap();
    assert!(straight.finished);
    assert_eq!(straight.step, STEPS);

    assert!(!train(start(&path("stopped"), 0.5), 8).unwrap().finished);
    train(resume(&path("stopped"), 0.5).unwrap(), 20).unwrap();
    let resumed = train(resume(&path("stopped"), 0.5).unwrap(), u64::MAX).unwrap();
    assert!(resumed.finished);
    assert!(weights(&straight.checkpoint).equal(&weights(&resumed.checkpoint)));
    let states = [&straight, &resumed].map(|outcome| State::read(&outcome.checkpoint).unwrap());
    assert_eq!(states[0].parts["history"], STEPS);
    assert_eq!(states[0].images_seen, states[1].images_seen);
    assert_eq!((states[0].task.as_str(), states[0].world_size, states[0].format), ("least-squares", 1, 3));

    assert!(TABLE.iter().all(|metric| METRICS.iter().any(|declared| declared.key == metric.key)));
    // Stopped at a multiple of `record_every`: the records are the same as well.
    let [first, second] = [path("straight"), path("stopped")].map(|run| records(&run));
    assert_eq!(
        first.iter().map(|r| r["step"].as_u64().unwrap()).collect::<Vec<_>>(),
        [4, 8, 10, 12, 16, 20, 24, 28, 30]
    );
    assert_eq!(first, second);
    // Every evaluation has a record of its step.
    let evaluated = first.iter().filter(|record| !record["distance"].is_null());
    assert_eq!(evaluated.map(|r| r["step"].as_u64().unwrap()).collect::<Vec<_>>(), [10, 20, 30]);
    assert!(first.last().unwrap()["distance"].as_f64().unwrap() < 1.0, "it learns: {}", first.last().unwrap());
    // A reader that uses the table of metrics ignores keys that the table does not have.
    let read = MetricsLog::read(&path("straight").join("metrics.jsonl")).unwrap();
    assert_eq!(read.last().unwrap().values.get(&DISTANCE), None);
    assert!((read[0].values.get(&LEARNING_RATE).unwrap() - 0.5 * (0.1 + 0.9 * 3.0 / 5.0)).abs() < 1e-12);
    assert!(Log::<CurveRecord>::read(&path("straight").join("curves.jsonl")).unwrap().is_empty());
}

/// A run with a budget takes as many steps as fit, over all sessions, and its learning rate goes its whole course.
#[test]
fn a_time_budget_holds_over_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let timed = |seconds: u64| LeastSquares { budget: Some(Duration::from_secs(seconds)), ..LeastSquares::new(0.5) };
    let run = RunFolder::create(&path).unwrap();
    run.write_config("").unwrap();
    let options = || TrainerOptions { record_every: 1, ..options() };
    let stop = StopFlag::default();
    let mut left = Vec::new();
    // Half of the second was spent before the first step.
    let first = Trainer::new(run, timed(1), options()).after(0.5).train(&stop, &mut |event| {
        if let Event::Step(at) = event {
            left.push(at.left.unwrap());
            assert!(at.steps >= at.step);
            if at.step == 20 {
                stop.request();
            }
        }
    });
    let first = first.unwrap();
    assert!(!first.finished && first.elapsed_s < 0.9, "{first:?}");
    assert!(left[0] < Duration::from_millis(500) && left.is_sorted_by(|a, b| a > b), "{left:?}");

    let resume = |task: LeastSquares| {
        let run = RunFolder::open(&path).unwrap();
        let newest = run.checkpoints().latest().unwrap().unwrap();
        Trainer::resume(run, task, options(), &newest).unwrap()
    };
    let resumed = resume(timed(1));
    assert!(!resumed.ended() && resumed.left().unwrap() > Duration::from_millis(100));
    let second = resumed.train(&StopFlag::default(), &mut |_| {}).unwrap();
    assert!(second.finished && second.step > 20, "{second:?}");
    // Had it ended after the 30 planned steps, it would be less, and had the second session its own second, it would be 1.5 s at least. `clock.rs` has the exact bounds.
    assert!((0.9..1.4).contains(&second.elapsed_s), "{second:?}");
    let rates = MetricsLog::read(&path.join("metrics.jsonl")).unwrap();
    let rates: Vec<f64> = rates.iter().map(|record| record.values.get(&LEARNING_RATE).unwrap()).collect();
    assert_eq!(rates.len() as u64, second.step);
    // Half of the time had passed when it began, and the warm-up still begins with the first step. The rate falls at 25 of 30 planned steps.
    assert!(rates[0] < 0.1 && *rates.last().unwrap() == 0.05, "{rates:?}");
    let peak = rates.iter().position(|&rate| rate == 0.5).unwrap();
    assert!(rates[..peak].is_sorted() && rates[peak..].is_sorted_by(|a, b| a >= b), "{rates:?}");

    assert!(resume(timed(1)).ended());
    let longer = resume(timed(2));
    assert!(!longer.ended(), "more time than before continues a run that had ended");
}

/// The evaluations of a run that is watched count within its budget, the last one too, and take no more than their fraction besides the first and the last.
#[test]
fn evaluations_are_part_of_a_time_budget() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let run = RunFolder::create(&path).unwrap();
    run.write_config("").unwrap();
    let evaluate = Evaluate::Watch { every: 5, time_fraction: 0.25 };
    let options = TrainerOptions { record_every: 1, checkpoint_every: 1000, evaluate, ..options() };
    let evaluates = Duration::from_millis(100);
    let task = LeastSquares { budget: Some(Duration::from_secs(2)), evaluates, ..LeastSquares::new(0.5) };
    let (mut speeds, mut shown) = (Vec::new(), Vec::new());
    let outcome = Trainer::new(run, task, options).train(&StopFlag::default(), &mut |event| {
        if let Event::Step(at) = event {
            speeds.push(at.metrics.get(&IMAGES_PER_S).unwrap());
            shown.push((at.step, at.evaluated));
        }
    });
    let outcome = outcome.unwrap();
    // Without the time that is left for the last evaluation it would be 2.1 s.
    assert!(outcome.finished && (1.8..2.08).contains(&outcome.elapsed_s), "{outcome:?}");
    let records = records(&path);
    let evaluated: Vec<u64> =
        records.iter().filter(|r| !r["distance"].is_null()).map(|r| r["step"].as_u64().unwrap()).collect();
    assert_eq!((evaluated[0], *evaluated.last().unwrap()), (1, outcome.step));
    // Each step names the evaluation whose values it repeats.
    let newest = |step: u64| evaluated.iter().copied().rfind(|&evaluated| evaluated <= step);
    assert!(shown.iter().all(|&(step, evaluation)| evaluation == newest(step)), "{shown:?}");
    assert!((3..=7).contains(&evaluated.len()), "{evaluated:?}: 100 ms of 2 s each, a quarter and one more at most");
    assert!(evaluated[1..evaluated.len() - 1].iter().all(|step| step % 5 == 0), "{evaluated:?}");
    // The speed is that of training: a step takes 4 ms, an evaluation 25 times as long.
    assert!(speeds[speeds.len() - 1] > 2.0 / 0.02, "{speeds:?}");
}

/// The time of checkpoints was counted as that of steps.
#[test]
fn the_speed_of_training_leaves_checkpoints_out() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create(folder.path()).unwrap();
    run.write_config("").unwrap();
    let options = TrainerOptions { record_every: 1000, checkpoint_every: 5, ..options() };
    let (saves, budget) = (Duration::from_millis(200), Some(Duration::from_secs(2)));
    let task = LeastSquares { budget, saves, ..LeastSquares::new(0.5) };
    let mut speed = 0.0;
    let trained = Trainer::new(run, task, options).train(&StopFlag::default(), &mut |event| {
        if let Event::Step(at) = event {
            speed = at.metrics.get(&IMAGES_PER_S).unwrap();
        }
    });
    assert!(trained.unwrap().step > 10);
    // Batches of 2 in steps of 4 ms; with the checkpoints, a step takes 44 ms.
    assert!(speed > 2.0 / 0.02, "{speed}");
}

/// A record of several evaluations would keep the last one alone.
#[test]
fn every_evaluation_has_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let run = RunFolder::create(&path).unwrap();
    run.write_config("").unwrap();
    let evaluate = Evaluate::Result { every: 3 };
    let options = TrainerOptions { record_every: 1000, checkpoint_every: 1000, evaluate, ..options() };
    let outcome = Trainer::new(run, LeastSquares::new(0.5), options).train(&StopFlag::default(), &mut |_| {}).unwrap();
    let steps: Vec<u64> = records(&path).iter().map(|record| record["step"].as_u64().unwrap()).collect();
    assert!(records(&path).iter().all(|record| !record["distance"].is_null()));
    let wanted: Vec<u64> = (1..=outcome.step).filter(|step| step % 3 == 0 || *step == outcome.step).collect();
    assert_eq!(steps, wanted);
}

#[test]
fn a_changed_setting_is_noted_and_another_task_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    train(start(&path, 0.5), 8).unwrap();
    let mut notes = Vec::new();
    resume(&path, 0.25)
        .unwrap()
        .train(&StopFlag::default(), &mut |event| {
            if let Event::Note(note) = event {
                notes.push(note);
            }
        })
        .unwrap();
    let after = "the last step is done; batch statistics and the evaluation follow";
    assert_eq!(notes, ["peak is 0.25; 8 steps were trained with 0.5", after]);
}

#[test]
fn h16_a_step_that_is_not_finite_leaves_a_complete_dump() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let error = train(start(&path, 1e38), u64::MAX).unwrap_err();
    let TrainError::Diverged { folder: dump, reason, .. } = &error else { panic!("{error}") };
    assert!(error.to_string().contains("the optimizer step was skipped"), "{error}");
    let state = State::read(dump).unwrap();
    assert_eq!(*dump, path.join("failed").join(format!("step-{}", state.step)));
    assert_eq!(state.failure.unwrap(), format!("{reason}. The weights are those before the step"));
    assert_eq!(state.parts.keys().collect::<Vec<_>>(), ["batch", "history", "model"]);
    let (batch, _) = read_tensors(&dump.join("batch.safetensors")).unwrap();
    assert!(batch["rows"].equal(&samples(state.step).rows));
    // Nothing temporary is left, and the run's own checkpoints are untouched.
    assert_eq!(std::fs::read_dir(path.join("failed")).unwrap().count(), 1);
    assert!(!path.join("checkpoints").exists() || std::fs::read_dir(path.join("checkpoints")).unwrap().count() > 0);
}

/// The loss of the last step is that before it: what the step leaves is known when it is saved.
#[test]
fn weights_that_are_not_finite_are_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let run = RunFolder::create(&path).unwrap();
    run.write_config("").unwrap();
    let task = LeastSquares { spoils: Some(STEPS - 1), ..LeastSquares::new(0.5) };
    let error = train(Trainer::new(run, task, options()), u64::MAX).unwrap_err();
    let TrainError::NotFinite { reason, folder: dump, resumable, .. } = &error else { panic!("{error}") };
    assert_eq!(reason, "after step 30 the tensor \"weights\" of the model holds values that are not finite");
    assert!(*resumable && error.hint().unwrap().contains("lower optimizer.learning_rate"));
    assert_eq!((dump, State::read(dump).unwrap().step), (&path.join("failed/step-30"), STEPS));
    let newest = RunFolder::read(&path).unwrap().checkpoints().latest().unwrap().unwrap();
    assert_eq!(newest.step, STEPS - 1, "the one that precedes the last step");
}
