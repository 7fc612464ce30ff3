//! `mochi bench ranks`: what training in several processes costs. Each process alternates between a step on its own, of its share of the batch and
//! without communication, and a step together with the others. The processes begin every step at the same time, so that both kinds have the
//! same company on the machine.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use mochi_config::{Facts, Resolved, Settings};
use mochi_contrast::SampleMetadata;
use mochi_system::Launched;
use mochi_tensor::collectives::Operation;
use mochi_tensor::{Device, Engine, Group, Kind, Tensor, dim, set_threads};
use mochi_text::aligned;
use mochi_train::{Learner, StepPlan, compute, facts, noise_views};
use serde::{Deserialize, Serialize};

use super::median;
use crate::drive::listen;
use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::launch::first_says;
use crate::numbers::whole;
use crate::ranks::in_group;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Numbers of processes
    #[arg(long, value_delimiter = ',', default_values_t = [1u16, 2, 4], value_parser = clap::value_parser!(u16).range(1..=1024))]
    processes: Vec<u16>,
    /// Backbone
    #[arg(long, default_value = "resnet18")]
    arch: String,
    /// Images of each process per step
    #[arg(long, default_value_t = 16, value_parser = whole::<usize>)]
    batch: usize,
    /// View size
    #[arg(long, default_value_t = 64, value_parser = whole::<u32>)]
    size: u32,
    /// Number of keys in the queue
    #[arg(long, default_value_t = 4096, value_parser = whole::<usize>)]
    queue: usize,
    /// Timed steps of each kind, after two untimed ones
    #[arg(long, default_value_t = 15, value_parser = whole::<usize>)]
    steps: usize,
    /// Statistics of batch norm over all processes, instead of those of each with images shuffled across them
    #[arg(long)]
    sync_bn: bool,
    /// float32, bf16 or auto
    #[arg(long, default_value = "float32")]
    precision: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Timed all-reduces of each kind; the first one is not counted.
const ALL_REDUCES: usize = 10;

/// The result for one number of processes, medians of rank 0's seconds.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    processes: usize,
    threads: usize,
    /// Of rank 0.
    device: String,
    /// A step of a process's share of the batch without communication.
    alone_s: f64,
    /// A step together.
    step_s: f64,
    /// Their difference, the median over pairs.
    overhead_s: f64,
    /// All-reduce of as many bytes as the gradients have, with nothing else to do.
    all_reduce_s: f64,
    /// All-reduce of one number.
    latency_s: f64,
    /// Share of the all-reduce that is hidden under the backward pass: 1 - overhead / all-reduce, not below 0. The overhead has the other
    /// collectives of a step in it as well, so the true share is higher.
    hidden: f64,
    gradient_bytes: u64,
    images_per_s: f64,
}

#[derive(Serialize)]
struct Report {
    arch: String,
    batch_of_a_process: usize,
    size: u32,
    queue: usize,
    sync_bn: bool,
    precision: String,
    results: Vec<Measured>,
}

/// Runs the subcommand: the launcher, or one of its processes.
pub fn run(a: Arguments) -> Outcome {
    if let Some(launched) = crate::ranks::launched()? {
        let engine = mochi_tensor::start(None)?;
        return in_group(Some(&launched), &engine, &listen()?, |ranks| {
            let Some(group) = ranks.group() else { return Ok(ExitCode::SUCCESS) };
            let measured = measure(&a, &engine, &launched, group)?;
            if ranks.is_first() {
                print_json(&measured)?;
            }
            Ok(ExitCode::SUCCESS)
        });
    }
    let mut results = Vec::new();
    for &processes in &a.processes {
        results.push(match processes {
            1 => measure_one(&a)?,
            _ => measured_by(processes)?,
        });
    }
    let report = Report {
        arch: a.arch,
        batch_of_a_process: a.batch,
        size: a.size,
        queue: a.queue,
        sync_bn: a.sync_bn,
        precision: a.precision,
        results,
    };
    if a.json {
        print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&format!(
        "{} at {} px, {} images of each process, {}, batch norm {}",
        report.arch,
        report.size,
        report.batch_of_a_process,
        report.precision,
        if report.sync_bn { "synchronized" } else { "of each process, images shuffled" }
    ))?;
    print_line(&table(&report.results))?;
    Ok(ExitCode::SUCCESS)
}

fn table(results: &[Measured]) -> String {
    let head = ["processes", "alone", "together", "overhead", "all-reduce", "hidden", "images/s"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for m in results {
        let ms = |s: f64| format!("{:.1} ms", s * 1e3);
        let together = m.processes > 1;
        let of = |text: String| if together { text } else { String::new() };
        rows.push(vec![
            m.processes.to_string(),
            ms(m.alone_s),
            of(ms(m.step_s)),
            of(ms(m.overhead_s)),
            of(ms(m.all_reduce_s)),
            of(format!("{:.0} %", m.hidden * 100.0)),
            format!("{:.1}", m.images_per_s),
        ]);
    }
    aligned(&rows).join("\n")
}

/// The same command in several processes; what rank 0 says.
fn measured_by(processes: u16) -> Outcome<Measured> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let line = first_says(processes, &arguments)?;
    serde_json::from_str(&line).map_err(|error| {
        Failure::new(format!("{processes} processes measured nothing: {error}"), "see their messages above")
    })
}

