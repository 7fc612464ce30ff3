//! What the outputs of a row's commands say: a figure, or what is wrong.

use std::path::Path;

use serde_json::Value;

use super::card::Card;
use crate::command::bytes;

/// Bound of the relative difference between float32 on a GPU and on the CPU. Two memory layouts of the CPU, which round in another order, differ by at
/// most 3e-5 over four seeds; a network that does not learn differs by 1e-3 to 7e-3. The learning rate of these runs is small, because activations
/// that rounding moves across a ReLU's corner change its gradient, and would dominate otherwise.
const FLOAT32_BOUND: f64 = 1e-4;
/// The same for bf16, whose values have 8 significant bits; the CPU's bf16 differs by at most 4e-3 over four seeds.
const BF16_BOUND: f64 = 2e-2;
/// Steps that are compared: the second and third contain the gradients of those before.
const STEPS: usize = 3;
/// What is compared of each step: the loss, and three measures of the embeddings.
const MEASURES: [&str; 4] = ["loss", "alignment", "uniformity", "positive_similarity"];

/// `nvidia-smi`: the cards.
pub(super) fn cards(outputs: &[String]) -> Result<String, String> {
    let cards = Card::read(&outputs[0]);
    let described: Vec<String> = cards.iter().map(Card::describe).collect();
    if described.is_empty() { Err("nvidia-smi describes no card".to_owned()) } else { Ok(described.join("; ")) }
}

/// `mochi doctor --json`: libtorch's build, the devices it uses, precision and memory.
pub(super) fn doctor(outputs: &[String]) -> Result<String, String> {
    let checks = checks(&outputs[0])?;
    let named = |name: &str| -> Vec<String> {
        let values = checks.iter().filter(|check| check["name"] == name);
        values.filter_map(|check| check["value"].as_str()).map(str::to_owned).collect()
    };
    // The folder is of no use to a reader elsewhere.
    if let Some(broken) = checks.iter().find(|check| check["name"] == "libtorch" && check["ok"] != true) {
        return Err(format!("libtorch: {}", broken["value"].as_str().unwrap_or_default()));
    }
    let libtorch = named("libtorch").join("");
    let libtorch = libtorch.split(" in ").next().unwrap_or_default();
    let cuda = named("CUDA").join("; ");
    match cuda.strip_prefix("not used: ") {
        Some(reason) => Err(format!("CUDA is not used: {reason}")),
        None if cuda.is_empty() => Err("mochi doctor names no CUDA device".to_owned()),
        None => Ok(format!("libtorch {libtorch}; {cuda}; {}", named("default").join(""))),
    }
}

/// `mochi doctor --json`: the first sum on the device.
pub(super) fn first_sum(outputs: &[String]) -> Result<String, String> {
    let checks = checks(&outputs[0])?;
    let first = checks.iter().find(|check| check["name"] == "first sum");
    let first = first.ok_or("CUDA is not used")?;
    let value = first["value"].as_str().unwrap_or_default().to_owned();
    if first["ok"] == true { Ok(value) } else { Err(value) }
}

fn checks(output: &str) -> Result<Vec<Value>, String> {
    serde_json::from_str(output).map_err(|error| format!("the output of mochi doctor is not JSON: {error}"))
}

/// The tests of NCCL: what they checked. A test that was skipped checked nothing.
pub(super) fn nccl(outputs: &[String]) -> Result<String, String> {
    let with = |start: &str| outputs[0].lines().filter_map(|line| line.strip_prefix(start)).collect::<Vec<_>>();
    match (with("skipped: ").first(), with("checked: ")) {
        (Some(skipped), _) => Err(format!("not tested: {skipped}")),
        (None, checked) if checked.is_empty() => Err("the tests checked nothing".to_owned()),
        (None, checked) => Ok(checked.join("; ")),
    }
}

/// `mochi bench ranks --json` with two processes.
pub(super) fn ranks(outputs: &[String]) -> Result<String, String> {
    let report = last_object(&outputs[0])?;
    let measured = &report["results"][0];
    on_gpu(measured)?;
    let ms = |key: &str| number(measured, key).map(|seconds| format!("{:.1} ms", seconds * 1e3));
    let (alone, together, reduce) = (ms("alone_s")?, ms("step_s")?, ms("all_reduce_s")?);
    Ok(format!("step alone {alone}, together {together}; all-reduce of the gradients alone {reduce}"))
}

/// Runs on the CPU and in float32 on the GPU agree.
pub(super) fn float32(cpu: &Path, gpu: &Path) -> Result<String, String> {
    within(difference(&steps(cpu)?, &steps(gpu)?), FLOAT32_BOUND)
}

