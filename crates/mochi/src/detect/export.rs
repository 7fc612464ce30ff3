//! `mochi detect export RUN --out FILE`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mochi_text::counted;
use mochi_train::{export_detector, load_detector};
use serde_json::json;

use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::output_file::WEIGHTS;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Run folder of a detector
    run: PathBuf,
    /// Weight file to write, NAME.safetensors
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    let out = &arguments.out;
    if !WEIGHTS.names(out) {
        let what = format!("{} does not end in .safetensors", out.display());
        return Err(Failure::new(what, "give --out a name such as detector.safetensors"));
    }
    WEIGHTS.check(out)?;
    let engine = mochi_tensor::start(None)?;
    let loaded = load_detector(&arguments.run, &engine, None)?;
    // Written whole or not at all.
    let partial = out.with_extension("safetensors.partial");
    let tensors = export_detector(&loaded, &partial)?;
    std::fs::rename(&partial, out).map_err(|error| {
        Failure::new(format!("cannot write {}: {error}", out.display()), "give --out a place that can be written to")
    })?;
    if arguments.json {
        print_json(&json!({"file": out, "tensors": tensors, "step": loaded.step, "classes": loaded.classes}))?;
    } else {
        let tensors = counted(tensors, "tensor");
        print_line(&format!("{}: {tensors} of step {} with detectron2's names", out.display(), loaded.step))?;
    }
    Ok(ExitCode::SUCCESS)
}
