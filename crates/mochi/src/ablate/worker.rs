//! Takes cells of a plan one after the other, trains and evaluates each in a process of its own, so that one that runs out of memory ends alone.

use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

use mochi_ablate::prune::{self, hopeless};
use mochi_ablate::{Cell, Cells, Failed, Forecast, Lease, Leases, Plan, State, StudyFolder};
use mochi_data::dataset::path_to_text;
use mochi_run::{Protocol, RunError, RunFolder};
use mochi_term::{Progress, StopFlag};
use mochi_text::duration;

use super::process::{Ended, Process};
use crate::failure::Outcome;

/// What a worker needs.
pub struct Worker<'a> {
    pub plan: &'a Plan,
    pub cells: &'a Cells,
    pub study: &'a StudyFolder,
    pub leases: &'a Leases,
    pub stop: &'a StopFlag,
    pub progress: &'a Progress,
    /// When the command was started, from which the plan's hours count.
    pub begun: Instant,
}

/// Why a worker ended.
pub enum Ending {
    /// No cell is left for it.
    Done { running: usize },
    /// The next cell would have ended after the plan's time.
    OutOfTime,
    /// By a stop signal.
    Stopped,
}

/// How an attempt at a cell ended.
enum Attempt {
    Finished,
    Failed(String),
    Stopped,
    /// Another worker has taken over its lease.
    LostLease,
    /// A process trains in its run folder, whose worker was killed.
    Locked,
}

