//! `mochi bench loss`: what hard negatives cost on top of the plain loss, in closed form and by explicit synthesis.
//!
//! Forward and backward of the loss alone, float32, on the CPU: the three variants in turn within each round, medians over rounds; and what the
//! measurements cost that are not by-products: uniformity (every step, part of the three) and the diagnostics (periodic). Memory is the
//! growth of the process's peak over the plain loss's, each way in a process of its own.

use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::{Args, ValueEnum};
use mochi_contrast::{
    Context, ContrastError, DrawKey, Objective, Queue, SampleMetadata, diagnostics, info_nce, oracle, uniformity,
};
use mochi_tensor::{Device, Kind, Tensor, with_seed};
use serde::Serialize;

use super::median;
use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::numbers::whole;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Number of queries
    #[arg(long, default_value_t = 256, value_parser = whole::<usize>)]
    batch: usize,
    /// Embedding dimension
    #[arg(long, default_value_t = 128, value_parser = whole::<usize>)]
    dim: usize,
    /// Number of keys in the queue
    #[arg(long, default_value_t = 65_536, value_parser = whole::<usize>)]
    queue: usize,
    /// MoCHi's N, s and s'
    #[arg(long, num_args = 3, value_names = ["N", "S", "S'"], default_values_t = [1024, 1024, 512])]
    mochi: Vec<usize>,
    /// Number of rounds; results are medians
    #[arg(long, default_value_t = 7, value_parser = whole::<usize>)]
    rounds: usize,
    /// Number of threads [default: one per core]
    #[arg(long, value_parser = whole::<usize>)]
    threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Measure only the memory of this variant (used by the command itself)
    #[arg(long, hide = true)]
    memory_of: Option<Way>,
}

/// How the loss is computed.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Way {
    Plain,
    Mochi,
    Explicit,
    /// The uniformity that is part of every step's measures.
    #[value(skip)]
    Uniformity,
    /// The closer look, with labels.
    #[value(skip)]
    Diagnostics,
}

#[derive(Serialize)]
struct Report {
    plain_s: f64,
    mochi_s: f64,
    explicit_s: f64,
    /// Uniformity of queries and keys, contained in the times above.
    uniformity_s: f64,
    /// The curve and the false negatives, every `log.diagnostics_every_steps`.
    diagnostics_s: f64,
    /// (mochi - plain) / (explicit - plain)
    extra_time_fraction: f64,
    mochi_extra_bytes: u64,
    explicit_extra_bytes: u64,
    batch: usize,
    dim: usize,
    queue: usize,
    hardest: usize,
    pairs: usize,
    query_mixes: usize,
    threads: usize,
    rounds: usize,
}

/// Embeddings of one step.
struct Case {
    query: Tensor,
    key: Tensor,
    queue: Queue,
    plain: Objective,
    mochi: Objective,
}

const TEMPERATURE: f64 = 0.2;

impl Case {
    fn new(a: &Arguments) -> Outcome<Self> {
        let [hardest, pairs, query_mixes] = a.mochi[..] else {
            return Err(Failure::new("--mochi expects three numbers", "for example --mochi 1024 1024 512"));
        };
        let mochi = Objective::mochi(TEMPERATURE, hardest, pairs, query_mixes);
        mochi.check().map_err(ContrastError::from)?;
        let size = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        with_seed(0, || {
            let unit = |n: usize| -> Result<Tensor, ContrastError> {
                let rows = Tensor::f_randn([size(n), size(a.dim)], (Kind::Float, Device::Cpu))?;
                Ok(rows.f_div(&rows.f_norm_scalaropt_dim(2, [1i64].as_slice(), true)?)?)
            };
            Ok(Self {
                query: unit(a.batch)?,
                key: unit(a.batch)?,
                queue: Queue::new(a.queue, a.dim, Device::Cpu)?,
                plain: Objective::plain(TEMPERATURE),
                mochi,
            })
        })
    }

