//! What a run reports while it trains, and at its end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mochi_data::BadImage;
use mochi_run::Metrics;

/// What a run reports while it trains.
#[derive(Debug)]
pub enum Event<'a> {
    /// A remark for the log, one sentence.
    Note(String),
    /// A remark on what is questionable.
    Warning(String),
    /// A step was taken.
    Step(Progress<'a>),
    /// An image could not be read; another one took its place.
    BadImage(&'a BadImage),
    /// A checkpoint was written.
    Saved(&'a Path),
}

/// Where training is after a step.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Steps done so far, this one included.
    pub step: u64,
    /// Steps of the whole run; with a time budget, as many as the recent speed lets expect.
    pub steps: u64,
    /// Epoch of this step, from 0.
    pub epoch: u64,
    /// Epochs of the whole run, likewise.
    pub epochs: u64,
    /// What is left of the time budget, if there is one.
    pub left: Option<Duration>,
    /// The step's own values, the speed since the last record, and the values of the last evaluation.
    pub metrics: &'a Metrics,
    /// The step of the last evaluation of this session, if there was one.
    pub evaluated: Option<u64>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Steps done in all.
    pub step: u64,
    /// Those of this session.
    pub trained: u64,
    /// Whether it reached its last step; otherwise it was asked to stop and can be resumed.
    pub finished: bool,
    /// The newest checkpoint.
    pub checkpoint: PathBuf,
    /// Seconds of training, over all sessions.
    pub elapsed_s: f64,
}
