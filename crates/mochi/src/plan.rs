//! What a time budget needs to know before training, and what it was spent on: `mochi pretrain --time`.

use std::path::Path;
use std::time::Instant;

use mochi_config::{Auto, Facts, Resolved, Settings, Speed, TimeBudget};
use mochi_data::{DataError, Dataset, sampled};
use mochi_tensor::Engine;
use mochi_term::{Progress, StopFlag};
use mochi_text::{counted, duration};
use mochi_train::{TrainError, measure_speed};

use crate::failure::{Failure, Outcome};
use crate::ranks::Ranks;

/// Adds to the facts what the automatic values of these settings need to know of images and machine: their size and its speed. All ranks measure the speed
/// together, as rank 0 plans it; only the facts of rank 0 are complete.
pub fn measure(
    settings: &Settings,
    mut facts: Facts,
    dataset: &Dataset,
    engine: &Engine,
    ranks: &Ranks,
    stop: &StopFlag,
    progress: &Progress,
) -> Outcome<Facts> {
    if ranks.is_first() && (settings.data.size == Auto::Auto || settings.data.augment == Auto::Auto) {
        let sample = sampled(dataset, &stop.flag().into());
        (facts.short_side, facts.grayscale) = (sample.short_side, sample.grayscale);
    }
    let sizes = settings.sizes_to_measure(facts.short_side);
    let begun = Instant::now();
    let (mut task, mut sizes) = (None, sizes.into_iter());
    let mut speeds: Vec<Speed> = Vec::new();
    loop {
        let mut own = None;
        let text = ranks.broadcast_text(|| {
            let known = Facts { speeds: speeds.clone(), ..facts.clone() };
            let Some(size) = sizes.next().filter(|&size| settings.worth_measuring(size, &known)) else {
                return Ok(String::new());
            };
            let (resolved, _) = settings.at_size(size).resolve(&facts)?;
            Ok(own.insert(resolved).to_toml())
        })?;
        let resolved = match own {
            Some(resolved) => resolved,
            None if text.is_empty() => break,
            None => Resolved::parse(&text, Path::new("the settings of rank 0"))?,
        };
        let all = (speeds.len() + 1 + sizes.len()) as u64;
        let task = task.get_or_insert_with(|| progress.task("measuring the speed of training", all));
        let measured = measure_speed(&resolved, dataset, engine, ranks.group(), stop);
        speeds.push(measured.map_err(stopped)?);
        task.reach(speeds.len() as u64);
    }
    let Some(task) = task else { return Ok(facts) };
    task.finish();
    let measured: Vec<String> =
        speeds.iter().map(|speed| format!("{:.0} images/s at {} px", speed.images_per_s, speed.size)).collect();
    let who = match ranks.size() {
        1 => "this machine trains".to_owned(),
        several => format!("{several} processes train"),
    };
    progress.note(&format!("{who} {} (measured in {})", measured.join(", "), duration(begun.elapsed().as_secs_f64())));
    facts.speeds = speeds;
    Ok(facts)
}

/// A stop signal before the first step, as the sentence that the program ends with.
pub fn stopped(error: TrainError) -> Failure {
    match error {
        TrainError::Data(DataError::Canceled) => Failure::stopped("stopped before the first step of training"),
        other => other.into(),
    }
}

/// What the time is spent on and why, in three lines: its length and the views; `method`; and what three times as much would change.
pub fn explain(settings: &Settings, facts: &Facts, resolved: &Resolved, method: &str, progress: &Progress) {
    let TimeBudget::Limit(limit) = resolved.time else { return };
    if facts.speeds.is_empty() {
        progress.note(&format!("training time {}, for which {} are expected", resolved.time, epochs(resolved)));
        progress.note(method);
        return;
    }
    let size = resolved.data.size;
    let views = reason(resolved, "data.size").map(|why| format!(", {why}")).unwrap_or_default();
    let why = reason(resolved, "time").map(|why| format!(" ({why})")).unwrap_or_default();
    progress.note(&format!("{} of training{why}: {} with views of {size} px{views}", resolved.time, epochs(resolved)));
    progress.note(method);
    let Some(longer) = at_time(settings, facts, 3.0 * limit.as_secs_f64()) else { return };
    let would = match longer.model.arch == resolved.model.arch {
        // The speeds are those of the backbone that was measured.
        false => format!("train {}, whose speed was not measured", longer.model.arch),
        true => {
            let mut changes = vec![epochs(&longer)];
            if longer.data.size != size {
                changes.push(format!("views of {} px", longer.data.size));
            }
            format!("allow {}", changes.join(", "))
        }
    };
    progress.note(&format!("3x the time ({}) would {would}", longer.time));
}

/// Why an automatic value is what it is; `None` for a value that was given.
pub fn reason(resolved: &Resolved, key: &str) -> Option<String> {
    let line = resolved.describe().into_iter().find(|line| line.key == key)?;
    Some(line.origin.to_string().strip_prefix("auto: ")?.to_owned())
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
