//! `mochi detect eval RUN --data DIR [--format FORMAT] [--split SPLIT] [--max-bad-fraction FRACTION] [--json]`

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use mochi_annotations::{Annotations, Format, ImageFile, Purpose, ReadOptions, read};
use mochi_config::detection::Resolved;
use mochi_data::DataError;
use mochi_data::dataset::path_from_text;
use mochi_detection_metrics::{
    Analysis, AnalysisOptions, CocoIntervals, CocoNumbers, Detection, Geometry, VocRule, analyze, bootstrap_coco,
    evaluate_coco, evaluate_voc, write_results,
};
use mochi_report::PredictionsPage;
use mochi_run::RunFolder;
use mochi_tensor::{Engine, set_threads};
use mochi_term::StopFlag;
use mochi_text::{aligned, counted, part_of};
use mochi_train::{TrainError, detect_all, load_detector};
use serde_json::{Map, Value, json};

use super::data::{check_missing, format, read_split};
use super::sheet;
use crate::drive::listen;
use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::ranks::{self, Ranks, in_group};

/// Detections from this score on count as taken for a class in the confusion of classes.
const CONFUSED_FROM: f32 = 0.5;
/// Mistakes of each kind that a result lists.
const MISTAKES: usize = 20;
/// The page of images with their true objects and what was found, in the run folder.
const PICTURES: &str = "detections.html";

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Run folder of a detector
    run: PathBuf,
    /// Folder or tar files of images with objects, in the format of PASCAL VOC, COCO or YOLO
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Format of the folder: voc, coco or yolo [default: found from its files]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Split to evaluate [default: test or val]
    #[arg(long, value_name = "SPLIT")]
    split: Option<String>,
    /// Also write the detections, in COCO's results format
    #[arg(long, value_name = "FILE")]
    detections: Option<PathBuf>,
    /// Fail if a larger fraction of the images is missing or cannot be read [default: data.max_bad_fraction of the run]
    #[arg(long, value_name = "FRACTION")]
    max_bad_fraction: Option<f64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    let launched = ranks::launched()?;
    let stop = listen()?;
    let engine = mochi_tensor::start(None)?;
    in_group(launched.as_ref(), &engine, &stop, |ranks| evaluate(&arguments, ranks, &engine, &stop))
}

