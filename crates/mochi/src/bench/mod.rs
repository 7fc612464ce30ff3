//! `mochi bench step|loss|data`

mod data;
mod loss;
mod memory;
mod step;

use clap::Subcommand;

use crate::failure::Outcome;

/// What to measure.
#[derive(Subcommand)]
pub enum Verb {
    /// A training step on synthetic images, without and with MoCHi, in turn
    Step(step::Arguments),
    /// The loss alone: plain, with MoCHi in closed form, with MoCHi materialised
    Loss(loss::Arguments),
    /// Decoding and augmenting: images a second
    Data(data::Arguments),
}

/// Runs the verb.
pub fn run(verb: Verb) -> Outcome {
    match verb {
        Verb::Step(arguments) => step::run(arguments),
        Verb::Loss(arguments) => loss::run(arguments),
        Verb::Data(arguments) => data::run(arguments),
    }
}

/// The middle value (of an even number, the lower of the two).
fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}
