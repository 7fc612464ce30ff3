//! `mochi resume RUN [--from STEP]`

use std::path::{Path, PathBuf};

use clap::Args;
use mochi_config::{Resolved, Task, detection};
use mochi_files::shell_word;
use mochi_run::RunFolder;
use mochi_tensor::Engine;
use mochi_term::{Progress, StopFlag};
use mochi_text::{counted, duration};
use mochi_train::{Contrastive, Detection, OnChange, Trainer};

use crate::detect;
use crate::drive::{Printed, drive, evaluate_encoder, listen, step_word};
use crate::failure::{Failure, Outcome};
use crate::numbers::whole;
use crate::ranks::{self, Ranks, in_group};

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Run folder
    run: PathBuf,
    /// Continue from the checkpoint of this step instead of the newest; newer ones are kept under another name
    #[arg(long, value_name = "STEP", value_parser = whole::<u64>)]
    from: Option<u64>,
    /// Refused with a hint: a run keeps its settings.
    #[arg(value_name = "KEY=VALUE", hide = true)]
    settings: Vec<String>,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    if let Some(setting) = arguments.settings.first() {
        return Err(refused(&RunFolder::config_in(&arguments.run), setting));
    }
    let launched = ranks::launched()?;
    let stop = listen()?;
    let engine = mochi_tensor::start(None)?;
    in_group(launched.as_ref(), &engine, &stop, |ranks| {
        in_ranks(&arguments.run, arguments.from, ranks, &engine, &stop, arguments.json)
    })
}

/// Refuses a setting: some can be changed in the run's `config.toml`, others in a new run.
fn refused(path: &Path, setting: &str) -> Failure {
    let key = setting.split_once('=').map_or(setting, |(key, _)| key);
    let (command, accepted) = match Task::read(path) {
        Ok(Task::Detection) => {
            let known = detection::Resolved::read(path).is_ok_and(|run| run.describe().iter().any(|s| s.key == key));
            ("mochi detect train --data DIR", known && Detection::on_change(key) == OnChange::Accept)
        }
        _ => {
            let known = Resolved::read(path).is_ok_and(|run| run.describe().iter().any(|s| s.key == key));
            ("mochi pretrain DATA", known && Contrastive::on_change(key) == OnChange::Accept)
        }
    };
    let config = shell_word(path);
    match accepted {
        true => Failure::new(
            format!("`mochi resume` takes no settings, got {setting}: a run has those of its config.toml"),
            format!("edit {key} in {config}, then resume without it"),
        ),
        false => Failure::new(
            format!("`mochi resume` takes no settings, got {setting}: a run keeps those that it was started with"),
            format!("start a new run: `{command} --config {config} {setting}`"),
        ),
    }
}

/// Continues a run in the processes of `ranks`.
pub fn in_ranks(
    path: &Path,
    from: Option<u64>,
    ranks: &Ranks,
    engine: &Engine,
    stop: &StopFlag,
    json: bool,
) -> Outcome {
    let progress = ranks.progress();
    ranks.trains(path);
    // Rank 0 renames what is newer; the others then find the same newest checkpoint.
    ranks.broadcast_text(|| choose(path, from, &progress).map(|()| String::new()))?;
    let config = RunFolder::read(path)?.config_path();
    let task = Task::read(&config)?;
    let settings = match task {
        Task::Pretraining => Resolved::read(&config)?.to_toml(),
        Task::Detection => detection::Resolved::read(&config)?.to_toml(),
    };
    ranks.agree("settings", &settings)?;
    if task == Task::Detection {
        return detect::resume(path, engine, ranks, stop, &progress, Printed::of(json));
    }
    let run = Contrastive::resume(path, engine, stop, ranks.group())?;
    say_where(&run, &progress);
    drive(run, engine, stop, &progress, Printed::of(json), &evaluate_encoder)
}

/// Says at which step a run goes on.
pub fn say_where<T: mochi_train::Task>(run: &Trainer<T>, progress: &Progress) {
    let (step, steps, word) = (run.step(), run.total_steps(), step_word(run.task()));
    progress.note(&if !run.ended() {
        match run.left() {
            Some(left) => {
                format!("continuing from {word} {step} of about {steps}, {} left", duration(left.as_secs_f64()))
            }
            None => format!("continuing from {word} {step} of {steps}"),
        }
    } else {
        format!("nothing to train: the run has finished its {}", counted(steps, word))
    });
}

/// Makes the checkpoint to continue from the newest one: what is newer, damaged or not wanted, gets another name.
fn choose(path: &Path, from: Option<u64>, progress: &Progress) -> Outcome<()> {
    let run = RunFolder::open(path)?;
    if let Some(warning) = run.warning() {
        progress.warning(&warning);
    }
    let checkpoints = run.checkpoints();
    let chosen = match from {
        Some(step) => checkpoints.at(step)?,
        None => match checkpoints.choose()? {
            Some(chosen) => {
                chosen.warnings().iter().for_each(|warning| progress.warning(warning));
                chosen.checkpoint
            }
            None => return Ok(()),
        },
    };
    for kept in checkpoints.set_aside_after(chosen.step)? {
        progress.note(&format!("kept as {}", kept.display()));
    }
    Ok(())
}