fn evaluate(arguments: &Arguments, ranks: &Ranks, engine: &Engine, stop: &StopFlag) -> Outcome {
    if let Some(fraction) = arguments.max_bad_fraction.filter(|fraction| !(0.0..=1.0).contains(fraction)) {
        let what = format!("invalid --max-bad-fraction: expected 0 to 1, got {fraction}");
        return Err(Failure::new(what, "for example --max-bad-fraction 0.05 tolerates 5 % bad images"));
    }
    let progress = ranks.progress();
    let group = ranks.group().map(Arc::as_ref);
    let folder = RunFolder::read(&arguments.run)?;
    if ranks.is_first() {
        check_writable(&folder, arguments.detections.as_deref())?;
    }
    let mut loaded = load_detector(&arguments.run, engine, group)?;
    let limit = &mut loaded.settings.data.max_bad_fraction;
    *limit = arguments.max_bad_fraction.unwrap_or(*limit);
    let split = read_split(
        &arguments.data,
        arguments.format,
        arguments.split.as_deref().unwrap_or_default(),
        Purpose::Evaluation,
        Some(&loaded.classes),
        &progress,
    )?;
    check_missing(&split, loaded.settings.data.max_bad_fraction).map_err(unreadable)?;
    let data = Arc::new(split.annotations);
    let seen = if ranks.is_first() { trained_on(&loaded.settings, &loaded.classes, arguments, &data) } else { 0 };
    if seen > 0 {
        let verbs = ["is a training image of the detector", "are training images of the detector"];
        let seen = part_of(seen, data.images.len(), "image", verbs);
        progress.warning(&format!("{seen}: average precision is too high"));
    }
    if ranks.size() > 1 {
        let images = counted(data.images.len(), "image");
        ranks.agree("data", &format!("{images} (fingerprint {:016x}), step {}", data.fingerprint(), loaded.step))?;
        // Processes of one machine share its cores.
        loaded.settings.data.threads = (engine.threads / ranks.local()).max(1);
        set_threads(loaded.settings.data.threads);
    }
    let mut task = progress.task("finding objects", data.images.len() as u64);
    let found = detect_all(&loaded.detector, &loaded.settings, &data, group, stop, &mut |done| task.reach(done));
    let found = found.map_err(|error| match error {
        TrainError::Data(error) => unreadable(error),
        error => error.into(),
    })?;
    task.finish();
    if !ranks.is_first() {
        return Ok(ExitCode::SUCCESS);
    }
    for bad in &found.bad {
        progress.warning(&format!("bad image left out: {}: {} ({})", bad.name, bad.reason, bad.detail));
    }
    let boxes = evaluate_coco(&data, &found.detections, Geometry::Box)?;
    let numbers = |numbers, geometry| {
        let intervals = bootstrap_coco(&data, &found.detections, geometry)?;
        Ok::<_, Failure>(twelve(numbers, &intervals))
    };
    let mut result = numbers(&boxes.numbers, Geometry::Box)?;
    let masks = loaded.settings.model.masks;
    if masks {
        let evaluated = evaluate_coco(&data, &found.detections, Geometry::Mask)?;
        result.insert("masks".to_owned(), Value::Object(numbers(&evaluated.numbers, Geometry::Mask)?));
    }
    if split.format == Format::Voc {
        // As published: eleven points for VOC 2007, the area for later years.
        let of_2007 = data.images.iter().any(|image| image.file.name().to_string_lossy().contains("VOC2007"));
        let rule = if of_2007 { VocRule::ElevenPoints } else { VocRule::Area };
        let voc = evaluate_voc(&data, &found.detections, rule)?;
        result.insert(
            "voc".to_owned(),
            json!({"rule": voc_rule(rule), "AP": voc.ap, "AP50": voc.ap50, "AP75": voc.ap75}),
        );
    }
    let options = AnalysisOptions { minimum_score: CONFUSED_FROM, mistakes: MISTAKES };
    let analysis = analyze(&data, &found.detections, Geometry::Box, options)?;
    result.extend(errors(&data, &found.detections, &analysis));
    if let Some(curves) = &boxes.curves {
        let curves = json!({"iou50": curves.iou50.precision, "iou75": curves.iou75.precision});
        result.insert("precision_at_recall".to_owned(), curves);
    }
    let classes = boxes.classes.iter().map(|class| json!({"name": class.name, "AP": class.ap, "AP50": class.ap50}));
    result.insert("classes".to_owned(), Value::Array(classes.collect()));
    result.extend(
        json!({
            "protocol": "detection/1",
            "split": split.split,
            "test": std::path::absolute(&arguments.data).unwrap_or_else(|_| arguments.data.clone()),
            "images": data.images.len() - found.bad.len(),
            "bad_images": found.bad.len(),
            "step": loaded.step,
            "groups": loaded.settings.data.groups,
        })
        .as_object()
        .cloned()
        .unwrap_or_default(),
    );
    // First: where it cannot be written, for example on a full disk, it is known nevertheless.
    let summary = format!(
        "{} of step {} on {} (split {}, COCO's metric in percent, 95 % intervals over images):",
        counted(found.detections.len(), "detection"),
        loaded.step,
        counted(data.images.len() - found.bad.len(), "image"),
        split.split
    );
    let printed = if arguments.json { print_json(&result) } else { print(&summary, &result, masks) };
    folder.write_result("detection", &result)?;
    if let Some(file) = &arguments.detections {
        write_results(file, &data, &found.detections)?;
    }
    mochi_report::write_page(&arguments.run)?;
    let text = pictures(&arguments.run, &data, &found.detections, (&analysis, loaded.step), stop)?.render();
    folder.folder().write(PICTURES, text.as_bytes())?;
    progress.note(&format!("images with truth and detections: {}", folder.path().join(PICTURES).display()));
    printed?;
    Ok(ExitCode::SUCCESS)
}

/// How many of the images the detector was trained on. Only those of the same folder can be told; splits of it may overlap, as VOC's `trainval` and `val` do.
fn trained_on(settings: &Resolved, classes: &[String], arguments: &Arguments, data: &Annotations) -> usize {
    let source = path_from_text(&settings.data.source);
    let same = |a: &Path, b: &Path| a.canonicalize().ok().is_some_and(|a| b.canonicalize().ok() == Some(a));
    if !same(&source, &arguments.data) {
        return 0;
    }
    let split = Some(settings.data.split.as_str()).filter(|split| !split.is_empty());
    let options =
        ReadOptions { format: format(settings.data.format), split, purpose: Purpose::Training, classes: Some(classes) };
    let Ok(training) = read(&source, &options) else { return 0 };
    let files: HashSet<&ImageFile> = training.annotations.images.iter().map(|image| &image.file).collect();
    // The detector learns nothing from images without an object, but they are no test images either.
    data.images.iter().filter(|image| files.contains(&image.file)).count()
}

/// Checks before the work that all of the result can be written.
fn check_writable(folder: &RunFolder, detections: Option<&Path>) -> Outcome<()> {
    folder.check_results_writable()?;
    folder.check_page_writable()?;
    folder.folder().check_writable(PICTURES)?;
    Ok(detections.map_or(Ok(()), mochi_files::check_writable)?)
}

/// An error of the images with a hint that names this program's option.
fn unreadable(error: DataError) -> Failure {
    match error {
        DataError::TooManyBad { .. } => Failure::new(
            error.to_string(),
            "repair or remove the bad files, or raise --max-bad-fraction to tolerate them",
        ),
        error => error.into(),
    }
}