    /// Loss and gradient in the query; returns the seconds that it took.
    fn run(&self, way: Way, step: u64) -> Result<f64, ContrastError> {
        let draws = DrawKey { seed: 0, step, purpose: 0, direction: 0, first_row: 0 };
        let context = Context { draws, ..Context::default() };
        let (key, columns) = (&self.key, self.queue.rows());
        let start = Instant::now();
        match way {
            Way::Plain => {
                info_nce(&self.query, key, columns, &self.plain, &context)?;
            }
            Way::Mochi => {
                info_nce(&self.query, key, columns, &self.mochi, &context)?;
            }
            Way::Explicit => {
                let leaf = self.query.copy().set_requires_grad(true);
                let (loss, _) = oracle::info_nce(&leaf, key, columns, &self.mochi, &context)?;
                loss.f_backward()?;
            }
            Way::Uniformity => {
                uniformity(&self.query)?;
                uniformity(key)?;
            }
            Way::Diagnostics => {
                let labels = |n: i64| (0..n).map(|row| row % 100).collect::<Vec<_>>();
                let (queries, rows) = (labels(self.query.size()[0]), labels(columns.size()[0]));
                let known = |labels| SampleMetadata { images: None, labels: Some(labels) };
                let context = Context { queries: known(&queries), candidates: known(&rows), ..context };
                diagnostics(&self.query, key, columns, &self.mochi, &context)?;
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    let engine = mochi_tensor::start(arguments.threads)?;
    let case = Case::new(&arguments)?;
    if let Some(way) = arguments.memory_of {
        case.run(Way::Plain, 0)?;
        let before = mochi_system::peak_memory().unwrap_or(0);
        case.run(way, 1)?;
        print_line(&(mochi_system::peak_memory().unwrap_or(0) - before).to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let ways = [Way::Plain, Way::Mochi, Way::Explicit, Way::Uniformity, Way::Diagnostics];
    let mut times = [const { Vec::new() }; 5];
    for round in 0..=arguments.rounds as u64 {
        for (way, times) in ways.iter().zip(&mut times) {
            let seconds = case.run(*way, round)?;
            // The first round warms caches and allocator.
            if round > 0 {
                times.push(seconds);
            }
        }
    }
    let [plain_s, mochi_s, explicit_s, uniformity_s, diagnostics_s] = times.map(|t| median(&t));
    let report = Report {
        plain_s,
        mochi_s,
        explicit_s,
        uniformity_s,
        diagnostics_s,
        extra_time_fraction: (mochi_s - plain_s) / (explicit_s - plain_s),
        mochi_extra_bytes: extra_bytes(&arguments, "mochi")?,
        explicit_extra_bytes: extra_bytes(&arguments, "explicit")?,
        batch: arguments.batch,
        dim: arguments.dim,
        queue: arguments.queue,
        hardest: case.mochi.hard_negatives,
        pairs: arguments.mochi[1],
        query_mixes: arguments.mochi[2],
        threads: engine.threads,
        rounds: arguments.rounds,
    };
    if arguments.json {
        print_json(&report)?;
    } else {
        let ms = |s: f64| s * 1e3;
        print_line(&format!("plain         {:8.1} ms", ms(plain_s)))?;
        print_line(&format!(
            "MoCHi         {:8.1} ms  (+{:.1} ms, +{:.1} MB)",
            ms(mochi_s),
            ms(mochi_s - plain_s),
            report.mochi_extra_bytes as f64 / 1e6
        ))?;
        print_line(&format!(
            "explicit      {:8.1} ms  (+{:.1} ms, +{:.1} MB)",
            ms(explicit_s),
            ms(explicit_s - plain_s),
            report.explicit_extra_bytes as f64 / 1e6
        ))?;
        print_line(&format!("uniformity    {:8.2} ms, within plain and MoCHi", ms(uniformity_s)))?;
        print_line(&format!("diagnostics   {:8.1} ms, every log.diagnostics_every_steps", ms(diagnostics_s)))?;
        print_line(&format!("MoCHi adds {:.3} of what explicit synthesis adds", report.extra_time_fraction))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Peak growth over the plain loss, measured in a fresh process.
fn extra_bytes(a: &Arguments, way: &str) -> Outcome<u64> {
    let broken = |why: String| Failure::new(format!("cannot measure memory: {why}"), "run `mochi bench loss` again");
    let program = std::env::current_exe().map_err(|e| broken(e.to_string()))?;
    let mut command = Command::new(program);
    command.args(["bench", "loss", "--memory-of", way]);
    for (name, value) in [("--batch", a.batch), ("--dim", a.dim), ("--queue", a.queue)] {
        command.arg(name).arg(value.to_string());
    }
    command.arg("--mochi").args(a.mochi.iter().map(ToString::to_string));
    if let Some(threads) = a.threads {
        command.arg("--threads").arg(threads.to_string());
    }
    let output = command.output().map_err(|e| broken(e.to_string()))?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .map_err(|_| broken(String::from_utf8_lossy(&output.stderr).into_owned()))
}
