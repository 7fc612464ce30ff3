//! `mochi detect predict RUN IMAGES... --out DIR [--min-score S] [--json]`

mod inputs;
mod outputs;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use mochi_annotations::Annotations;
use mochi_data::DataError;
use mochi_detection_metrics::Detection;
use mochi_report::PredictionsPage;
use mochi_term::{Progress, StopFlag};
use mochi_text::counted;
use mochi_train::{LoadedDetector, detect_all, load_detector};
use mochi_views::decode::{DecodeOptions, Decoder, Pixels};
use serde::Serialize;

use self::outputs::{Outputs, SOFTWARE};
use super::{picture, sheet};
use crate::drive::listen;
use crate::failure::{Failure, Outcome, print_json, print_line};

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Run folder of a detector
    run: PathBuf,
    /// Images, or folders of images
    #[arg(required = true, value_name = "IMAGES")]
    images: Vec<PathBuf>,
    /// Folder for the pictures with boxes and masks, predictions.html and predictions.json; of the files there, only earlier predictions are replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Smallest score of an object, from 0 to 1
    #[arg(long, default_value_t = 0.5, value_parser = score)]
    min_score: f32,
    /// Print the predictions as one JSON array
    #[arg(long)]
    json: bool,
}

/// Images on the page, at most.
const ON_PAGE: usize = 200;

/// What was found in an image. The name of the picture comes first: it marks the file as a list of predictions.
#[derive(Serialize)]
struct Entry<'a> {
    /// `None` if the image could not be decoded.
    picture: Option<&'a str>,
    image: &'a str,
    width: u32,
    height: u32,
    objects: Vec<Object<'a>>,
}

/// An object.
#[derive(Serialize)]
struct Object<'a> {
    class: &'a str,
    score: f32,
    #[serde(rename = "box")]
    bounds: [f32; 4],
    #[serde(skip_serializing_if = "Option::is_none")]
    mask: Option<CompressedMask>,
}

/// COCO's compressed run lengths.
#[derive(Serialize)]
struct CompressedMask {
    /// Height and width.
    size: [u32; 2],
    counts: String,
}