/// Prints the result for people.
fn print(summary: &str, result: &Map<String, Value>, masks: bool) -> Outcome<()> {
    print_line(summary)?;
    print_line(&table(result, masks))?;
    result.get("voc").and_then(voc_line).map_or(Ok(()), |line| print_line(&line))
}

/// Kinds of errors, confusion of classes and the worst mistakes, of boxes at IoU 0.5.
fn errors(data: &Annotations, detections: &[Detection], analysis: &Analysis) -> Map<String, Value> {
    let kinds = analysis.kinds.iter().map(
        |one| json!({"kind": one.kind.name(), "meaning": one.kind.meaning(), "count": one.count, "cost": one.cost}),
    );
    let wrong = analysis.false_positives.iter().map(|one| {
        let found = &detections[one.detection];
        json!({
            "image": data.images[found.image].name,
            "class": data.classes[found.class],
            "score": found.score,
            "box": found.bounds,
            "kind": one.kind.name(),
        })
    });
    let missed = analysis.missed.iter().map(|one| {
        let image = &data.images[one.image];
        let object = &image.objects[one.object];
        json!({"image": image.name, "class": data.classes[object.class], "box": object.bounds})
    });
    let all = [
        ("errors", Value::Array(kinds.collect())),
        ("false_detections", Value::Array(wrong.collect())),
        ("missed_objects", Value::Array(missed.collect())),
        (
            "confusion",
            json!({
                "classes": analysis.confusion.classes,
                "minimum_score": analysis.confusion.minimum_score,
                "counts": analysis.confusion.counts,
            }),
        ),
    ];
    all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The page of images with their true objects and what was found.
fn pictures(
    run: &Path,
    data: &Annotations,
    detections: &[Detection],
    (analysis, step): (&Analysis, u64),
    stop: &StopFlag,
) -> Outcome<PredictionsPage> {
    let drawn = |indices: Vec<usize>| sheet::images(data, detections, (CONFUSED_FROM, true), indices.into_iter(), stop);
    let worst: Vec<usize> = sheet::worst(analysis, detections).into_iter().take(sheet::IMAGES).collect();
    let count = data.images.len().min(sheet::IMAGES);
    let spread = (0..count).map(|number| number * data.images.len() / count.max(1)).collect();
    Ok(PredictionsPage {
        name: run.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        summary: format!("detections of step {step} with a score of at least {CONFUSED_FROM}"),
        classes: data.classes.clone(),
        sections: vec![
            ("Images with the worst mistakes".to_owned(), drawn(worst)?),
            ("Images from the whole split".to_owned(), drawn(spread)?),
        ],
        note: "Solid: detections with their scores. Dashed: true objects. Hover over a box for its class.".to_owned(),
    })
}

/// COCO's numbers under their names, and `intervals` of some of them.
fn twelve(numbers: &CocoNumbers, intervals: &CocoIntervals) -> Map<String, Value> {
    let mut all: Map<String, Value> =
        numbers.named().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let intervals = intervals.named().into_iter().map(|(name, limits)| (name.to_owned(), json!(limits)));
    all.insert("intervals".to_owned(), Value::Object(intervals.collect()));
    all
}

/// How VOC's metric summarizes a curve.
fn voc_rule(rule: VocRule) -> &'static str {
    match rule {
        VocRule::ElevenPoints => "11 points",
        VocRule::Area => "area",
    }
}

/// VOC's numbers in percent.
fn voc_line(voc: &Value) -> Option<String> {
    let percent = |name: &str| Some(format!("{name} {:.2}", 100.0 * voc.get(name)?.as_f64()?));
    let rule = voc.get("rule")?.as_str()?;
    Some(format!("VOC's metric, boxes ({rule}): {}, {}, {}", percent("AP")?, percent("AP50")?, percent("AP75")?))
}

/// The numbers in percent with their intervals, masks beside boxes.
fn table(result: &Map<String, Value>, masks: bool) -> String {
    let cell = |of: &Map<String, Value>, name: &str| {
        let Some(value) = of.get(name).and_then(Value::as_f64) else { return "-".to_owned() };
        let limits = of.get("intervals").and_then(|all| all.get(name)).and_then(Value::as_array);
        let limits: Option<Vec<f64>> = limits.and_then(|limits| limits.iter().map(Value::as_f64).collect());
        match limits.as_deref() {
            Some([low, high]) => format!("{:.2} [{:.1}, {:.1}]", 100.0 * value, 100.0 * low, 100.0 * high),
            _ => format!("{:.2}", 100.0 * value),
        }
    };
    let names = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"];
    let of_masks = if masks { result.get("masks").and_then(Value::as_object) } else { None };
    let mut rows = vec![["", "boxes", if of_masks.is_some() { "masks" } else { "" }].map(str::to_owned).to_vec()];
    for name in names {
        rows.push([name.to_owned(), cell(result, name)].into_iter().chain(of_masks.map(|of| cell(of, name))).collect());
    }
    aligned(&rows).join("\n")
}
