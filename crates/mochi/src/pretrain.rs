//! `mochi pretrain DATA [--preset NAME | --config FILE] [--out RUN] [KEY=VALUE ...]`

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use mochi_config::{Facts, Resolved, Settings, TimeBudget};
use mochi_data::dataset::path_to_text;
use mochi_data::{display_source, is_remote};
use mochi_run::{RunFolder, default_path};
use mochi_term::Progress;
use mochi_text::counted;
use mochi_train::{Contrastive, facts};

use crate::drive::{Printed, drive, evaluate_encoder, listen};
use crate::failure::{Failure, Outcome};
use crate::plan;
use crate::sources::{Sources, is_inside};

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    sources: Sources,
    /// Preset to start from, instead of the one named in the settings file; `mochi presets` lists them
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// TOML file of settings, which override the preset
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Run folder [default: a new folder under runs/]
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Training time, e.g. 20m or 1h30m: view size, epochs and schedule follow from the speed of this machine
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
    /// Settings, e.g. epochs=100 moco.queue=4096
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    let begun = Instant::now();
    let words = arguments.time.iter().map(|time| format!("time={time}")).chain(arguments.settings.iter().cloned());
    let words: Vec<String> = words.collect();
    let mut settings = Settings::load(arguments.preset.as_deref(), arguments.config.as_deref(), &words)?;
    if let Some(out) = &arguments.out {
        // Known before the dataset is opened.
        RunFolder::check_free(out)?;
    }
    if let Some(source) = arguments.settings.iter().find(|setting| setting.starts_with("data.source=")) {
        return Err(Failure::new(format!("{source} has no effect: DATA is the source"), "leave it out"));
    }
    let stop = listen()?;
    let progress = Progress::detect();
    // Folders are gone through while libtorch starts.
    let discovery = arguments.sources.begin(&settings, stop.flag().into());
    let engine = mochi_tensor::start(None)?;
    let dataset = discovery.wait(&progress)?;
    let sources = arguments.sources.paths(&settings);
    for warning in dataset.warnings() {
        progress.warning(warning);
    }
    // Absolute paths, so that `mochi resume` finds the data from anywhere; addresses without their secrets.
    let mut whole = sources.iter().map(|source| match std::path::absolute(source) {
        _ if is_remote(source) => display_source(source),
        Ok(whole) => path_to_text(&whole),
        Err(_) => path_to_text(source),
    });
    settings.set_sources(whole.next().unwrap_or_default(), whole.collect(), arguments.sources.has_more());
    let known = Facts { labels: dataset.labels().is_some(), ..facts(&engine, dataset.len()) };
    let known = plan::measure(&settings, known, &dataset, &engine, &stop, &progress)?;
    let (resolved, warnings) = settings.clone().resolve(&known)?;
    for warning in &warnings {
        progress.warning(&warning.to_string());
        if let Some(hint) = warning.hint() {
            progress.hint(&hint);
        }
    }
    let path = arguments.out.unwrap_or_else(|| default_path(resolved.preset_name()));
    if sources.iter().any(|source| is_inside(&path, source)) {
        progress.warning(&format!("the run folder {} is inside the dataset folder", path.display()));
        progress.hint("the dataset changes with the files of the run: choose another place with --out");
    }
    let folder = RunFolder::create(&path)?;
    if let Some(warning) = folder.warning() {
        progress.warning(&warning);
    }
    progress.note(&format!(
        "{} ({}), {} on {} in {}, run folder {}",
        counted(dataset.len(), "image"),
        dataset.kind(),
        resolved.model.arch,
        resolved.compute.device,
        resolved.compute.precision,
        path.display()
    ));
    if let Some(differences) = differences_from_moco(&resolved) {
        progress.note(&differences);
    }
    plan::explain(&settings, &known, &resolved, &progress);
    let schedule = match resolved.epochs {
        0.0 => "the untrained encoder, without a step".to_owned(),
        epochs => {
            format!("{} of {}", counted(epochs, "epoch"), counted(resolved.steps_per_epoch(dataset.len()), "step"))
        }
    };
    progress.note(&format!(
        "{schedule}, batch {}{}, {}, {}",
        resolved.moco.batch,
        if resolved.data.views > 2 { format!(" of {} views each", resolved.data.views) } else { String::new() },
        if resolved.uses_queue() { format!("queue {}", resolved.moco.queue) } else { "no queue".to_owned() },
        synthesis(&resolved)
    ));
    let limited = resolved.time != TimeBudget::None;
    let trainer = Contrastive::start(folder, resolved, dataset, &engine)?;
    // What was done until here is part of the time that was asked for.
    let spent = if limited { begun.elapsed().as_secs_f64() } else { 0.0 };
    drive(trainer.after(spent), &engine, &stop, &progress, Printed::of(arguments.json), &evaluate_encoder)
}

/// The synthetic negatives, as in the paper: MoCHi (N, s, s'), and those of `negatives.extra`.
fn synthesis(settings: &Resolved) -> String {
    let n = &settings.negatives;
    let mut all = Vec::new();
    if n.pairs + n.query_mixes > 0 {
        all.push(format!("MoCHi ({}, {}, {})", n.hardest, n.pairs, n.query_mixes));
    }
    all.extend(n.extra.iter().map(|extra| extra.name().to_owned()));
    if all.is_empty() {
        return "no synthetic negatives".to_owned();
    }
    format!("{} from epoch {}", all.join(", "), n.warmup_epochs)
}

/// Settings of the method that differ from MoCo's, if any.
fn differences_from_moco(settings: &Resolved) -> Option<String> {
    let (moco, negatives, mix) = (&settings.moco, &settings.negatives, &settings.mix);
    let choices = [
        ("encoder", moco.encoder.as_str(), "momentum"),
        ("positive", moco.positive.as_str(), "key"),
        ("negatives from", negatives.from.as_str(), "queue"),
        ("mixed images", mix.images.as_str(), "none"),
    ];
    let chosen =
        choices.iter().filter(|(_, value, usual)| value != usual).map(|(what, value, _)| format!("{what}: {value}"));
    let mixes =
        [("positives extrapolated by Beta", moco.extrapolate), ("queue interpolated by Beta", negatives.interpolate)];
    let mixes = mixes.iter().filter(|(_, v)| *v > 0.0).map(|(what, v)| format!("{what}({v}, {v})"));
    let all: Vec<String> = chosen.chain(mixes).collect();
    (!all.is_empty()).then(|| all.join(", "))
}