impl Worker<'_> {
    /// Works until no cell is left. `after` is called after every cell that was trained and evaluated, or that failed.
    pub fn work(&self, prune: bool, forecast: &mut Forecast, after: &dyn Fn(&Worker)) -> Outcome<Ending> {
        let mut locked: Vec<usize> = Vec::new();
        let mut told = false;
        let mut pruned = Vec::new();
        loop {
            let states = self.states()?;
            if self.stop.requested() {
                return Ok(Ending::Stopped);
            }
            let hopeless = if prune { self.hopeless(&states) } else { vec![false; self.cells.variants.len()] };
            for variant in (0..hopeless.len()).filter(|&variant| hopeless[variant]) {
                if !pruned.contains(&variant) {
                    let name = self.cells.variants[variant].name();
                    self.progress.note(&format!(
                        "{name} is pruned: after {} seeds or more, its 95 % interval in {} lies below the best variant's",
                        prune::SEEDS,
                        self.plan.evaluate[0].name()
                    ));
                    pruned.push(variant);
                }
            }
            let free = |&index: &usize| {
                matches!(states[index], State::Pending)
                    && !locked.contains(&index)
                    && !hopeless[self.cells.cells[index].variant]
            };
            let Some(index) = (0..states.len()).find(free) else {
                if !locked.is_empty() {
                    if !told {
                        let name = self.cells.variants[self.cells.cells[locked[0]].variant].name();
                        self.progress
                            .note(&format!("waiting for a process that still trains {name}: its worker was killed"));
                        told = true;
                    }
                    locked.clear();
                    self.pause();
                    continue;
                }
                let running = states.iter().filter(|state| matches!(state, State::Running(_))).count();
                return Ok(Ending::Done { running });
            };
            let left = self.plan.hours.map(|hours| hours * 3600.0 - self.begun.elapsed().as_secs_f64());
            if left.is_some_and(|left| forecast.of(index) > left) {
                return Ok(Ending::OutOfTime);
            }
            let cell = &self.cells.cells[index];
            let Some(lease) = self.leases.acquire(&cell.id)? else { continue };
            // Another worker may have finished it, or failed at it, before the lease was taken.
            if !self.study.is_open(cell, self.plan)? {
                continue;
            }
            let name = format!("{}, seed {}", self.cells.variants[cell.variant].name(), cell.seed);
            let label = format!("[{}/{}] {name}", index + 1, states.len());
            let expected = duration(forecast.of(index));
            self.progress.note(&format!("{label}: about {expected}, {} in all", self.remaining(&states, forecast)));
            let started = Instant::now();
            let attempt = self.attempt(cell, &lease, &label)?;
            let took = started.elapsed().as_secs_f64();
            match attempt {
                Attempt::Finished => {
                    let total = self.study.add_seconds(cell, took)?;
                    forecast.finished(index, total);
                    self.progress.note(&format!("{label}: finished in {}{}", duration(total), self.results(cell)?));
                    after(self);
                }
                Attempt::Failed(reason) => {
                    self.progress.warning(&format!("{label} failed: {reason}"));
                    self.study.record_failure(cell, &Failed { reason, log: self.study.log(cell) })?;
                    after(self);
                }
                Attempt::Stopped => {
                    if self.study.run(cell)?.is_dir() {
                        self.study.add_seconds(cell, took)?;
                    }
                    return Ok(Ending::Stopped);
                }
                Attempt::LostLease => {}
                Attempt::Locked => locked.push(index),
            }
        }
    }

    /// Some seconds, fewer if a stop is requested.
    fn pause(&self) {
        for _ in 0..50 {
            if self.stop.requested() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    /// Trains a cell, or trains it on, and evaluates it.
    fn attempt(&self, cell: &Cell, lease: &Lease, label: &str) -> Outcome<Attempt> {
        let run = self.study.run(cell)?;
        let log = self.study.log(cell);
        let process = Process { log: &log, label, lease, stop: self.stop, progress: self.progress };
        // Checked here, since a locked run is no failure of the cell.
        let begun = match RunFolder::open(&run).and_then(|folder| folder.checkpoints().choose()) {
            Ok(chosen) => chosen.is_some(),
            Err(RunError::Missing { .. } | RunError::NotARun { .. }) => false,
            Err(RunError::Locked { .. }) => return Ok(Attempt::Locked),
            Err(error) => return Ok(Attempt::Failed(error.to_string())),
        };
        let mut train: Vec<OsString> = Vec::new();
        if begun {
            train.extend(["resume".into(), run.clone().into()]);
        } else {
            train.extend([
                "pretrain".into(),
                self.plan.images.clone().into(),
                "--config".into(),
                self.study.base().into(),
            ]);
            train.extend(["--out".into(), run.clone().into()]);
            // The path of the weights is not that of the plan, which starts at the plan's folder.
            let init = cell.init(self.plan);
            let given = |word: &&String| init.is_none() || !word.starts_with("model.init=");
            train.extend(cell.arguments.iter().filter(given).map(OsString::from));
            train.extend(init.iter().flat_map(|init| ["--init".into(), path_to_text(init).into()]));
        }
        let mut commands = vec![train];
        let missing = self.study.missing(cell, self.plan)?;
        let (of_objects, of_images): (Vec<Protocol>, Vec<Protocol>) =
            missing.into_iter().partition(|protocol| protocol.detection_metric().is_some());
        if !of_images.is_empty() {
            commands.push(self.evaluation(&of_images, &run));
        }
        if let (false, Some(detector)) = (of_objects.is_empty(), self.study.detector(cell, self.plan)) {
            match self.detection(cell, &run, &detector) {
                Ok(command) => commands.push(command),
                Err(RunError::Locked { .. }) => return Ok(Attempt::Locked),
                Err(error) => return Ok(Attempt::Failed(error.to_string())),
            }
        }
        for (step, command) in commands.into_iter().enumerate() {
            match process.run(&command)? {
                Ended::Success if step == 0 => self.study.record_trained(cell, self.plan)?,
                Ended::Success => {}
                Ended::Stopped => return Ok(Attempt::Stopped),
                Ended::LostLease => return Ok(Attempt::LostLease),
                Ended::Failure(reason) => return Ok(Attempt::Failed(reason)),
            }
        }
        let missing = self.study.missing(cell, self.plan)?;
        Ok(match missing.first() {
            None => Attempt::Finished,
            Some(protocol) => Attempt::Failed(format!("the evaluation left no readable result of {}", protocol.name())),
        })
    }

    fn evaluation(&self, protocols: &[Protocol], run: &Path) -> Vec<OsString> {
        let [train, test] = &self.plan.labeled;
        let names = protocols.iter().map(|protocol| protocol.name()).collect::<Vec<_>>().join(",");
        let places = [("--train", train), ("--test", test)];
        let words = ["eval", "all", "--protocols", &names].map(OsString::from);
        let mut words = words.to_vec();
        words.push(run.into());
        words.extend(places.into_iter().flat_map(|(option, path)| [option.into(), path.into()]));
        words
    }

    /// Trains the detector that starts from a cell's encoder, or trains it on.
    fn detection(&self, cell: &Cell, run: &Path, detector: &Path) -> Result<Vec<OsString>, RunError> {
        let begun = match RunFolder::open(detector).and_then(|folder| folder.checkpoints().choose()) {
            Ok(chosen) => chosen.is_some(),
            Err(RunError::Missing { .. } | RunError::NotARun { .. }) => false,
            Err(error) => return Err(error),
        };
        if begun {
            return Ok(vec!["resume".into(), detector.into()]);
        }
        let images = self.plan.detection.as_ref().map(|detection| detection.images.clone()).unwrap_or_default();
        let mut words: Vec<OsString> = ["detect", "train", "--no-comparison", "--data"].map(OsString::from).to_vec();
        words.push(images.into());
        words.extend(["--init".into(), run.into(), "--config".into(), self.study.detection().into()]);
        words.extend(["--out".into(), detector.into(), format!("seed={}", cell.seed).into()]);
        Ok(words)
    }

    fn states(&self) -> Outcome<Vec<State>> {
        let state = |cell| self.study.state(cell, self.plan, self.leases);
        Ok(self.cells.cells.iter().map(state).collect::<Result<_, _>>()?)
    }

    /// Which variants the rule of `--prune` skips.
    pub fn hopeless(&self, states: &[State]) -> Vec<bool> {
        let mut scores = vec![Vec::new(); self.cells.variants.len()];
        for (cell, state) in self.cells.cells.iter().zip(states) {
            if let State::Finished(finished) = state
                && let Some(&score) = finished.scores.get(&self.plan.evaluate[0])
            {
                scores[cell.variant].push((cell.seed, score));
            }
        }
        hopeless(&scores)
    }

    fn remaining(&self, states: &[State], forecast: &Forecast) -> String {
        let pending = states.iter().enumerate().filter(|(_, state)| matches!(state, State::Pending));
        duration(pending.map(|(index, _)| forecast.of(index)).sum())
    }

    fn results(&self, cell: &Cell) -> Outcome<String> {
        let State::Finished(finished) = self.study.state(cell, self.plan, self.leases)? else {
            return Ok(String::new());
        };
        let scores = finished.scores.iter().map(|(protocol, score)| format!(", {} {score:.2}", protocol.title()));
        Ok(scores.collect())
    }
}
