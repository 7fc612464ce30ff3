//! What is known before the first cell: that the settings fit the data and the machine, that the labeled images can be used, and how long the cells
//! will take.

use std::collections::BTreeMap;
use std::path::Path;

use mochi_ablate::forecast::Timed;
use mochi_ablate::{Cells, DetectionPlan, Forecast, Plan, State, StudyFolder, Training, Whole};
use mochi_config::detection::Settings;
use mochi_config::{Auto, Facts, Resolved, Speed, TimeBudget};
use mochi_data::Split;
use mochi_data::dataset::{path_from_text, path_to_text};
use mochi_eval::{EvalError, FewShotOptions, check_labels, check_splits};
use mochi_run::Method;
use mochi_term::{Progress, StopFlag};
use mochi_train::{facts, measure_speed};

use crate::detect::readable;
use crate::discovery::{Discovery, begin};
use crate::failure::{Failure, Outcome};
use crate::ranks::Ranks;
use crate::{init, plan};

const INIT_HINT: &str = "the path of `model.init` starts at the folder of the plan";

/// Opens the data, resolves the settings of every cell and measures the speed of what is still to be trained.
pub fn forecast(
    plan: &Plan,
    study: &StudyFolder,
    cells: &Cells,
    states: &[State],
    stop: &StopFlag,
    progress: &Progress,
) -> Outcome<Forecast> {
    let Some(first) = cells.cells.first() else { return Ok(Forecast::default()) };
    let also = first.settings.data.also.iter().map(|text| path_from_text(text));
    let sources: Vec<_> = std::iter::once(plan.images.clone()).chain(also).collect();
    let images = begin(sources, Split::Train, stop.flag().into());
    let [train, test] = [(&plan.labeled[0], Split::Train), (&plan.labeled[1], Split::Test)]
        .map(|(path, split)| begin(vec![path.clone()], split, stop.flag().into()));
    let engine = mochi_tensor::start(None)?;
    let [of_images, of_train, of_test] = &plan.places;
    let waited = |discovery: Discovery, place| discovery.wait_at(Some(place), progress);
    let (images, train, test) = (waited(images, of_images)?, waited(train, of_train)?, waited(test, of_test)?);
    let labeled = |error: EvalError| Failure::from(error).within(of_train);
    check_splits(&train, &test).map_err(labeled)?;
    let labels = train.labels().unwrap_or_default();
    for protocol in &plan.evaluate {
        match protocol.method() {
            Method::Linear(fraction) | Method::FineTune(fraction) => check_labels(labels, fraction),
            Method::FewShot => FewShotOptions::default().check_labels(labels),
            Method::Knn | Method::Detection(_) => Ok(()),
        }
        .map_err(labeled)?;
    }
    if let Some(detection) =
        plan.detection.as_ref().filter(|_| plan.evaluate.iter().any(|p| p.detection_metric().is_some()))
    {
        check_objects(detection, progress)?;
    }
    let known = Facts { labels: images.labels().is_some(), ..facts(&engine, images.len()) };
    let known = plan::measure(&first.settings, known, &images, &engine, &Ranks::default(), stop, progress)?;

    let mut told = Vec::new();
    let mut resolved = Vec::new();
    for cell in &cells.cells {
        let variant = || cells.variants[cell.variant].name();
        let start = cell.init(plan).map(|init| init::network(&path_to_text(&init))).transpose();
        let start = start.map_err(|failure| failure.at(&format!("{}: model.init: ", variant()), INIT_HINT))?.flatten();
        let mut settings = cell.settings.clone();
        start.iter().for_each(|start| settings.take_size_of(start));
        let known = Facts { start, ..known.clone() };
        let (settings, warnings) = settings.resolve(&known).map_err(|source| {
            let (plan, variant) = (plan.path.clone(), cells.variants[cell.variant].name());
            Failure::from(mochi_ablate::AblateError::Settings { plan, variant, source })
        })?;
        for warning in warnings.iter().map(ToString::to_string) {
            if !told.contains(&warning) {
                progress.warning(&format!("{}: {warning}", cells.variants[cell.variant].name()));
                told.push(warning);
            }
        }
        resolved.push(settings);
    }

    warn_of_sizes(cells, &resolved, progress);

    let mut left = Vec::new();
    for (cell, settings) in cells.cells.iter().zip(&resolved) {
        let whole = match settings.time {
            TimeBudget::Limit(time) => Whole::Seconds(time.as_secs_f64()),
            _ => Whole::Steps(settings.total_steps(images.len())),
        };
        left.push(Training::left(study.training(cell)?, whole));
    }
    let took = |state: &State| match state {
        State::Finished(finished) => finished.seconds,
        _ => None,
    };
    // Variants with a finished cell have their own time.
    let timed =
        |variant| cells.cells.iter().zip(states).any(|(cell, state)| cell.variant == variant && took(state).is_some());
    let mut speeds: BTreeMap<String, Speed> = BTreeMap::new();
    let to_measure: Vec<&Resolved> = cells
        .cells
        .iter()
        .zip(&resolved)
        .zip(&left)
        .filter(|((cell, settings), left)| {
            settings.time == TimeBudget::None && settings.epochs > 0.0 && **left > 0.0 && !timed(cell.variant)
        })
        .map(|((_, settings), _)| settings)
        .collect();
    let mut task =
        (!to_measure.is_empty()).then(|| progress.task("measuring the speed of training", to_measure.len() as u64));
    for (done, settings) in to_measure.into_iter().enumerate() {
        if let std::collections::btree_map::Entry::Vacant(place) = speeds.entry(shape(settings)) {
            // A variant that does not fit the memory fails alone, when its cell is trained.
            match measure_speed(settings, &images, &engine, None, stop).map_err(plan::stopped) {
                Ok(speed) => drop(place.insert(speed)),
                Err(failure) if failure.is_stopped() => return Err(failure),
                Err(failure) => progress.warning(&format!(
                    "the speed of training on views of {} px could not be measured: {}",
                    settings.data.size,
                    failure.what()
                )),
            }
        }
        if let Some(task) = &mut task {
            task.reach(done as u64 + 1);
        }
    }
    if let Some(task) = task {
        task.finish();
    }
    let expected = |settings: &Resolved| match settings.time {
        TimeBudget::Limit(time) => time.as_secs_f64(),
        _ => {
            let seen = settings.total_steps(images.len()) as f64 * settings.moco.batch as f64;
            speeds.get(&shape(settings)).map_or(0.0, |speed| speed.seconds_for(seen, images.len()))
        }
    };
    let timed = cells.cells.iter().zip(&resolved).zip(states).zip(left).map(|(((cell, settings), state), left)| {
        Timed { variant: cell.variant, expected_s: expected(settings), left, took_s: took(state) }
    });
    Ok(Forecast::new(timed.collect()))
}

