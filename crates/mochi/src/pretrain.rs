//! `mochi pretrain DATA [--preset NAME | --config FILE] [--out RUN] [KEY=VALUE ...]`

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use mochi_config::{Facts, NO_WEIGHTS, Origin, Resolved, Settings, TimeBudget};
use mochi_data::dataset::{path_from_text, path_to_text};
use mochi_data::{Dataset, Split, display_source, is_remote};
use mochi_run::{RunFolder, default_path};
use mochi_tensor::Engine;
use mochi_term::{Progress, StopFlag};
use mochi_text::{counted, duration};
use mochi_train::{Contrastive, ContrastiveData, facts};

use crate::discovery::begin;
use crate::drive::{Printed, drive, evaluate_encoder, listen};
use crate::failure::{Failure, Outcome};
use crate::ranks::{self, Ranks, has_checkpoint, in_group};
use crate::resume;
use crate::sources::{Sources, is_inside};
use crate::{init, plan, views};

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    sources: Sources,
    /// Weights that the backbone starts from: a run folder, a safetensors or PyTorch file, or none
    #[arg(long, value_name = "RUN|FILE")]
    init: Option<String>,
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
    let launched = ranks::launched()?;
    let stop = listen()?;
    let engine = mochi_tensor::start(None)?;
    in_group(launched.as_ref(), &engine, &stop, |ranks| pretrain(&arguments, ranks, &engine, &stop, begun))
}

