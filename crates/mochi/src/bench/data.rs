//! `mochi bench data DIR`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mochi_data::bench::{BenchOptions, bench};
use mochi_data::{Cancel, Split};
use mochi_term::Progress;
use mochi_text::counted;
use mochi_views::Augmentation;

use crate::discovery::begin;
use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::numbers::whole;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Images: anything that `pretrain` accepts
    data: PathBuf,
    /// View size
    #[arg(long, default_value_t = 224, value_parser = whole::<u32>)]
    size: u32,
    /// Number of threads; 0 means one per core
    #[arg(long, default_value_t = 1, value_parser = whole::<usize>)]
    threads: usize,
    /// Augmentation pipeline
    #[arg(long, default_value = "moco-v2")]
    augment: String,
    /// Maximum number of images
    #[arg(long, default_value_t = 400, value_parser = whole::<usize>)]
    limit: usize,
    /// Decode JPEGs at a smaller scale if the view size allows it
    #[arg(long)]
    fast_decode: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    let dataset = begin(vec![arguments.data.clone()], Split::Train, Cancel::default()).wait(&Progress::detect())?;
    let Some(augmentation) = Augmentation::preset(&arguments.augment) else {
        let names = Augmentation::PRESETS.join(", ");
        return Err(Failure::new(
            format!("unknown augmentation pipeline \"{}\"", arguments.augment),
            format!("use one of {names}"),
        ));
    };
    let options = BenchOptions {
        size: arguments.size,
        threads: arguments.threads,
        augmentation,
        limit: arguments.limit,
        fast_decode: arguments.fast_decode,
        ..BenchOptions::default()
    };
    let result = bench(&dataset, &options)?;
    if arguments.json {
        print_json(&result)?;
    } else {
        print_line(&format!(
            "{:.1} images/s on {}: decoding {:.2} s, augmentation {:.2} s for {} with {} each",
            result.images_per_s,
            counted(result.threads, "thread"),
            result.decode_s,
            result.augment_s,
            counted(result.images, "image"),
            counted(result.views, "view")
        ))?;
        if let Some(peak) = result.peak_bytes {
            print_line(&format!("peak memory: {:.0} MB", peak as f64 / 1e6))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
