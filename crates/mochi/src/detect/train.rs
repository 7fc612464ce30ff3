//! `mochi detect train --data DIR [--init RUN|FILE] [--masks] [--preset NAME | --config FILE] [--out RUN] [KEY=VALUE ...]`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mochi_annotations::Purpose;
use mochi_config::NO_WEIGHTS;
use mochi_data::dataset::{path_from_text, path_to_text};
use mochi_run::{RunFolder, default_path};
use mochi_tensor::Engine;
use mochi_term::{Progress, StopFlag};
use mochi_train::Detection;

use super::compare;
use super::data::{TRAINING, check_missing, failed, format, read_split};
use super::prepared::{Common, Prepared, detection_data, evaluation_split};
use crate::drive::{Printed, drive, listen};
use crate::failure::{Failure, Outcome};
use crate::ranks::{self, Ranks, has_checkpoint, in_group};

/// The preset that also trains from random weights, to compare.
const COMPARED: &str = "small";

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Run folder [default: a new folder under runs/]
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Do not train a second detector from random weights to compare with
    #[arg(long)]
    no_comparison: bool,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    let launched = ranks::launched()?;
    let stop = listen()?;
    let engine = mochi_tensor::start(None)?;
    in_group(launched.as_ref(), &engine, &stop, |ranks| train(&arguments, ranks, &engine, &stop))
}

fn train(arguments: &Arguments, ranks: &Ranks, engine: &Engine, stop: &StopFlag) -> Outcome {
    let out = &arguments.out;
    if let Some(out) = out.as_ref().filter(|out| ranks.restarted() && has_checkpoint(out)) {
        // torchrun repeats the command after a failure: the run goes on.
        return crate::resume::in_ranks(out, None, ranks, engine, stop, arguments.json);
    }
    if let (Some(out), true) = (out, ranks.is_first()) {
        // Known before the dataset is read.
        RunFolder::check_free(out)?;
    }
    let progress = ranks.progress();
    let prepared = Prepared::read(&arguments.common, engine, ranks, &progress)?;
    let resolved = prepared.resolve_together(&prepared.settings, ranks, &progress)?;
    let path = || out.clone().unwrap_or_else(|| default_path(resolved.preset_name()));
    let out = PathBuf::from(ranks.broadcast_text(|| Ok(path_to_text(&path())))?);
    let random = compare::from_random_weights(&out);
    let compared = resolved.preset_name() == COMPARED && resolved.model.init != NO_WEIGHTS && !arguments.no_comparison;
    if compared && ranks.is_first() {
        RunFolder::check_free(&random)?;
        progress.note(&format!(
            "afterwards the same is trained from random weights in {}, to compare; --no-comparison leaves it out",
            random.display()
        ));
    }
    let next = |run: &str| next_step(run, &arguments.common.data);
    let trainer = prepared.start(resolved, &out, engine, ranks, &progress)?;
    let ended = drive(trainer, engine, stop, &progress, Printed::of(arguments.json), &next)?;
    if ended == ExitCode::SUCCESS && !compared && ranks.is_first() {
        compare::print_result(&out, arguments.json, &progress)?;
    }
    if !compared || ended != ExitCode::SUCCESS {
        return Ok(ended);
    }
    let mut settings = prepared.settings.clone();
    settings.set_init(NO_WEIGHTS.to_owned());
    let resolved = prepared.resolve_together(&settings, ranks, &progress)?;
    let trainer = prepared.start(resolved, &random, engine, ranks, &progress)?;
    let ended = drive(trainer, engine, stop, &progress, Printed::Nothing, &next)?;
    if ended == ExitCode::SUCCESS && ranks.is_first() {
        compare::print(&out, &random, arguments.json, &progress)?;
    }
    Ok(ended)
}

/// Resumes a detection run.
pub fn resume(
    path: &Path,
    engine: &Engine,
    ranks: &Ranks,
    stop: &StopFlag,
    progress: &Progress,
    printed: Printed,
) -> Outcome {
    let mut folder = PathBuf::new();
    let trainer = Detection::resume::<Failure>(path, engine, ranks.group(), |settings| {
        folder = path_from_text(&settings.data.source);
        let of = &settings.data;
        let training = read_split(&folder, format(of.format), &of.split, Purpose::Training, None, progress)
            .map_err(|error| failed(error, TRAINING))?;
        let evaluation = &settings.evaluation;
        let evaluation = evaluation_split(&folder, &evaluation.source, &evaluation.split, &training, progress);
        let evaluation = evaluation.map_err(|failure| {
            let config = RunFolder::config_in(path);
            let hint = format!(
                "put the images back at that place, or edit evaluation.source and evaluation.split in {}",
                config.display()
            );
            failure.at("evaluation: ", &hint)
        })?;
        for split in std::iter::once(&training).chain(&evaluation) {
            check_missing(split, of.max_bad_fraction)?;
        }
        Ok(detection_data(training, evaluation, of.source.clone()))
    })?;
    crate::resume::say_where(&trainer, progress);
    let ended = drive(trainer, engine, stop, progress, printed, &|run| next_step(run, &folder))?;
    if ended == ExitCode::SUCCESS && printed != Printed::Nothing && ranks.is_first() {
        compare::print_result(path, printed == Printed::Json, progress)?;
    }
    Ok(ended)
}

/// What to do with a trained detector.
fn next_step(run: &str, data: &Path) -> String {
    let data = mochi_files::shell_word(data);
    format!("mochi detect eval {run} --data {data}, or mochi detect predict {run} IMAGES... --out DIR")
}