fn pretrain(arguments: &Arguments, ranks: &Ranks, engine: &Engine, stop: &StopFlag, begun: Instant) -> Outcome {
    if let Some(time) =
        arguments.settings.iter().find(|setting| arguments.time.is_some() && setting.starts_with("time="))
    {
        return Err(Failure::new(format!("--time and {time} both give the training time"), "leave one of them out"));
    }
    if let (Some(_), Some(setting)) =
        (&arguments.init, arguments.settings.iter().find(|setting| setting.starts_with("model.init=")))
    {
        return Err(Failure::new(
            format!("--init and {setting} both give the starting weights"),
            "leave one of them out",
        ));
    }
    let words = arguments.time.iter().map(|time| format!("time={time}")).chain(arguments.settings.iter().cloned());
    let words: Vec<String> = words.collect();
    let mut settings = Settings::load(arguments.preset.as_deref(), arguments.config.as_deref(), &words)?;
    settings.check_length()?;
    let given = arguments.init.as_ref().map(|init| (init::whole(init), Some(Origin::CommandLine)));
    let (init, origin) = given.unwrap_or_else(|| (init::whole(&settings.model.init), None));
    let start = init::network(&init)?;
    settings.set_init(init, origin);
    start.iter().for_each(|start| settings.take_size_of(start));
    if let Some(out) = arguments.out.as_ref().filter(|_| ranks.restarted()) {
        // torchrun repeats the command after a failure: the run goes on.
        let begun = ranks.broadcast_text(|| Ok(has_checkpoint(out).to_string()))?;
        if begun == "true" {
            return resume::in_ranks(out, None, ranks, engine, stop, arguments.json);
        }
    }
    if let (Some(out), true) = (&arguments.out, ranks.is_first()) {
        // Known before the dataset is opened.
        RunFolder::check_free(out)?;
    }
    if let Some(source) = arguments.settings.iter().find(|setting| setting.starts_with("data.source=")) {
        return Err(Failure::new(format!("{source} has no effect: DATA is the source"), "leave it out"));
    }
    ranks.agree("settings", &as_lines(&settings))?;
    let progress = ranks.progress();
    let dataset = arguments.sources.begin(&settings, stop.flag().into()).wait(&progress)?;
    ranks
        .agree("data", &format!("{} (fingerprint {:016x})", counted(dataset.len(), "image"), dataset.fingerprint()))?;
    let sources = arguments.sources.paths(&settings);
    for warning in dataset.warnings() {
        progress.warning(warning);
    }
    let evaluation = match settings.evaluation.source.clone() {
        none if none.is_empty() => None,
        source => {
            let source = path_from_text(&source);
            let opened = begin(vec![source.clone()], Split::Train, stop.flag().into()).wait(&progress);
            let opened =
                opened.map_err(|failure| failure.at("evaluation.source: ", "give a folder of labeled images"))?;
            ranks.agree("images of evaluation.source", &format!("fingerprint {:016x}", opened.fingerprint()))?;
            settings.set_evaluation_source(whole_path(&source));
            Some(opened)
        }
    };
    let mut whole = sources.iter().map(|source| whole_path(source));
    settings.set_sources(whole.next().unwrap_or_default(), whole.collect(), arguments.sources.has_more());
    let facts = Facts { start, ..facts_of(ranks, &dataset, engine) };
    let facts = plan::measure(&settings, facts, &dataset, engine, ranks, stop, &progress)?;
    // Rank 0 decides what is automatic: all ranks train with its values.
    let mut known = None;
    let text = ranks.broadcast_text(|| {
        let (resolved, warnings) = settings.clone().resolve(&facts)?;
        for warning in &warnings {
            progress.warning(&warning.to_string());
            if let Some(hint) = warning.hint() {
                progress.hint(&hint);
            }
        }
        let text = resolved.to_toml();
        known = Some((facts, resolved));
        Ok(text)
    })?;
    let resolved = match &known {
        Some((_, resolved)) => resolved.clone(),
        None => Resolved::parse(&text, Path::new("the settings of rank 0"))?,
    };
    let path = || arguments.out.clone().unwrap_or_else(|| default_path(resolved.preset_name()));
    let path = PathBuf::from(ranks.broadcast_text(|| Ok(path_to_text(&path())))?);
    if sources.iter().any(|source| is_inside(&path, source)) {
        progress.warning(&format!("the run folder {} is inside the dataset folder", path.display()));
        progress.hint("the dataset changes with the files of the run: choose another place with --out");
    }
    describe(&resolved, &dataset, ranks, &path, &progress);
    match &known {
        Some((facts, _)) if resolved.time != TimeBudget::None => {
            plan::explain(&settings, facts, &resolved, &method(&resolved), &progress);
        }
        _ => {
            differences_from_moco(&resolved).into_iter().for_each(|differences| progress.note(&differences));
            describe_schedule(&resolved, &dataset, &progress);
        }
    }
    if ranks.size() == 1 && engine.cuda_devices > 1 && resolved.compute.device.is_cuda() {
        progress.note(&format!("this run uses one of {} GPUs", engine.cuda_devices));
        progress.hint(&format!("to use all: `mochi launch --processes {} -- pretrain ...`", engine.cuda_devices));
    }
    // Images behind a network can take long to read.
    let is_local = !sources.iter().any(|source| is_remote(source));
    let views = (ranks.is_first() && is_local).then(|| views::draw(&dataset, &resolved, &progress)).flatten();
    let data = ContrastiveData { training: dataset, evaluation };
    // The folder is made last: what is wrong with settings and data leaves nothing behind.
    let mut task = Contrastive::new(resolved.clone(), data, engine, ranks.group())?;
    if let Some(learned) = task.initialize(stop).map_err(plan::stopped)? {
        progress.note(&learned);
    }
    if let Some(start) = task.start_weights() {
        init::describe(start, "the head is new", &progress);
    }
    // What was done until here is part of the time that was asked for.
    let spent = match resolved.time.limit() {
        Some(limit) => spent_of(limit, ranks, begun, &progress)?,
        None => 0.0,
    };
    let trainer = task.begin(ranks.destination(&path, &progress)?, &resolved)?;
    if let Some(jpeg) = views {
        views::write(trainer.folder(), &jpeg, &progress);
    }
    drive(trainer.after(spent), engine, stop, &progress, Printed::of(arguments.json), &evaluate_encoder)
}