/// A run in TF32 differs from the CPU by more than one in float32 does.
pub(super) fn tf32(cpu: &Path, float32: &Path, tf32: &Path) -> Result<String, String> {
    let cpu = steps(cpu)?;
    let (plain, coarse) = (difference(&cpu, &steps(float32)?), difference(&cpu, &steps(tf32)?));
    if coarse > plain {
        Ok(format!("differs from the CPU by {coarse:.1e}, float32 by {plain:.1e}"))
    } else {
        Err(format!("tf32 differs from the CPU by {coarse:.1e}, no more than float32 ({plain:.1e})"))
    }
}

/// A run in bf16 is near the CPU's in float32.
pub(super) fn bf16(cpu: &Path, bf16: &Path) -> Result<String, String> {
    within(difference(&steps(cpu)?, &steps(bf16)?), BF16_BOUND)
}

fn within(difference: f64, bound: f64) -> Result<String, String> {
    let text = format!("largest relative difference {difference:.1e} (bound {bound:.0e})");
    if difference <= bound { Ok(text) } else { Err(text) }
}

/// The measures of the first steps of a run.
fn steps(run: &Path) -> Result<Vec<[f64; MEASURES.len()]>, String> {
    let file = run.join("metrics.jsonl");
    let name = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(&file).map_err(|error| format!("the run {name} has no metrics: {error}"))?;
    let mut steps = Vec::new();
    for line in text.lines().take(STEPS) {
        let line: Value = serde_json::from_str(line).map_err(|error| format!("metrics of the run {name}: {error}"))?;
        let mut step = [0.0; MEASURES.len()];
        for (value, key) in step.iter_mut().zip(MEASURES) {
            *value = number(&line, key).map_err(|problem| format!("the run {name}: {problem}"))?;
        }
        steps.push(step);
    }
    if steps.len() < STEPS {
        return Err(format!("the run {name} has {} of {STEPS} steps", steps.len()));
    }
    Ok(steps)
}

/// Largest |a - b| / |a|.
fn difference(a: &[[f64; MEASURES.len()]], b: &[[f64; MEASURES.len()]]) -> f64 {
    let pairs = a.as_flattened().iter().zip(b.as_flattened());
    pairs.map(|(a, b)| (a - b).abs() / a.abs()).fold(0.0, f64::max)
}

/// `mochi pretrain --json` and `mochi eval knn --json`: the encoder tells classes apart better than chance.
pub(super) fn training(outputs: &[String]) -> Result<String, String> {
    let (run, knn) = (last_object(&outputs[0])?, last_object(&outputs[1])?);
    on_gpu(&knn)?;
    let (steps, seconds) = (number(&run, "steps")?, number(&run, "elapsed_s")?);
    let (top1, chance) = (number(&knn, "top1")?, 100.0 / number(&knn, "classes")?);
    let low = knn["top1_interval"][0].as_f64().ok_or("the output has no top1_interval")?;
    let text = format!("{steps} steps in {seconds:.0} s, k-NN {top1:.1} % (chance {chance:.0} %)");
    if low > chance { Ok(text) } else { Err(text) }
}

/// `mochi bench step --json` or the script of PyTorch: images per second, time of a step, most memory.
pub(super) fn step(outputs: &[String]) -> Result<String, String> {
    let line = last_object(&outputs[0])?;
    on_gpu(&line)?;
    let seconds = number(&line, "moco_s").or_else(|_| number(&line, "median_s"))?;
    let (rate, peak) = speed(&outputs[0]).ok_or("the output has no images_per_s")?;
    Ok(format!("{rate} images/s, {:.1} ms per step, at most {peak}", seconds * 1e3))
}

/// As [`step`], with the time of the first step, which compiles.
pub(super) fn compiled_step(outputs: &[String]) -> Result<String, String> {
    let first = number(&last_object(&outputs[0])?, "first_s")?;
    Ok(format!("{}; compiled in {first:.0} s", step(outputs)?))
}

/// Images per second and most memory of a timed step, as text.
pub(super) fn speed(output: &str) -> Option<(String, String)> {
    let line = last_object(output).ok()?;
    let rate = line["images_per_s"].as_f64().filter(|rate| *rate > 0.0)?;
    Some((format!("{rate:.0}"), line["peak_bytes"].as_u64().map_or_else(|| "unknown memory".to_owned(), bytes)))
}

fn on_gpu(line: &Value) -> Result<(), String> {
    match line["device"].as_str() {
        Some(device) if device.starts_with("cuda") => Ok(()),
        Some(device) => Err(format!("it ran on {device}")),
        None => Err("the output does not name the device".to_owned()),
    }
}

fn number(line: &Value, key: &str) -> Result<f64, String> {
    line[key].as_f64().filter(|value| value.is_finite()).ok_or_else(|| format!("the output has no {key}"))
}

/// The last line that is a JSON object.
fn last_object(output: &str) -> Result<Value, String> {
    let objects = output.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    objects.into_iter().find(Value::is_object).ok_or_else(|| "the output has no JSON".to_owned())
}

#[cfg(test)]
#[path = "assess_tests.rs"]
mod tests;