/// Settings for `processes`, each with its share of the cores of this machine, and with a GPU of its own where there are GPUs.
fn settings(a: &Arguments, engine: &Engine, processes: usize, here: usize, local_rank: usize) -> Outcome<Resolved> {
    let cores = (facts(engine, 0).cores / here.max(1)).max(1);
    let device = if engine.cuda_devices > 0 { format!("cuda:{local_rank}") } else { "cpu".to_owned() };
    let words = [
        format!("model.arch={}", a.arch),
        format!("data.size={}", a.size),
        format!("moco.batch={}", a.batch * processes),
        format!("moco.queue={}", a.queue),
        format!("moco.bn_groups={}", if a.sync_bn { 1 } else { processes }),
        format!("compute.precision={}", a.precision),
        format!("compute.threads={cores}"),
        format!("compute.device={device}"),
    ];
    // As many images as ImageNet, so that no rule reduces a size.
    let known = Facts { processes, cores, ..facts(engine, 1_281_167) };
    Ok(Settings::load(Some("moco-v2"), None, &words)?.resolve(&known)?.0)
}

fn measure_one(a: &Arguments) -> Outcome<Measured> {
    let engine = mochi_tensor::start(None)?;
    let settings = settings(a, &engine, 1, 1, 0)?;
    set_threads(settings.compute.threads);
    let mut learner = Learner::new(&settings, compute(&settings, &engine)?, None)?;
    let views = noise_views(&settings)?;
    let mut times = Vec::new();
    for number in 0..a.steps + 2 {
        let begun = Instant::now();
        step(&mut learner, &views, number)?;
        times.push(begun.elapsed().as_secs_f64());
    }
    let alone_s = median(&times[2..]);
    Ok(Measured {
        processes: 1,
        threads: settings.compute.threads,
        device: settings.compute.device.to_string(),
        alone_s,
        step_s: alone_s,
        overhead_s: 0.0,
        all_reduce_s: 0.0,
        latency_s: 0.0,
        hidden: 0.0,
        gradient_bytes: gradient_values(&learner) * 4,
        images_per_s: a.batch as f64 / alone_s,
    })
}

fn gradient_values(learner: &Learner) -> u64 {
    learner.query.store().parameter_count() as u64
}

fn step(learner: &mut Learner, views: &[Tensor], number: usize) -> Outcome<()> {
    let plan = StepPlan { step: number as u64, learning_rate: 0.03, warm_up: false, diagnostics: false };
    learner.step(views, SampleMetadata::default(), &plan)?;
    Ok(())
}

fn measure(a: &Arguments, engine: &Engine, launched: &Launched, group: &Arc<Group>) -> Outcome<Measured> {
    let (here, local_rank) = (launched.local_world_size, launched.local_rank);
    let own = settings(a, engine, 1, here, local_rank)?;
    let common = settings(a, engine, group.size(), here, local_rank)?;
    set_threads(own.compute.threads);
    let place = compute(&common, engine)?;
    let mut alone = Learner::new(&own, place, None)?;
    let mut together = Learner::new(&common, place, Some(group))?;
    let views = noise_views(&own)?;
    let mut times = [Vec::new(), Vec::new()];
    for number in 0..a.steps + 2 {
        for kind in if number % 2 == 0 { [0, 1] } else { [1, 0] } {
            barrier(group)?;
            let begun = Instant::now();
            step(if kind == 0 { &mut alone } else { &mut together }, &views, number)?;
            times[kind].push(begun.elapsed().as_secs_f64());
        }
    }
    let [alone_times, together_times] = times.map(|times| times[2..].to_vec());
    let overheads: Vec<f64> = together_times.iter().zip(&alone_times).map(|(t, a)| t - a).collect();
    let values = gradient_values(&together);
    let [all_reduce_s, latency_s] = [values, 1].map(|values| all_reduce_time(group, values, place.device));
    let (all_reduce_s, latency_s) = (all_reduce_s?, latency_s?);
    let (step_s, overhead_s) = (median(&together_times), median(&overheads));
    Ok(Measured {
        processes: group.size(),
        threads: own.compute.threads,
        device: own.compute.device.to_string(),
        alone_s: median(&alone_times),
        step_s,
        overhead_s,
        all_reduce_s,
        latency_s,
        hidden: (1.0 - overhead_s / all_reduce_s).clamp(0.0, 1.0),
        gradient_bytes: values * 4,
        images_per_s: (a.batch * group.size()) as f64 / step_s,
    })
}

fn barrier(group: &Group) -> Outcome<()> {
    let mut one = Tensor::f_zeros([1i64], (Kind::Float, Device::Cpu)).map_err(mochi_tensor::TensorError::from)?;
    Ok(group.all_reduce(&mut one, Operation::Sum, "beginning a step together")?)
}

/// Median seconds of an all-reduce of so many float32 values on the device that trains.
fn all_reduce_time(group: &Group, values: u64, device: Device) -> Outcome<f64> {
    let count = dim(usize::try_from(values).unwrap_or(usize::MAX));
    let mut flat = Tensor::f_zeros([count], (Kind::Float, device)).map_err(mochi_tensor::TensorError::from)?;
    let mut times = Vec::new();
    for _ in 0..ALL_REDUCES {
        barrier(group)?;
        let started = Instant::now();
        group.all_reduce(&mut flat, Operation::Sum, "measuring an all-reduce")?;
        times.push(started.elapsed().as_secs_f64());
    }
    Ok(median(&times[1..]))
}
