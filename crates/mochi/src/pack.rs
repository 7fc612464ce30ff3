//! `mochi pack DIR OUT`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mochi_data::pack::{PackOptions, ShardSize, pack, parse_bytes};
use mochi_data::{Cancel, Split};
use mochi_term::Progress;
use mochi_text::counted;
use serde::Serialize;

use crate::discovery::begin;
use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::numbers::whole;
use crate::sources::is_inside;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Images: anything that `pretrain` accepts, including shards
    data: PathBuf,
    /// Output folder: new, or the partial output of the same command, which is then continued
    out: PathBuf,
    /// Resize images with a longer short side to this size (JPEG, quality 95)
    #[arg(long, value_name = "PIXELS", value_parser = whole::<u32>)]
    short_side: Option<u32>,
    /// Maximum size of a shard, e.g. 256MB or 1GiB
    #[arg(long, value_name = "BYTES", default_value = "256MB", value_parser = parse_bytes)]
    shard_bytes: u64,
    /// Number of images per shard, instead of a size
    #[arg(long, value_name = "COUNT", conflicts_with = "shard_bytes", value_parser = whole::<u32>)]
    shard_images: Option<u32>,
    /// Keep the order of the source instead of shuffling over all shards
    #[arg(long)]
    in_order: bool,
    /// Seed of the order
    #[arg(long, default_value_t = 0, conflicts_with = "in_order", value_parser = whole::<u64>)]
    seed: u64,
    /// Number of threads; 0 means one per core
    #[arg(long, default_value_t = 0, value_parser = whole::<usize>)]
    threads: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Summary<'a> {
    out: &'a str,
    #[serde(flatten)]
    packed: mochi_data::pack::Packed,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    if is_inside(&arguments.out, &arguments.data) {
        let (out, data) = (arguments.out.display(), arguments.data.display());
        let what =
            format!("the output folder {out} is inside the dataset folder {data}, whose images would be found twice");
        return Err(Failure::new(what, "choose a folder outside"));
    }
    let progress = Progress::detect();
    let dataset = begin(vec![arguments.data.clone()], Split::Train, Cancel::default()).wait(&progress)?;
    for warning in dataset.warnings() {
        progress.warning(warning);
    }
    let options = PackOptions {
        short_side: arguments.short_side,
        shard_size: arguments.shard_images.map_or(ShardSize::Bytes(arguments.shard_bytes), ShardSize::Images),
        seed: arguments.seed,
        in_order: arguments.in_order,
        threads: arguments.threads,
    };
    let mut task = progress.task("packing", dataset.len() as u64);
    let mut told = 0;
    let packed = pack(&dataset, &arguments.out, &options, &mut |done| {
        task.advance((done - told) as u64);
        told = done;
    })?;
    task.finish();
    if packed.continued_from > 0 {
        progress.note(&format!("continued after {} already packed", counted(packed.continued_from, "image")));
    }
    for (reason, count) in &packed.bad {
        progress.warning(&format!("{} left out: {reason} (listed in bad-images.jsonl)", counted(count, "bad image")));
    }
    let Some(out) = arguments.out.to_str() else {
        let what = format!("{} was packed, but its name is not UTF-8 and cannot be printed", arguments.out.display());
        return Err(Failure::new(what, "rename the folder"));
    };
    if arguments.json {
        print_json(&Summary { out, packed })?;
    } else {
        let resized = if packed.resized > 0 { format!(", {} resized", packed.resized) } else { String::new() };
        let megabytes = packed.bytes as f64 / 1e6;
        progress.note(&format!(
            "{}{resized} in {}, {megabytes:.1} MB in total",
            counted(packed.images, "image"),
            counted(packed.shards, "shard")
        ));
        print_line(out)?;
    }
    Ok(ExitCode::SUCCESS)
}
