//! `mochi bench detect`: training steps of a detector, or detections, on synthetic images of one size.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use mochi_annotations::{AnnotatedImage, Annotations, Mask, Object, Placement};
use mochi_config::detection::{Facts, Settings};
use mochi_data::objects::{LoadedImage, ObjectGroup};
use mochi_train::{DetectionLearner, StepPlan, compute_of, facts};
use serde::Serialize;

use super::median;
use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::numbers::whole;

/// Objects of each image as fractions of its sides.
const OBJECTS: [[f64; 4]; 3] = [[0.06, 0.12, 0.35, 0.39], [0.44, 0.23, 0.73, 0.78], [0.03, 0.59, 0.18, 0.86]];

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Backbone
    #[arg(long, default_value = "resnet18")]
    arch: String,
    /// Images per batch
    #[arg(long, default_value_t = 4, value_parser = whole::<usize>)]
    batch: usize,
    /// Height of an image
    #[arg(long, default_value_t = 256, value_parser = whole::<u32>)]
    height: u32,
    /// Width of an image
    #[arg(long, default_value_t = 341, value_parser = whole::<u32>)]
    width: u32,
    /// Regions of an image that the heads learn from
    #[arg(long, default_value_t = 64, value_parser = whole::<usize>)]
    regions: usize,
    /// Anchors of an image before NMS
    #[arg(long, default_value_t = 1000, value_parser = whole::<usize>)]
    before_nms: usize,
    /// Proposals of an image after NMS
    #[arg(long, default_value_t = 300, value_parser = whole::<usize>)]
    after_nms: usize,
    /// Feature maps and heads: c4 or fpn
    #[arg(long, default_value = "c4")]
    architecture: String,
    /// Mask R-CNN
    #[arg(long)]
    masks: bool,
    /// Time the detection of objects instead of training
    #[arg(long)]
    inference: bool,
    /// Timed steps
    #[arg(long, default_value_t = 5, value_parser = whole::<usize>)]
    steps: usize,
    /// Untimed steps before those
    #[arg(long, default_value_t = 2, value_parser = whole::<usize>)]
    warmup: usize,
    /// float32, bf16 or auto
    #[arg(long, default_value = "float32")]
    precision: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    images_per_s: f64,
    median_s: f64,
    min_s: f64,
    max_s: f64,
    arch: String,
    batch: usize,
    precision: &'static str,
    device: String,
    threads: usize,
    peak_bytes: Option<u64>,
}

/// Runs the subcommand.
pub fn run(a: Arguments) -> Outcome {
    let engine = mochi_tensor::start(None)?;
    let words = [
        format!("model.arch={}", a.arch),
        format!("model.architecture={}", a.architecture),
        format!("model.masks={}", a.masks),
        "model.anchor_sizes=[32, 64, 128, 256, 512]".to_owned(),
        format!("data.batch={}", a.batch),
        format!("regions.count={}", a.regions),
        format!("proposals.train_before_nms={}", a.before_nms),
        format!("proposals.train_after_nms={}", a.after_nms),
        format!("proposals.test_before_nms={}", a.before_nms),
        format!("proposals.test_after_nms={}", a.after_nms),
        format!("compute.precision={}", a.precision),
    ];
    let machine = facts(&engine, a.batch);
    let known = Facts {
        images: a.batch,
        classes: OBJECTS.len(),
        masks: true,
        unmasked: (0, 0),
        cores: machine.cores,
        cpu: machine.cpu,
        gpus: machine.gpus,
    };
    let (settings, _) = Settings::load(Some("small"), None, &words)?.resolve(&known)?;
    let compute = compute_of(&settings.compute, &engine)?;
    let mut learner = DetectionLearner::new(&settings, OBJECTS.len(), compute, None, |_| Ok(()))?;
    let (data, group) = synthetic(&a)?;
    let mut times = Vec::new();
    for step in 0..a.warmup + a.steps {
        let start = Instant::now();
        if a.inference {
            learner.detect(&data, &group)?;
        } else {
            let plan = StepPlan { step: step as u64, learning_rate: 0.0, warm_up: false, diagnostics: false };
            learner.step(&data, std::slice::from_ref(&group), &plan).map_err(|error| {
                Failure::new(format!("the step failed: {error:?}"), "this is a defect, please report it")
            })?;
        }
        if step >= a.warmup {
            times.push(start.elapsed().as_secs_f64());
        }
    }
    let report = Report {
        images_per_s: a.batch as f64 / median(&times),
        median_s: median(&times),
        min_s: times.iter().copied().fold(f64::INFINITY, f64::min),
        max_s: times.iter().copied().fold(0.0, f64::max),
        arch: a.arch,
        batch: a.batch,
        precision: settings.compute.precision.as_str(),
        device: settings.compute.device.to_string(),
        threads: settings.compute.threads,
        peak_bytes: mochi_system::peak_memory(),
    };
    if a.json {
        print_json(&report)?;
    } else {
        print_line(&format!("{:.3} s per step, {:.2} images/s", report.median_s, report.images_per_s))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Images of a fixed pattern with the same objects each.
fn synthetic(a: &Arguments) -> Outcome<(Annotations, ObjectGroup)> {
    let (width, height) = (f64::from(a.width), f64::from(a.height));
    let object = |(class, [x0, y0, x1, y1]): (usize, [f64; 4])| {
        let bounds @ [x0, y0, x1, y1] = [x0 * width, y0 * height, x1 * width, y1 * height];
        Object {
            id: class as u64 + 1,
            class,
            bounds,
            mask: Some(Mask::Polygons(vec![vec![x0, y0, x1, y0, x1, y1, x0, y1]])),
            area: (x1 - x0) * (y1 - y0),
            crowd: false,
            difficult: false,
        }
    };
    let image = |id: usize| AnnotatedImage {
        id: id as u64,
        name: String::new(),
        file: std::path::PathBuf::new().into(),
        width: a.width,
        height: a.height,
        exif_orientation: true,
        objects: OBJECTS.into_iter().enumerate().map(object).collect(),
    };
    let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
    let data = Annotations { classes, category_ids: vec![1, 2, 3], images: (0..a.batch).map(image).collect() };
    let loaded = |index: usize| LoadedImage {
        index: u32::try_from(index).unwrap_or(0),
        height: a.height,
        width: a.width,
        placement: Placement::IDENTITY,
    };
    let floats = a.batch * 3 * a.height as usize * a.width as usize;
    // Values from -1 to 1 without a period that convolutions would see.
    let pixels = (0..floats).map(|i| ((i.wrapping_mul(2_654_435_761) >> 7) % 2001) as f32 / 1000.0 - 1.0).collect();
    let group = ObjectGroup { pixels, height: a.height, width: a.width, images: (0..a.batch).map(loaded).collect() };
    Ok((data, group))
}
