//! `mochi bench step`: training steps on synthetic images, MoCo and MoCHi interleaved. The order within a pair alternates, so that drift of
//! the machine affects both. The ratio is printed with its 95 % interval.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use mochi_config::Settings;
use mochi_contrast::SampleMetadata;
use mochi_text::counted;
use mochi_train::{Learner, StepPlan, compute, facts, noise_views};
use serde::Serialize;

use super::{median, median_interval};
use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::numbers::whole;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Backbone
    #[arg(long, default_value = "resnet50")]
    arch: String,
    /// Images per batch
    #[arg(long, default_value_t = 16, value_parser = whole::<usize>)]
    batch: usize,
    /// View size
    #[arg(long, default_value_t = 224, value_parser = whole::<u32>)]
    size: u32,
    /// Number of keys in the queue
    #[arg(long, default_value_t = 65_536, value_parser = whole::<usize>)]
    queue: usize,
    /// MoCHi's N, s and s'
    #[arg(long, num_args = 3, value_names = ["N", "S", "S'"], default_values_t = [1024, 1024, 512])]
    mochi: Vec<usize>,
    /// Timed steps of each method
    #[arg(long, default_value_t = 9, value_parser = whole::<usize>)]
    steps: usize,
    /// Untimed steps of each method before those
    #[arg(long, default_value_t = 2, value_parser = whole::<usize>)]
    warmup: usize,
    /// float32, tf32, bf16 or auto
    #[arg(long, default_value = "auto")]
    precision: String,
    /// cpu, cuda, cuda:N or auto
    #[arg(long, default_value = "auto")]
    device: String,
    /// Batch-norm groups
    #[arg(long, default_value_t = 1, value_parser = whole::<usize>)]
    bn_groups: usize,
    /// Measure MoCo only
    #[arg(long)]
    plain_only: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    /// Of the plain MoCo step.
    images_per_s: f64,
    moco_s: f64,
    moco_min_s: f64,
    moco_max_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mochi_s: Option<f64>,
    /// Median over rounds of the ratio of MoCHi's to MoCo's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    mochi_over_moco: Option<f64>,
    /// 95 % interval of that median; `None` with fewer than 6 rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    mochi_over_moco_interval: Option<[f64; 2]>,
    batch: usize,
    arch: String,
    size: u32,
    queue: usize,
    mochi: [usize; 3],
    precision: &'static str,
    device: String,
    threads: usize,
    steps: usize,
    /// On a GPU most bytes that tensors have taken there, otherwise most memory of the process.
    peak_bytes: Option<u64>,
}

/// Runs the subcommand.
pub fn run(a: Arguments) -> Outcome {
    let [hardest, pairs, query_mixes] = a.mochi[..] else {
        return Err(Failure::new("--mochi expects three numbers", "for example --mochi 1024 1024 512"));
    };
    let engine = mochi_tensor::start(None)?;
    let arguments = [
        format!("model.arch={}", a.arch),
        format!("data.size={}", a.size),
        format!("moco.batch={}", a.batch),
        format!("moco.queue={}", a.queue),
        format!("moco.bn_groups={}", a.bn_groups),
        format!("compute.precision={}", a.precision),
        format!("compute.device={}", a.device),
        format!("negatives.hardest={hardest}"),
        format!("negatives.pairs={pairs}"),
        format!("negatives.query_mixes={query_mixes}"),
        "negatives.warmup_epochs=0".to_owned(),
    ];
    // As many images as ImageNet, so that no rule reduces a size.
    let (settings, _) = Settings::load(Some("moco-v2"), None, &arguments)?.resolve(&facts(&engine, 1_281_167))?;
    let mut learner = Learner::new(&settings, compute(&settings, &engine)?, None)?;
    let views = noise_views(&settings)?;
    let (mut moco, mut mochi) = (Vec::new(), Vec::new());
    let mut step = 0;
    for round in 0..a.warmup + a.steps {
        for synthesise in if round % 2 == 0 { [false, true] } else { [true, false] } {
            if synthesise && a.plain_only {
                continue;
            }
            let start = Instant::now();
            let plan = StepPlan { step, learning_rate: 0.03, warm_up: !synthesise, diagnostics: false };
            learner.step(&views, SampleMetadata::default(), &plan)?;
            step += 1;
            if round >= a.warmup {
                (if synthesise { &mut mochi } else { &mut moco }).push(start.elapsed().as_secs_f64());
            }
        }
    }
    let ratios: Vec<f64> = mochi.iter().zip(&moco).map(|(x, y)| x / y).collect();
    let report = Report {
        images_per_s: a.batch as f64 / median(&moco),
        moco_s: median(&moco),
        moco_min_s: moco.iter().copied().fold(f64::INFINITY, f64::min),
        moco_max_s: moco.iter().copied().fold(0.0, f64::max),
        mochi_s: (!mochi.is_empty()).then(|| median(&mochi)),
        mochi_over_moco: (!ratios.is_empty()).then(|| median(&ratios)),
        mochi_over_moco_interval: median_interval(&ratios),
        batch: a.batch,
        arch: a.arch,
        size: a.size,
        queue: a.queue,
        mochi: [hardest, pairs, query_mixes],
        precision: settings.compute.precision.as_str(),
        device: settings.compute.device.to_string(),
        threads: settings.compute.threads,
        steps: a.steps,
        peak_bytes: match settings.compute.device {
            mochi_config::Device::Cuda(index) => engine.cuda_peak_memory(index),
            mochi_config::Device::Cpu => mochi_system::peak_memory(),
        },
    };
    if a.json {
        print_json(&report)?;
    } else {
        print_line(&format!(
            "{} at {} px, batch {}, {}, {}",
            report.arch,
            report.size,
            report.batch,
            report.precision,
            counted(report.threads, "thread")
        ))?;
        print_line(&format!("MoCo   {:.3} s per step, {:.2} images/s", report.moco_s, report.images_per_s))?;
        if let (Some(s), Some(ratio)) = (report.mochi_s, report.mochi_over_moco) {
            let scatter = report
                .mochi_over_moco_interval
                .map(|[low, high]| format!(" (95 % interval of the median: {low:.3} to {high:.3})"))
                .unwrap_or_default();
            print_line(&format!("MoCHi  {s:.3} s per step, {ratio:.3} of MoCo's{scatter}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
