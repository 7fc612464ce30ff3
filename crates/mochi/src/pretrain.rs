//! `mochi pretrain DATA [--preset NAME | --config FILE] [--out RUN] [KEY=VALUE ...]`

use std::path::PathBuf;

use clap::Args;
use mochi_config::Settings;
use mochi_data::{Dataset, OpenOptions, Split};
use mochi_run::{Progress, RunFolder, StopFlag, default_path};
use mochi_train::{Pretraining, facts};

use crate::drive::drive;
use crate::failure::{Failure, Outcome};

/// Words of the verb.
#[derive(Args)]
pub struct Arguments {
    /// A folder of pictures (nested anyhow), a text file of paths, IDX files (MNIST) or CIFAR binary batches
    data: PathBuf,
    /// A preset to start from; `mochi presets` lists them
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    preset: Option<String>,
    /// A TOML file of settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the run; a new one under runs/ where it is not given
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
    /// Settings, e.g. epochs=100 moco.queue=4096
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// Runs the verb.
pub fn run(arguments: Arguments) -> Outcome {
    let settings = Settings::load(arguments.preset.as_deref(), arguments.config.as_deref(), &arguments.settings)?;
    let stop = StopFlag::listen()?;
    let progress = Progress::detect();
    let engine = mochi_tensor::start(None)?;
    let dataset = Dataset::open(&arguments.data, &OpenOptions { split: Split::Train })?;
    for warning in dataset.warnings() {
        progress.warning(warning);
    }
    let (mut resolved, warnings) = settings.resolve(&facts(&engine, dataset.len()))?;
    for warning in &warnings {
        progress.warning(&warning.to_string());
        if let Some(hint) = warning.hint() {
            progress.hint(&hint);
        }
    }
    // The whole path, so that `mochi resume` finds the data from anywhere.
    let source = std::path::absolute(&arguments.data).unwrap_or(arguments.data);
    let Some(source) = source.to_str() else {
        let what = format!("{} cannot be written into config.toml: its name is not UTF-8", source.display());
        return Err(Failure::new(what, "rename the folder, or give a link with a plain name"));
    };
    resolved.data.source = source.to_owned();
    let path = arguments.out.unwrap_or_else(|| default_path(resolved.preset_name()));
    let folder = RunFolder::create(&path)?;
    progress.note(&format!(
        "{} images ({}), {} on {} in {}, run folder {}",
        dataset.len(),
        dataset.kind(),
        resolved.model.arch,
        resolved.compute.device,
        resolved.compute.precision,
        path.display()
    ));
    let n = &resolved.negatives;
    progress.note(&format!(
        "{} epochs of {} steps, batch {}, queue {}, MoCHi ({}, {}, {}) from epoch {}",
        resolved.epochs,
        resolved.steps_per_epoch(dataset.len()),
        resolved.moco.batch,
        resolved.moco.queue,
        n.hardest,
        n.pairs,
        n.query_mixes,
        n.warmup_epochs
    ));
    drive(Pretraining::create(folder, resolved, dataset, &engine)?, &stop, &progress, arguments.json)
}
