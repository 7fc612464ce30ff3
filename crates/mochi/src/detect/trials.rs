//! `mochi detect trials --n 5 --data DIR ... --out DIR`: the same training with several seeds (MoCo and detectron2 report means of five).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mochi_run::{Metric, RunFolder};
use mochi_term::Progress;
use mochi_text::aligned;
use serde_json::{Map, Value, json};

use super::compare::last_evaluation;
use super::train::{Common, Prepared, resume};
use crate::drive::{drive, listen};
use crate::failure::{Failure, Outcome, print_json, print_line};

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
    let prepared = Prepared::read(&arguments.common, &engine, &progress)?;
    let mut results = Vec::new();
    for trial in 0..arguments.n {
        let seed = prepared.settings.seed + trial;
        let out = arguments.out.join(format!("seed-{seed}"));
        let ended = if RunFolder::read(&out).is_ok() {
            resume(&out, &engine, &stop, &progress, false)?
        } else {
            let mut settings = prepared.settings.clone();
            settings.seed = seed;
            let resolved = prepared.resolve(settings, &progress)?;
            let trainer = prepared.start(resolved, &out, &engine, &progress)?;
            drive(trainer, &engine, &stop, &progress, false, &|run| format!("mochi report {run}"))?
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
    let mut rows = vec![[vec!["seed".to_owned()], metrics.iter().map(|m| m.key.replace('_', " ")).collect()].concat()];
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
