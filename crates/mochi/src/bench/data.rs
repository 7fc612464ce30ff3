//! `mochi bench data DIR`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mochi_data::bench::{BenchOptions, bench};
use mochi_data::{Cancel, Recipe, Split};
use mochi_run::Progress;

use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::finding::begin;

/// Words of the verb.
#[derive(Args)]
pub struct Arguments {
    /// A folder of pictures
    data: PathBuf,
    /// Side of a view
    #[arg(long, default_value_t = 224)]
    size: u32,
    /// Threads; 0 means one for each core
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// How views are made
    #[arg(long, default_value = "moco-v2")]
    augment: String,
    /// At most so many images
    #[arg(long, default_value_t = 400)]
    limit: usize,
    /// Decode JPEGs at a smaller scale where the views allow it
    #[arg(long)]
    fast_decode: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(arguments: Arguments) -> Outcome {
    let dataset = begin(vec![arguments.data.clone()], Split::Train, Cancel::default()).wait(&Progress::detect())?;
    let Some(recipe) = Recipe::preset(&arguments.augment) else {
        let there = Recipe::PRESETS.join(", ");
        return Err(Failure::new(
            format!("there is no recipe \"{}\"", arguments.augment),
            format!("there are {there}"),
        ));
    };
    let options = BenchOptions {
        size: arguments.size,
        threads: arguments.threads,
        recipe,
        limit: arguments.limit,
        fast_decode: arguments.fast_decode,
        ..BenchOptions::default()
    };
    let result = bench(&dataset, &options)?;
    if arguments.json {
        print_json(&result)?;
    } else {
        print_line(&format!(
            "{:.1} images/s on {} thread(s): decoding {:.2} s, augmenting {:.2} s for {} images of {} views",
            result.images_per_s, result.threads, result.decode_s, result.augment_s, result.images, result.views
        ));
        if let Some(peak) = result.peak_bytes {
            print_line(&format!("most memory held: {:.0} MB", peak as f64 / 1e6));
        }
    }
    Ok(ExitCode::SUCCESS)
}