/// Seconds that the begin of the program took, on the clock of rank 0.
fn spent_of(limit: Duration, ranks: &Ranks, begun: Instant, progress: &Progress) -> Outcome<f64> {
    let text = ranks.broadcast_text(|| Ok(begun.elapsed().as_secs_f64().to_string()))?;
    let spent: f64 = text.parse().unwrap_or_default();
    let limit = limit.as_secs_f64();
    let took = || format!("opening the images and measuring the speed took {} of {}", duration(spent), duration(limit));
    if spent >= limit {
        return Err(Failure::new(format!("no time is left to train: {}", took()), "give more time"));
    }
    if spent > 0.3 * limit {
        progress.warning(&took());
        progress.hint("a longer time leaves more of it for training");
    }
    Ok(spent)
}

/// An absolute path, so that `mochi resume` finds the data from anywhere; an address without its secrets.
fn whole_path(source: &Path) -> String {
    match std::path::absolute(source) {
        _ if is_remote(source) => display_source(source),
        Ok(whole) => path_to_text(&whole),
        Err(_) => path_to_text(source),
    }
}

/// Settings as given, a line each, to be compared between ranks.
fn as_lines(settings: &Settings) -> String {
    let lines = settings.describe().into_iter().map(|setting| format!("{}={}", setting.key, setting.value));
    lines.collect::<Vec<_>>().join("\n")
}

/// What automatic values depend on. Processes of one machine share its cores and memory.
fn facts_of(ranks: &Ranks, dataset: &Dataset, engine: &Engine) -> Facts {
    let mut facts =
        Facts { labels: dataset.labels().is_some(), processes: ranks.size(), ..facts(engine, dataset.len()) };
    facts.cores = (facts.cores / ranks.local()).max(1);
    facts.cpu.memory_bytes /= ranks.local() as u64;
    facts
}

/// Says what is trained on what, and where it is written.
fn describe(settings: &Resolved, dataset: &Dataset, ranks: &Ranks, path: &Path, progress: &Progress) {
    progress.note(&format!(
        "{} ({}), {} on {} in {}{}, run folder {}",
        counted(dataset.len(), "image"),
        dataset.kind(),
        settings.model.arch,
        settings.compute.device,
        settings.compute.precision,
        ranks.described(),
        path.display()
    ));
}

/// Backbone and method of a run with a time limit, and why they were chosen.
fn method(settings: &Resolved) -> String {
    let why = |key| plan::reason(settings, key).map(|why| format!(" ({why})")).unwrap_or_default();
    let mut all = vec![format!("{}{}", settings.model.arch, why("model.arch"))];
    all.extend(differences_from_moco(settings));
    all.push(format!("{}{}", batch(settings), why("moco.batch")));
    all.push(queue(settings));
    all.push(synthesis(settings));
    let learned = match settings.preset_name() == "small" && !settings.negatives.synthesizes() {
        true => ": runs of minutes learned more without them; the preset small-mochi has both",
        false => "",
    };
    all.join(", ") + learned
}

fn batch(settings: &Resolved) -> String {
    let views = if settings.data.views > 2 { format!(" of {} views each", settings.data.views) } else { String::new() };
    format!("batch {}{views}", settings.moco.batch)
}

fn queue(settings: &Resolved) -> String {
    if settings.uses_queue() { format!("queue {}", settings.moco.queue) } else { "no queue".to_owned() }
}

/// Says how long it is trained, with which batch, queue and synthetic negatives.
fn describe_schedule(settings: &Resolved, dataset: &Dataset, progress: &Progress) {
    if settings.epochs == 0.0 && settings.model.init != NO_WEIGHTS {
        let size = settings.data.size;
        progress.note(&format!(
            "no training: the run holds the weights as they are, evaluations have views of {size} px (data.size)"
        ));
        return;
    }
    let schedule = match settings.epochs {
        0.0 => "the untrained encoder, without a step".to_owned(),
        epochs => {
            format!("{} of {}", counted(epochs, "epoch"), counted(settings.steps_per_epoch(dataset.len()), "step"))
        }
    };
    progress.note(&format!("{schedule}, {}, {}, {}", batch(settings), queue(settings), synthesis(settings)));
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
