//! What a time budget needs to know before training, and what it was spent on: `mochi pretrain --time`.

use std::time::Instant;

use mochi_config::{Auto, Facts, Resolved, Settings, Speed, TimeBudget};
use mochi_data::{DataError, Dataset, short_side};
use mochi_tensor::Engine;
use mochi_term::{Progress, StopFlag};
use mochi_text::{counted, duration};
use mochi_train::measure_speed;

use crate::failure::Outcome;

/// Adds to the facts what the automatic values of these settings need to know of images and machine: their size and its speed.
pub fn measure(
    settings: &Settings,
    mut facts: Facts,
    dataset: &Dataset,
    engine: &Engine,
    stop: &StopFlag,
    progress: &Progress,
) -> Outcome<Facts> {
    if settings.data.size == Auto::Auto {
        facts.short_side = short_side(dataset, &stop.flag().into());
    }
    let sizes = settings.sizes_to_measure(facts.short_side);
    if sizes.is_empty() {
        return Ok(facts);
    }
    let begun = Instant::now();
    let mut task = progress.task("measuring the speed of training", sizes.len() as u64);
    let mut speeds: Vec<Speed> = Vec::new();
    for size in sizes {
        if stop.requested() {
            return Err(DataError::Canceled.into());
        }
        if !settings.worth_measuring(size, &speeds) {
            break;
        }
        let (resolved, _) = settings.at_size(size).resolve(&facts)?;
        speeds.push(Speed { size, images_per_s: measure_speed(&resolved, dataset, engine)? });
        task.reach(speeds.len() as u64);
    }
    task.finish();
    let measured: Vec<String> =
        speeds.iter().map(|speed| format!("{:.0} images/s at {} px", speed.images_per_s, speed.size)).collect();
    progress.note(&format!(
        "this machine trains {} (measured in {})",
        measured.join(", "),
        duration(begun.elapsed().as_secs_f64())
    ));
    facts.speeds = speeds;
    Ok(facts)
}

/// What the time was spent on, and what three times as much would change.
pub fn explain(settings: &Settings, facts: &Facts, resolved: &Resolved, progress: &Progress) {
    let TimeBudget::Limit(limit) = resolved.time else { return };
    let seconds = limit.as_secs_f64();
    if facts.speeds.is_empty() {
        progress.note(&format!("training time {}, for which {} are expected", resolved.time, epochs(resolved)));
        return;
    }
    let of =
        |key: &str| resolved.describe().into_iter().find(|line| line.key == key).map(|line| line.origin.to_string());
    let size = resolved.data.size;
    let reason =
        of("data.size").and_then(|origin| Some(format!(", {}", origin.strip_prefix("auto: ")?))).unwrap_or_default();
    let why = of("time").and_then(|origin| Some(format!(" ({})", origin.strip_prefix("auto: ")?))).unwrap_or_default();
    progress.note(&format!("{} of training{why}: {} with views of {size} px{reason}", resolved.time, epochs(resolved)));
    let Some(longer) = at_time(settings, facts, 3.0 * seconds) else { return };
    let mut changes = vec![epochs(&longer)];
    if longer.data.size != size {
        changes.push(format!("views of {} px", longer.data.size));
    }
    if longer.negatives.synthesizes() && !resolved.negatives.synthesizes() {
        changes.push("synthetic negatives".to_owned());
    }
    progress.note(&format!("3x the time ({}) would allow {}", longer.time, changes.join(", ")));
}

fn epochs(resolved: &Resolved) -> String {
    counted(resolved.epochs, "epoch")
}

/// The settings with another time; sizes that were not measured have the speed that their area suggests.
fn at_time(settings: &Settings, facts: &Facts, seconds: f64) -> Option<Resolved> {
    let mut facts = facts.clone();
    let last = *facts.speeds.last()?;
    let settings = settings.with_time(seconds);
    let larger = settings.sizes_to_measure(facts.short_side).into_iter().filter(|&size| size > last.size);
    facts.speeds.extend(larger.map(|size| last.scaled(size)));
    Some(settings.resolve(&facts).ok()?.0)
}