/// A number from 0 to 1.
fn score(text: &str) -> Result<f32, String> {
    let number: f32 = text.parse().map_err(|_| "expected a number from 0 to 1".to_owned())?;
    (0.0..=1.0).contains(&number).then_some(number).ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

/// Runs the subcommand: status 1 if a file could not be read.
pub fn run(arguments: Arguments) -> Outcome {
    let stop = listen()?;
    let progress = Progress::detect();
    let found = inputs::find(&arguments.images)?;
    for (path, reason) in &found.unreadable {
        progress.warning(&format!("left out, because it cannot be read: {}: {reason}", path.display()));
    }
    let outputs = Outputs::plan(&arguments.out, &found.images)?;
    let engine = mochi_tensor::start(None)?;
    let mut loaded = load_detector(&arguments.run, &engine, None)?;
    // The limit is for datasets: here every image that can be decoded has its result.
    loaded.settings.data.max_bad_fraction = 1.0;
    let data = Arc::new(Annotations {
        classes: loaded.classes.clone(),
        category_ids: loaded.category_ids.clone(),
        images: found.images,
    });
    let mut task = progress.task("finding objects", data.images.len() as u64);
    let all = detect_all(&loaded.detector, &loaded.settings, &data, None, &stop, &mut |done| task.reach(done))?;
    task.finish();
    for bad in &all.bad {
        progress
            .warning(&format!("left out, because it cannot be read: {}: {} ({})", bad.name, bad.reason, bad.detail));
    }
    let best = all.detections.iter().map(|one| one.score).max_by(f32::total_cmp);
    let mut shown = all.detections;
    shown.retain(|one| one.score >= arguments.min_score);
    let by_image = by_image(&shown, data.images.len());
    let drawn = draw(&outputs, &data, &by_image, &stop, &progress)?;
    let names = outputs.names.iter().zip(&drawn).map(|(name, drawn)| drawn.then_some(name.as_str()));
    let entries = data.images.iter().zip(names).zip(&by_image).map(|((image, picture), objects)| Entry {
        picture,
        image: &image.name,
        width: image.width,
        height: image.height,
        objects: objects.iter().map(|one| described(one, &data.classes)).collect(),
    });
    let entries: Vec<Entry> = entries.collect();
    let page = page(&arguments, &loaded, &data, &shown, &stop)?;
    mochi_files::write_atomic(&outputs.page, page.render().as_bytes())?;
    let text = serde_json::to_string_pretty(&entries)
        .map_err(|e| Failure::new(format!("cannot write JSON: {e}"), "this is a defect, please report it"))?;
    mochi_files::write_atomic(&outputs.list, text.as_bytes())?;
    let left_out = found.unreadable.len() + all.bad.len();
    if arguments.json {
        print_json(&entries)?;
    } else {
        let images = counted(data.images.len() - all.bad.len(), "image");
        print_line(&format!("{} in {images}: {}", counted(shown.len(), "object"), arguments.out.display()))?;
    }
    if shown.is_empty() {
        progress.hint(&match best {
            Some(best) => format!(
                "the best score is {best:.3}, and --min-score is {}: a smaller one shows more",
                arguments.min_score
            ),
            None => format!(
                "no object has a score of {} or more (detections.min_score)",
                loaded.settings.detections.min_score
            ),
        });
    }
    if left_out > 0 {
        let of = counted(found.unreadable.len() + data.images.len(), "file");
        return Err(Failure::new(
            format!("{left_out} of {of} could not be read; the others have their predictions"),
            "the warnings above name them; give JPEG, PNG or WebP images",
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The detections of each image, which come image by image.
fn by_image(detections: &[Detection], images: usize) -> Vec<&[Detection]> {
    let first = |image: usize| detections.partition_point(|one| one.image < image);
    (0..images).map(|image| &detections[first(image)..first(image + 1)]).collect()
}

/// An object for the list.
fn described<'a>(one: &Detection, classes: &'a [String]) -> Object<'a> {
    let mask = one.mask.as_ref();
    Object {
        class: &classes[one.class],
        score: one.score,
        bounds: one.bounds,
        mask: mask.map(|mask| CompressedMask { size: [mask.height, mask.width], counts: mask.to_compressed() }),
    }
}

/// Writes each image with its objects. Returns which could be decoded.
fn draw(
    outputs: &Outputs,
    data: &Annotations,
    by_image: &[&[Detection]],
    stop: &StopFlag,
    progress: &Progress,
) -> Outcome<Vec<bool>> {
    let mut decoder = Decoder::new();
    let mut drawn = Vec::with_capacity(data.images.len());
    let mut task = progress.task("drawing", data.images.len() as u64);
    for ((image, path), objects) in data.images.iter().zip(outputs.pictures()).zip(by_image) {
        if stop.requested() {
            return Err(DataError::Canceled.into());
        }
        let mut pixels = Pixels::default();
        let options = DecodeOptions { exif_orientation: true, ..DecodeOptions::default() };
        // A bad image was reported before.
        let decoded = std::fs::read(&image.file.path).is_ok_and(|b| decoder.decode(&b, &options, &mut pixels).is_ok());
        if decoded {
            picture::draw(&mut pixels, objects.iter());
            picture::write(&path, &pixels, SOFTWARE)?;
        }
        drawn.push(decoded);
        task.advance(1);
    }
    task.finish();
    Ok(drawn)
}

/// The page of the first images.
fn page(
    arguments: &Arguments,
    loaded: &LoadedDetector,
    data: &Annotations,
    shown: &[Detection],
    stop: &StopFlag,
) -> Outcome<PredictionsPage> {
    let (all, first) = (data.images.len(), data.images.len().min(ON_PAGE));
    let mut images = sheet::images(data, shown, (arguments.min_score, false), 0..first, stop)?;
    for image in &mut images {
        // The list has the whole paths.
        let name = Path::new(&image.image.name).file_name().map(|name| name.to_string_lossy().into_owned());
        image.image.name = name.unwrap_or_default();
    }
    let title = match first < all {
        true => format!("The first {first} of {}", counted(all, "image")),
        false => counted(all, "image"),
    };
    Ok(PredictionsPage {
        name: "Predictions".to_owned(),
        summary: format!("{}, step {}", arguments.run.display(), loaded.step),
        classes: loaded.classes.clone(),
        sections: vec![(title, images)],
        note: "Hover over a box for its class and score. Each image has a picture of its own in this folder."
            .to_owned(),
    })
}
