//! The loop: epochs of batches, records, checkpoints, stopping and going on.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use mochi_config::{EncoderKind, Positive, Resolved};
use mochi_contrast::{ContrastError, Known, queue_age};
use mochi_data::{BadImage, Batch, DataError, Dataset, Loader, LoaderOptions, OpenOptions, Order, Position};
use mochi_run::{BadImageLog, CurveRecord, CurvesLog, EventWriter, MetricsLog, RunFolder, StepRecord, StopFlag};
use mochi_tensor::{Engine, Tensor, from_f32, set_threads};

use crate::checkpoint::{self, State};
use crate::meter::Meter;
use crate::{Learner, TrainError, compute, failure, learning_rate, load_state, looks, open_data, recipe};

/// What a run tells whoever watches it.
#[derive(Debug)]
pub enum Event<'a> {
    /// A remark for the log, one sentence.
    Note(String),
    /// A step was taken.
    Step {
        /// Steps taken so far, this one included.
        step: u64,
        /// Steps of the whole run.
        steps: u64,
        /// Epoch of this step, from 0.
        epoch: u32,
        /// Seconds of training so far, over all sessions.
        elapsed_s: f64,
        /// The step's own numbers and the pace since the last record.
        now: &'a StepRecord,
    },
    /// An image could not be read and another took its place.
    BadImage(&'a BadImage),
    /// A checkpoint is on the disk.
    Saved(&'a Path),
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Steps taken in all.
    pub step: u64,
    /// Whether it reached its last step; otherwise it was asked to stop and can be resumed.
    pub finished: bool,
    /// The newest checkpoint.
    pub checkpoint: PathBuf,
    /// Seconds of training, over all sessions.
    pub elapsed_s: f64,
}

/// A run ready to train: new, or brought back.
#[derive(Debug)]
pub struct Pretraining {
    run: RunFolder,
    settings: Resolved,
    dataset: Dataset,
    learner: Learner,
    step: u64,
    elapsed_s: f64,
    resumed: bool,
    /// Whether it was told that some query has fewer negatives than N.
    clamped_told: bool,
}

impl Pretraining {
    /// A new run in a fresh folder: `config.toml` is written at once.
    ///
    /// # Errors
    /// Settings that the engine cannot follow, a folder that cannot be written.
    pub fn create(run: RunFolder, settings: Resolved, dataset: Dataset, engine: &Engine) -> Result<Self, TrainError> {
        check_labels(&settings, &dataset)?;
        set_threads(settings.compute.threads);
        let learner = Learner::new(&settings, compute(&settings, engine)?)?;
        run.write_config(&settings.to_toml())?;
        Ok(Self { run, settings, dataset, learner, step: 0, elapsed_s: 0.0, resumed: false, clamped_told: false })
    }

    /// A run as its newest checkpoint left it, in the middle of an epoch or not. `stop` ends waiting for remote data.
    ///
    /// # Errors
    /// A folder that is no run or has no checkpoint, or a data set that is not the one it began with.
    pub fn resume(path: &Path, engine: &Engine, stop: &StopFlag) -> Result<Self, TrainError> {
        let run = RunFolder::open(path)?;
        let settings = Resolved::read(&run.config_path())?;
        let Some(newest) = run.checkpoints().latest()? else {
            return Err(TrainError::NoCheckpoint(path.to_owned()));
        };
        let state = load_state(&newest.path)?;
        let dataset = open_data(&settings, &OpenOptions { cancel: stop.flag().into(), ..OpenOptions::default() })?;
        if format!("{:016x}", dataset.fingerprint()) != state.fingerprint {
            let reason = format!(
                "{} is not the data set of {} images that it was trained on",
                settings.data.source, state.images
            );
            return Err(TrainError::Checkpoint { path: newest.path, reason });
        }
        check_labels(&settings, &dataset)?;
        set_threads(settings.compute.threads);
        let mut learner = Learner::new(&settings, compute(&settings, engine)?)?;
        checkpoint::restore(&newest.path, &mut learner, &state)?;
        let (step, elapsed_s) = (state.step, state.elapsed_s);
        Ok(Self { run, settings, dataset, learner, step, elapsed_s, resumed: true, clamped_told: false })
    }

    /// The run's settings.
    pub fn settings(&self) -> &Resolved {
        &self.settings
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        self.run.path()
    }

    /// Steps taken so far.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Steps of the whole run.
    pub fn total_steps(&self) -> u64 {
        self.settings.total_steps(self.dataset.len())
    }

    /// Trains to the end, or until `stop` is asked for: then the next step is the last, and a checkpoint is written.
    ///
    /// # Errors
    /// Too many bad images, a loss that is not finite ([`TrainError::Diverged`]), a disk that is full.
    pub fn train(mut self, stop: &StopFlag, watch: &mut dyn FnMut(Event)) -> Result<Outcome, TrainError> {
        let begun = Instant::now();
        let mut records = Records::open(&self.run, self.resumed, self.step)?;
        watch(Event::Note(self.statistics_note()));
        let per_epoch = self.settings.steps_per_epoch(self.dataset.len());
        let total = self.total_steps();
        let mut meter = Meter::new();
        let mut saved = None;
        let mut loader = self.loader(per_epoch, stop)?;
        while self.step < total && !stop.requested() {
            let batch = match loader.next() {
                Some(Ok(batch)) => batch,
                // The state is saved below.
                None | Some(Err(DataError::Canceled)) => break,
                Some(Err(error)) => {
                    records.bad_images(&loader.bad_images(), watch)?;
                    return Err(error.into());
                }
            };
            let epoch = u32::try_from(batch.epoch).unwrap_or(u32::MAX);
            let elapsed = self.elapsed_s + begun.elapsed().as_secs_f64();
            let (now, curve) = self.take_step(&batch, epoch, per_epoch, elapsed, &mut meter, watch)?;
            loader.recycle(batch);
            records.bad_images(&loader.new_bad_images(), watch)?;
            let due = self.step.is_multiple_of(self.settings.log.every_steps) || self.step == total;
            watch(Event::Step { step: self.step, steps: total, epoch, elapsed_s: elapsed, now: &now });
            if due {
                records.append(&meter.record(now))?;
            }
            if let Some(curve) = curve {
                records.curve(&curve)?;
            }
            if stop.requested() || self.step.is_multiple_of(self.settings.checkpoint.every_steps) {
                saved = Some(self.save(begun, watch)?);
            }
        }
        let elapsed_s = self.elapsed_s + begun.elapsed().as_secs_f64();
        let checkpoint = match saved {
            Some((step, path)) if step == self.step => path,
            _ => self.save(begun, watch)?.1,
        };
        Ok(Outcome { step: self.step, finished: self.step >= total, checkpoint, elapsed_s })
    }

    /// Which statistics the norms use: the leak that shuffle-BN exists for is there or not, and the log says so.
    fn statistics_note(&self) -> String {
        let moco = &self.settings.moco;
        match moco.bn_groups {
            0 | 1 if moco.encoder == EncoderKind::Shared => "batch statistics: over both views of the batch".to_owned(),
            0 | 1 => {
                "batch statistics: over the whole batch, keys not shuffled (on one device shuffling alone does nothing)"
                    .to_owned()
            }
            groups => {
                format!("batch statistics: {groups} groups of {}, keys shuffled across them", moco.batch / groups)
            }
        }
    }

    /// The batches from the current step to the end of the run.
    fn loader(&self, per_epoch: u64, stop: &StopFlag) -> Result<Loader, TrainError> {
        let data = &self.settings.data;
        let seed = self.settings.seed;
        let batch = usize::try_from(self.step % per_epoch.max(1)).unwrap_or(usize::MAX);
        let options = LoaderOptions {
            order: Order::Shuffled { seed },
            seed,
            start: Position { epoch: self.step / per_epoch.max(1), batch },
            end_epoch: u64::from(self.settings.epochs),
            batch: self.settings.moco.batch,
            views: 2,
            size: data.size,
            recipe: recipe(&self.settings)?,
            drop_last: true,
            threads: data.threads,
            prefetch: data.prefetch,
            max_bad_fraction: data.max_bad_fraction,
            fast_decode: data.fast_decode,
            cancel: stop.flag().into(),
            ..LoaderOptions::default()
        };
        Ok(Loader::new(&self.dataset, options)?)
    }

    /// One batch through the learner; what it saw as a record of this step alone, and the curve where one is due.
    fn take_step(
        &mut self,
        batch: &Batch,
        epoch: u32,
        per_epoch: u64,
        elapsed_s: f64,
        meter: &mut Meter,
        watch: &mut dyn FnMut(Event),
    ) -> Result<(StepRecord, Option<CurveRecord>), TrainError> {
        self.learner.look = looks::due(self.settings.log.diagnostics_every_steps, self.step + 1, self.total_steps());
        let settings = &self.settings;
        let rate = learning_rate(&settings.optimizer, self.step, per_epoch, settings.epochs);
        let synthesise = epoch >= settings.negatives.warmup_epochs;
        let views = self.views(batch)?;
        let (images, labels) = self.known(batch);
        let known = Known { images: Some(&images), labels: labels.as_deref() };
        let report = match self.learner.step([&views[0], &views[1]], known, self.step, rate, synthesise) {
            Err(TrainError::Contrast(
                reason @ (ContrastError::NotFinite { .. } | ContrastError::LossNotFinite { .. }),
            )) => {
                let state = self.state(elapsed_s);
                let folder =
                    failure::save(self.run.path(), &self.learner, &state, [&views[0], &views[1]], &batch.images)?;
                return Err(TrainError::Diverged { reason: reason.to_string(), folder });
            }
            other => other?,
        };
        if let Some(fewest) = report.clamped.filter(|_| !self.clamped_told) {
            self.clamped_told = true;
            let n = settings.negatives.hardest;
            watch(Event::Note(format!(
                "negatives.hardest is {n}, but the guards leave a query {fewest} keys at step {}: all of them are its hardest set",
                self.step
            )));
        }
        self.step += 1;
        meter.add(&report, batch.images.len(), batch.waited);
        let (images_per_s, data_wait_share) = meter.pace();
        let m = report.measures;
        let age = queue_age(self.learner.queue.filled(), report.entered);
        let record = StepRecord {
            step: self.step,
            epoch: Some(u64::from(epoch)),
            images: Some(self.step * settings.moco.batch as u64),
            loss: Some(report.loss),
            loss_ceiling: Some(report.loss_ceiling),
            learning_rate: Some(rate),
            images_per_s: Some(images_per_s),
            data_wait_share: Some(data_wait_share),
            queue_fill: settings
                .uses_queue()
                .then(|| self.learner.queue.filled() as f64 / self.learner.queue.len() as f64),
            accuracy_real: Some(m.accuracy_real),
            accuracy_with_synthetic: Some(m.accuracy_with_synthetic),
            positive_similarity: Some(m.positive),
            hardest_similarity: m.hardest,
            pair_similarity: m.pair,
            query_mix_similarity: m.query_mix,
            synthetic_harder_share: m.synthetic_harder,
            effective_negatives: Some(m.effective_negatives),
            alignment: Some(m.alignment()),
            uniformity: m.uniformity,
            queue_age_mean_steps: age.map(|age| age.mean),
            queue_age_max_steps: age.map(|age| age.max as f64),
            queue_age_max_epochs: age.map(|age| age.max as f64 / per_epoch.max(1) as f64),
            elapsed_s: Some(elapsed_s),
            ..StepRecord::default()
        };
        let curve = report.look.as_ref().map(|look| looks::curve(look, self.step, epoch));
        Ok((looks::fill(record, looks::shares(report.look.as_ref())), curve))
    }

    /// Which images a batch holds, and their labels where the data set has any.
    fn known(&self, batch: &Batch) -> (Vec<i64>, Option<Vec<i64>>) {
        let images = batch.images.iter().map(|&image| i64::from(image)).collect();
        let label = |labels: &[u32], image: u32| labels.get(image as usize).map_or(-1, |&label| i64::from(label));
        let of = |labels| batch.images.iter().map(|&image| label(labels, image)).collect();
        (images, self.dataset.labels().map(of))
    }

    /// Both views as tensors (B, 3, S, S).
    fn views(&self, batch: &Batch) -> Result<[Tensor; 2], TrainError> {
        let side = i64::from(self.settings.data.size);
        let shape = [i64::try_from(batch.images.len()).unwrap_or(0), 3, side, side];
        let view = |index: usize| from_f32(batch.view(index), &shape);
        Ok([view(0)?, view(1)?])
    }

    fn state(&self, elapsed_s: f64) -> State {
        State::new(&self.learner, self.step, self.dataset.len(), self.dataset.fingerprint(), elapsed_s)
    }

    fn save(&self, begun: Instant, watch: &mut dyn FnMut(Event)) -> Result<(u64, PathBuf), TrainError> {
        let state = self.state(self.elapsed_s + begun.elapsed().as_secs_f64());
        let checkpoints = self.run.checkpoints();
        let saved = checkpoint::save(&checkpoints, &self.learner, &state)?;
        checkpoints.prune(self.settings.checkpoint.keep_last, self.settings.checkpoint.keep_every)?;
        watch(Event::Saved(&saved.path));
        Ok((self.step, saved.path))
    }
}

/// Refuses options that need classes where the data set has none.
fn check_labels(settings: &Resolved, dataset: &Dataset) -> Result<(), TrainError> {
    let oracle = settings.negatives.filters.iter().any(|guard| guard.name() == "class-oracle");
    let asked = [
        (settings.moco.positive == Positive::Label, "moco.positive=label"),
        (oracle, "negatives.filters with class-oracle"),
    ];
    match asked.into_iter().find(|(asked, _)| *asked) {
        Some((_, option)) if dataset.labels().is_none() => Err(TrainError::NoLabels { option }),
        _ => Ok(()),
    }
}

/// The run's logs.
struct Records {
    metrics: MetricsLog,
    curves: CurvesLog,
    events: EventWriter,
    bad: BadImageLog,
    known_bad: HashSet<usize>,
}

impl Records {
    fn open(run: &RunFolder, resumed: bool, step: u64) -> Result<Self, TrainError> {
        let (metrics, curves) = if resumed {
            (MetricsLog::resume(&run.metrics_path(), step)?, CurvesLog::resume(&run.curves_path(), step)?)
        } else {
            (MetricsLog::create(&run.metrics_path())?, CurvesLog::create(&run.curves_path())?)
        };
        let events = if resumed { EventWriter::resume(run.path(), step)? } else { EventWriter::create(run.path())? };
        // A resumed run meets its bad images again: they are listed once.
        let listed = std::fs::read_to_string(run.bad_images_path()).unwrap_or_default();
        let index = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?.get("index")?.as_u64();
        let known_bad = listed.lines().filter_map(|line| usize::try_from(index(line)?).ok()).collect();
        Ok(Self { metrics, curves, events, bad: BadImageLog::open(&run.bad_images_path()), known_bad })
    }

    fn append(&mut self, record: &StepRecord) -> Result<(), TrainError> {
        self.metrics.append(record)?;
        Ok(self.events.append(record)?)
    }

    fn curve(&mut self, curve: &CurveRecord) -> Result<(), TrainError> {
        self.curves.append(curve)?;
        Ok(self.events.scalars(curve.step, curve.scalars())?)
    }

    fn bad_images(&mut self, seen: &[BadImage], watch: &mut dyn FnMut(Event)) -> Result<(), TrainError> {
        for image in seen {
            if self.known_bad.insert(image.index) {
                self.bad.append(image)?;
                watch(Event::BadImage(image));
            }
        }
        Ok(())
    }
}