/// Checks that the images of the detectors can be read: the training split, and one for the evaluation; and that there are masks if a protocol needs them.
fn check_objects(detection: &DetectionPlan, progress: &Progress) -> Outcome<()> {
    let path = Path::new("[detection]");
    let settings = Settings::load_text(path, detection.settings.clone())?;
    let found = readable(&detection.images, &settings, progress).map_err(|failure| {
        let hint = "paths in [detection] start at the folder of the plan; `mochi check DIR --format voc|coco|yolo` lists problems";
        failure.at(&format!("{}: ", detection.place), hint)
    })?;
    let Some(protocol) = detection.masks_for else { return Ok(()) };
    let mut learned = found.annotations.images.iter().flat_map(|image| &image.objects).filter(|object| !object.crowd);
    if learned.any(|object| object.mask.is_some()) {
        return Ok(());
    }
    let name = protocol.name();
    let what = format!("\"{name}\" needs masks, and the objects of split {} have none", found.split);
    let hint = format!("name images with masks, or remove \"{name}\" from `evaluate`");
    Err(Failure::new(what, hint).within(&detection.place))
}

/// Warns if variants differ in a view size that none of them names: their accuracies differ by it as well.
fn warn_of_sizes(cells: &Cells, resolved: &[Resolved], progress: &Progress) {
    let automatic = cells.cells.iter().any(|cell| cell.settings.data.size == Auto::Auto);
    let all = || cells.cells.iter().zip(resolved).map(|(cell, settings)| (cell.variant, settings.data.size));
    let Some((first, size)) = all().next() else { return };
    let other = all().find(|&(_, of_other)| of_other != size);
    if let (true, Some((variant, of_other))) = (automatic, other) {
        let [first, variant] = [first, variant].map(|variant| cells.variants[variant].name());
        progress.warning(&format!(
            "{first} has views of {size} px and {variant} of {of_other}, which their results depend on"
        ));
        progress.hint("set data.size in [base] to compare them at one size");
    }
}

/// The settings that decide the speed of a step.
fn shape(settings: &Resolved) -> String {
    let decides = |key: &str| {
        key.starts_with("model.")
            || key.starts_with("compute.")
            || ["data.size", "data.views", "data.augment", "data.cache", "moco.batch", "moco.encoder", "moco.symmetric"]
                .contains(&key)
    };
    let lines = settings.describe().into_iter().filter(|line| decides(line.key));
    lines.map(|line| format!("{}={}", line.key, line.value)).collect::<Vec<_>>().join(" ")
}
