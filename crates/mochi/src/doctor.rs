//! `mochi doctor`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use mochi_config::resolve::rules;
use mochi_config::{DeviceFacts, Facts};
use mochi_tensor::{Device, Kind, Tensor, TensorError};
use mochi_text::counted;
use mochi_train::facts;
use serde::Serialize;

use crate::failure::{Outcome, print_json, print_line};

/// Arguments of `mochi doctor`.
#[derive(Args)]
pub struct Arguments {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// One line of the report.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    value: String,
    /// Whether training is possible with this.
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Check {
    fn ok(name: &'static str, value: String) -> Self {
        Self { name, value, ok: true, hint: None }
    }
}

/// Checks the installation. Exit status 1 if something must be fixed before training.
pub fn run(arguments: Arguments) -> Outcome {
    let checks = all();
    if arguments.json {
        print_json(&checks)?;
    } else {
        for check in &checks {
            let mark = if check.ok { "ok  " } else { "fail" };
            print_line(&format!("{mark}  {:10}  {}", check.name, check.value))?;
            if let Some(hint) = &check.hint {
                print_line(&format!("      {:10}  hint: {hint}", ""))?;
            }
        }
    }
    Ok(if checks.iter().all(|check| check.ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn all() -> Vec<Check> {
    let (version, arch, os) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, std::env::consts::OS);
    let mut checks = vec![Check::ok("mochi", format!("{version} ({arch} {os})"))];
    let begun = Instant::now();
    match mochi_tensor::start(None) {
        Err(error) => {
            checks.push(Check { name: "libtorch", value: error.to_string(), ok: false, hint: error.hint() });
        }
        Ok(engine) => {
            checks.push(Check::ok("libtorch", format!("{} in {}", engine.version, engine.folder.display())));
            // Before the facts, which create the context of the device as well.
            let first = (engine.cuda_devices > 0).then(|| first_tensor(Device::Cuda(0), begun));
            checks.extend(devices(&facts(&engine, 0), engine.no_cuda.as_deref()));
            checks.extend(first);
        }
    }
    let jpeg = if mochi_views::decode::simd_in_jpeg() {
        Check::ok("JPEG", "libjpeg-turbo with SIMD".to_owned())
    } else {
        let hint = "install nasm (apt-get install nasm), run `cargo xtask setup`, build again";
        Check { hint: Some(hint.to_owned()), ..Check::ok("JPEG", "libjpeg-turbo without SIMD (slower)".to_owned()) }
    };
    checks.push(jpeg);
    checks.push(disk(&std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."))));
    checks
}

/// The devices, and what a run with `compute.device` and `compute.precision` left at `"auto"` uses.
fn devices(facts: &Facts, no_cuda: Option<&str>) -> Vec<Check> {
    let memory = |device: DeviceFacts| match device.memory_bytes {
        0 => "memory unknown".to_owned(),
        known => format!("{} of memory", bytes(known)),
    };
    let mut checks = vec![Check::ok("CPU", format!("{}, {}", counted(facts.cores, "core"), memory(facts.cpu)))];
    match no_cuda {
        Some(reason) => checks.push(Check::ok("CUDA", format!("not used: {reason}"))),
        None => checks.extend(
            facts
                .gpus
                .iter()
                .enumerate()
                .map(|(index, &gpu)| Check::ok("CUDA", format!("cuda:{index}, {}", memory(gpu)))),
        ),
    }
    let (device, _) = rules::device(!facts.gpus.is_empty());
    let (precision, reason) = rules::precision(device, facts.device(device).unwrap_or_default().fast_bf16);
    checks.push(Check::ok("default", format!("a run uses {device} in {precision} ({reason})")));
    checks
}

/// Whether the device computes, and how long after `begun` it did so for the first time: with CUDA its libraries are loaded and a context is created.
fn first_tensor(device: Device, begun: Instant) -> Check {
    let sum = || -> Result<f64, TensorError> {
        let ones = Tensor::f_ones([1024], (Kind::Float, device))?;
        Ok(f64::try_from(&ones.f_sum(Kind::Float)?)?)
    };
    let hint = "update the NVIDIA driver, or set compute.device=cpu";
    let fail = |value| Check { name: "first sum", value, ok: false, hint: Some(hint.to_owned()) };
    match sum() {
        Ok(1024.0) => Check::ok(
            "first sum",
            format!("computed on {} {:.2} s after the start", name(device), begun.elapsed().as_secs_f64()),
        ),
        Ok(wrong) => fail(format!("{} computes {wrong} as the sum of 1024 ones", name(device))),
        Err(error) => fail(format!("{} does not compute: {error}", name(device))),
    }
}

fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}

/// Free space where runs are written: a ResNet-50 checkpoint takes about 350 MB.
fn disk(folder: &Path) -> Check {
    const WANTED: u64 = 2 << 30;
    match free_bytes(folder) {
        Some(free) if free < WANTED => Check {
            name: "disk",
            value: format!("{} free in {}", bytes(free), folder.display()),
            ok: false,
            hint: Some("free some space, or write runs elsewhere with --out".to_owned()),
        },
        Some(free) => {
            Check { name: "disk", value: format!("{} free in {}", bytes(free), folder.display()), ok: true, hint: None }
        }
        None => Check { name: "disk", value: "free space unknown".to_owned(), ok: true, hint: None },
    }
}

/// Space that this user may still write.
fn free_bytes(folder: &Path) -> Option<u64> {
    let system = rustix::fs::statvfs(folder).ok()?;
    system.f_bavail.checked_mul(system.f_frsize)
}

fn bytes(n: u64) -> String {
    format!("{:.1} GiB", n as f64 / f64::from(1u32 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_does_not_compute_fails() {
        let check = first_tensor(Device::Cpu, Instant::now());
        assert!(check.ok && check.value.starts_with("computed on cpu 0."), "{}", check.value);
        let check = first_tensor(Device::Cuda(63), Instant::now());
        assert!(!check.ok && check.value.starts_with("cuda:63 does not compute: "), "{}", check.value);
        assert!(check.hint.is_some_and(|hint| hint.contains("driver")));
    }

    /// H6.3: the precision is that of the device that a run uses.
    #[test]
    fn h6_3_the_precision_is_that_of_the_device_that_is_used() {
        let cpu = DeviceFacts { memory_bytes: 8 << 30, fast_bf16: false };
        let gpu = DeviceFacts { memory_bytes: 80 << 30, fast_bf16: true };
        let default = |gpus: Vec<DeviceFacts>| {
            let facts = Facts { cores: 4, cpu, gpus, ..Facts::default() };
            devices(&facts, None).pop().map(|check| check.value)
        };
        assert_eq!(default(vec![gpu]).as_deref(), Some("a run uses cuda in bf16 (cuda is fast at bf16)"));
        assert_eq!(default(vec![]).as_deref(), Some("a run uses cpu in float32 (cpu has no fast bf16)"));
    }
}
