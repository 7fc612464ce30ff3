//! `mochi resume RUN`

use std::path::PathBuf;

use clap::Args;
use mochi_run::{Progress, StopFlag};
use mochi_train::Pretraining;

use crate::drive::drive;
use crate::failure::Outcome;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Run folder
    run: PathBuf,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    let stop = StopFlag::listen()?;
    let progress = Progress::detect();
    let engine = mochi_tensor::start(None)?;
    let run = Pretraining::resume(&arguments.run, &engine, &stop)?;
    progress.note(&format!("going on from step {} of {}", run.step(), run.total_steps()));
    drive(run, &stop, &progress, arguments.json)
}
