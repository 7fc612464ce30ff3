//! `[compute]`, which every task has: automatic values and checks.

use super::pick::Choices;
use super::rules;
use crate::choice::Precision;
use crate::device::Device;
use crate::error::Problem;
use crate::facts::{DeviceFacts, Machine};
use crate::sections::{Compute, ComputeSettings};
use crate::warning::Warning;

/// The rule of an automatic precision: from the device and whether its bf16 is fast.
pub(crate) type PrecisionRule = fn(Device, bool) -> (Precision, String);

/// The resolved section, and properties of its device. A device that does not exist has unknown properties; [`problem`] reports it.
pub(crate) fn resolve(
    written: ComputeSettings,
    machine: &Machine<'_>,
    precision_rule: PrecisionRule,
    pick: &mut Choices,
) -> (Compute, DeviceFacts) {
    let device = pick.pick("compute.device", written.device, || rules::device(!machine.gpus.is_empty()));
    let on = machine.device(device).unwrap_or_default();
    let precision = pick.pick("compute.precision", written.precision, || precision_rule(device, on.fast_bf16));
    let layout = pick.pick("compute.layout", written.layout, || rules::layout(device, precision));
    let threads = pick.pick("compute.threads", written.threads, || rules::threads(machine.cores));
    (Compute { device, precision, layout, threads }, on)
}

/// A device that the machine does not have.
pub(crate) fn problem(device: Device, machine: &Machine<'_>) -> Option<Problem> {
    if machine.device(device).is_some() {
        return None;
    }
    let (message, hint) = match machine.gpus.len() {
        0 => (
            format!("`compute.device` is \"{device}\" but no CUDA device is usable"),
            "run `mochi doctor` to see why, or set compute.device=cpu".to_owned(),
        ),
        1 => (
            format!("`compute.device` is \"{device}\" but this machine has one usable CUDA device, \"cuda\""),
            "set compute.device=cuda, or auto".to_owned(),
        ),
        gpus => (
            format!("`compute.device` is \"{device}\" but this machine has {gpus} usable CUDA devices"),
            format!("set compute.device to one of cuda:0 to cuda:{}, or auto", gpus - 1),
        ),
    };
    Some(Problem::Conflict { message, hint })
}

/// Precisions that do not make the device faster.
pub(crate) fn warnings(compute: &Compute, device: DeviceFacts, warnings: &mut Vec<Warning>) {
    if compute.precision == Precision::Bf16 && !device.fast_bf16 {
        warnings.push(Warning::SlowBf16 { device: compute.device });
    }
    if compute.precision == Precision::Tf32 && !compute.device.is_cuda() {
        warnings.push(Warning::Tf32OnCpu);
    }
}
