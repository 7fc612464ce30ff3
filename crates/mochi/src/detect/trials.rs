//! `mochi detect trials --n 5 --data DIR ... --out DIR`: the same training with several seeds (MoCo and detectron2 report means of five).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mochi_config::detection::Resolved;
use mochi_run::{Metric, RunFolder};
use mochi_term::Progress;
use mochi_text::{aligned, counted};
use serde_json::{Map, Value, json};

use super::compare::{last_evaluation, name};
use super::prepared::{Common, Prepared};
use super::train::resume;
use crate::drive::{Printed, drive, listen};
use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::ranks::Ranks;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Number of seeds: seed, seed + 1, ...
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    n: u64,
    /// Folder of the runs, one subfolder per seed; finished runs are not repeated, interrupted ones go on
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    let stop = listen()?;
    let progress = Progress::detect();
    let engine = mochi_tensor::start(None)?;
    let prepared = Prepared::read(&arguments.common, &engine, &Ranks::default(), &progress)?;
    // All that is there is compared before anything is trained.
    let mut trials = Vec::new();
    for trial in 0..arguments.n {
        let mut settings = prepared.settings.clone();
        settings.seed = prepared.settings.seed + trial;
        let seed = settings.seed;
        // The warnings are the same for every seed.
        let resolved = match trial {
            0 => prepared.resolve(settings, &progress)?,
            _ => prepared.resolved(settings)?.0,
        };
        let out = arguments.out.join(format!("seed-{seed}"));
        let exists = is_same_run(&out, &resolved)?;
        trials.push((seed, out, resolved, exists));
    }
    let mut results = Vec::new();
    for (seed, out, resolved, exists) in trials {
        let ended = if exists {
            resume(&out, &engine, &Ranks::default(), &stop, &progress, Printed::Nothing)?
        } else {
            let trainer = prepared.start(resolved, &out, &engine, &Ranks::default(), &progress)?;
            drive(trainer, &engine, &stop, &progress, Printed::Nothing, &|run| format!("mochi report {run}"))?
        };
        if ended != ExitCode::SUCCESS {
            return Ok(ended);
        }
        results.push((seed, last_evaluation(&out)?));
    }
    let metrics: Vec<&'static Metric> =
        results.first().map(|(_, all)| all.iter().map(|(m, _)| *m).collect()).unwrap_or_default();
    if metrics.is_empty() {
        return Err(Failure::new(
            "the runs were not evaluated: the data has no split for evaluation",
            "name one with evaluation.split=NAME, or another folder with evaluation.source=DIR",
        ));
    }
    let mut rows = vec![[vec!["seed".to_owned()], metrics.iter().map(|m| name(m)).collect()].concat()];
    for (seed, all) in &results {
        rows.push(
            [vec![seed.to_string()], all.iter().map(|(_, value)| format!("{:.2}", 100.0 * value)).collect()].concat(),
        );
    }
    let mut summary = Map::new();
    let (mut means, mut deviations) = (vec!["mean".to_owned()], vec!["deviation".to_owned()]);
    for (at, metric) in metrics.iter().enumerate() {
        let values: Vec<f64> = results.iter().filter_map(|(_, all)| Some(all.get(at)?.1)).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let deviation = (values.len() > 1).then(|| variance.sqrt());
        means.push(format!("{:.2}", 100.0 * mean));
        deviations.push(deviation.map_or("-".to_owned(), |d| format!("{:.2}", 100.0 * d)));
        summary.insert(metric.key.to_owned(), json!({"values": values, "mean": mean, "deviation": deviation}));
    }
    rows.extend([means, deviations]);
    if arguments.json {
        print_json(&Value::Object(summary))?;
    } else {
        print_line(&aligned(&rows).join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Settings that do not change what a run's result is.
const FREE: [&str; 6] = ["compute.threads", "compute.device", "checkpoint.", "log.", "data.threads", "data.prefetch"];
/// Differences that a message names.
const NAMED: usize = 5;

/// Whether a folder is a run with these settings that can be resumed; a run that has no checkpoint yet starts over.
///
/// # Errors
/// A run with other settings: its result is not one of these trials. (Other data than the run's is refused by its checkpoint.)
fn is_same_run(out: &Path, wanted: &Resolved) -> Outcome<bool> {
    let Ok(folder) = RunFolder::read(out) else { return Ok(false) };
    let own = Resolved::read(&folder.config_path())?.describe();
    let mut differing = Vec::new();
    for setting in wanted.describe() {
        let now = setting.value.to_string();
        let before = own.iter().find(|own| own.key == setting.key).map(|own| own.value.to_string());
        let counts = !FREE.iter().any(|free| setting.key.starts_with(free));
        if let (true, Some(before)) = (counts, before.filter(|before| *before != now)) {
            differing.push(format!("{} = {before} (now {now})", setting.key));
        }
    }
    if !differing.is_empty() {
        let more = differing.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {}", counted(more, "other")) } else { String::new() };
        let shown = differing.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        return Err(Failure::new(
            format!("{} is a run with other settings: {shown}{more}", out.display()),
            "give --out another folder, or the settings that the runs there have",
        ));
    }
    Ok(folder.checkpoints().latest()?.is_some())
}
