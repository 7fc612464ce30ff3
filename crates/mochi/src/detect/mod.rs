//! `mochi detect`: object detection and instance segmentation from a pre-trained backbone.

mod compare;
mod data;
mod eval;
mod export;
mod picture;
mod predict;
mod prepared;
mod sheet;
mod train;
mod trials;

use clap::Subcommand;

use crate::failure::Outcome;

pub use prepared::readable;
pub use train::resume;

/// Subcommands of `mochi detect`.
#[derive(Subcommand)]
pub enum Command {
    /// Train a detector on images with boxes, or with masks
    Train(train::Arguments),
    /// Measure a detector's average precision on a dataset
    Eval(eval::Arguments),
    /// Find objects in images
    Predict(predict::Arguments),
    /// Write a detector's weights with detectron2's names
    Export(export::Arguments),
    /// Train a detector with several seeds: mean and standard deviation
    Trials(trials::Arguments),
}

/// Runs the subcommand.
pub fn run(command: Command) -> Outcome {
    match command {
        Command::Train(arguments) => train::run(arguments),
        Command::Eval(arguments) => eval::run(arguments),
        Command::Predict(arguments) => predict::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Trials(arguments) => trials::run(arguments),
    }
}
