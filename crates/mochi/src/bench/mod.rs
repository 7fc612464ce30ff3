//! `mochi bench step|loss|data|detect`

mod data;
mod detect;
mod loss;
mod ranks;
mod step;

use clap::Subcommand;

use crate::failure::Outcome;

/// Benchmarks.
#[derive(Subcommand)]
pub enum Command {
    /// Training steps on synthetic images, MoCo and MoCHi interleaved
    Step(step::Arguments),
    /// Cost of training in several processes: steps alone and together, all-reduce, share hidden under the backward pass
    Ranks(ranks::Arguments),
    /// Loss only: MoCo, MoCHi in closed form, MoCHi with explicit synthesis
    Loss(loss::Arguments),
    /// Decoding and augmentation, in images/s
    Data(data::Arguments),
    /// Training steps of a detector on synthetic images
    Detect(detect::Arguments),
}

/// Runs the subcommand.
pub fn run(command: Command) -> Outcome {
    match command {
        Command::Step(arguments) => step::run(arguments),
        Command::Ranks(arguments) => ranks::run(arguments),
        Command::Loss(arguments) => loss::run(arguments),
        Command::Data(arguments) => data::run(arguments),
        Command::Detect(arguments) => detect::run(arguments),
    }
}

/// 95 % interval of a median from the order of the values: between the ranks (n ± 1.96 sqrt n) / 2. `None` for fewer than 6 values, whose
/// whole range covers less.
fn median_interval(values: &[f64]) -> Option<[f64; 2]> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let low = ((n as f64 - 1.96 * (n as f64).sqrt()) / 2.0).floor().max(0.0) as usize;
    (n >= 6).then(|| [sorted[low], sorted[n - 1 - low]])
}

/// The middle value (of an even number, the lower of the two).
fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_median_is_that_of_the_binomial() {
        // P(X(2) <= median <= X(9)) of ten = 1 - 2 (1 + 10) / 1024 = 0.979; the next narrower one has 0.891.
        let values: Vec<f64> = (0..10).rev().map(f64::from).collect();
        assert_eq!(median_interval(&values), Some([1.0, 8.0]));
        assert_eq!(median(&values), 4.0);
        assert_eq!(median_interval(&values[..5]), None);
        assert_eq!(median_interval(&values[..6]), Some([4.0, 9.0]));
    }
}
