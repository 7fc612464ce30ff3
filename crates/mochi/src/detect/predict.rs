//! `mochi detect predict RUN IMAGES... --out DIR [--min-score S] [--json]`

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use mochi_annotations::{AnnotatedImage, Annotations};
use mochi_detection_metrics::Detection;
use mochi_report::PredictionsPage;
use mochi_term::Progress;
use mochi_text::counted;
use mochi_train::{detect_all, load_detector};
use mochi_views::decode::{DecodeOptions, Decoder, Pixels, read_header};
use serde_json::{Value, json};

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
    /// Folder for the pictures with boxes and masks, predictions.html and predictions.json
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Smallest score of an object
    #[arg(long, default_value_t = 0.5)]
    min_score: f32,
    /// Print the predictions as one JSON object
    #[arg(long)]
    json: bool,
}

/// Images on the page, at most.
const ON_PAGE: usize = 200;
/// Extensions of images in folders.
const EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    let stop = listen()?;
    let progress = Progress::detect();
    let images = find(&arguments.images)?;
    let engine = mochi_tensor::start(None)?;
    let loaded = load_detector(&arguments.run, &engine)?;
    std::fs::create_dir_all(&arguments.out).map_err(|source| unwritable(&arguments.out, &source))?;
    let annotations =
        Arc::new(Annotations { classes: loaded.classes.clone(), category_ids: loaded.category_ids.clone(), images });
    let mut task = progress.task("finding objects", annotations.images.len() as u64);
    let found = detect_all(&loaded.detector, &loaded.settings, &annotations, &stop, &mut |done| task.reach(done))?;
    task.finish();
    for bad in &found.bad {
        progress.warning(&format!("bad image left out: {}: {} ({})", bad.name, bad.reason, bad.detail));
    }
    let shown: Vec<_> = found.detections.iter().filter(|one| one.score >= arguments.min_score).collect();
    let entries: Vec<Value> = annotations
        .images
        .iter()
        .enumerate()
        .map(|(index, image)| {
            let own = shown.iter().filter(|one| one.image == index).map(|one| {
                let mut object = json!({
                    "class": loaded.classes[one.class],
                    "score": one.score,
                    "box": one.bounds,
                });
                if let Some(mask) = &one.mask {
                    let size = [mask.height, mask.width];
                    object["mask"] = json!({"size": size, "counts": mask.to_compressed()});
                }
                object
            });
            json!({"image": image.name, "width": image.width, "height": image.height, "objects": own.collect::<Vec<_>>()})
        })
        .collect();
    draw(&arguments.out, &annotations, &shown)?;
    let first = annotations.images.len().min(ON_PAGE);
    let page = PredictionsPage {
        name: "Predictions".to_owned(),
        summary: format!("{}, step {}", arguments.run.display(), loaded.step),
        classes: loaded.classes.clone(),
        sections: vec![(
            counted(first, "image"),
            sheet::images(&annotations, &found.detections, arguments.min_score, false, 0..first),
        )],
        note: "Hover over a box for its class and score.".to_owned(),
    };
    mochi_files::write_atomic(&arguments.out.join("predictions.html"), page.render().as_bytes())?;
    let text = serde_json::to_string_pretty(&entries)
        .map_err(|e| Failure::new(format!("cannot write JSON: {e}"), "this is a defect, please report it"))?;
    mochi_files::write_atomic(&arguments.out.join("predictions.json"), text.as_bytes())?;
    if arguments.json {
        print_json(&entries)?;
    } else {
        let (objects, images) = (counted(shown.len(), "object"), counted(annotations.images.len(), "image"));
        print_line(&format!("{objects} in {images}: {}", arguments.out.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes each image with its objects, as NAME.png; names that occur again get a number.
fn draw(out: &Path, annotations: &Annotations, shown: &[&Detection]) -> Outcome<()> {
    let (mut decoder, mut used) = (Decoder::new(), HashSet::new());
    for (index, image) in annotations.images.iter().enumerate() {
        let failed = |reason: String| {
            Failure::new(format!("cannot read {}: {reason}", image.path.display()), "give JPEG, PNG or WebP images")
        };
        let bytes = std::fs::read(&image.path).map_err(|e| failed(e.to_string()))?;
        let mut pixels = Pixels::default();
        let options = DecodeOptions { exif_orientation: true, ..DecodeOptions::default() };
        // A bad image was reported before.
        if decoder.decode(&bytes, &options, &mut pixels).is_err() {
            continue;
        }
        picture::draw(&mut pixels, shown.iter().filter(|one| one.image == index).copied());
        let stem = image.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let names = std::iter::once(stem.clone()).chain((2..).map(|number| format!("{stem}-{number}")));
        let name = names.into_iter().find(|name| used.insert(name.clone())).unwrap_or(stem);
        picture::write(&out.join(format!("{name}.png")), &pixels)?;
    }
    Ok(())
}

/// The images themselves and those of folders, in order.
fn find(given: &[PathBuf]) -> Outcome<Vec<AnnotatedImage>> {
    let mut paths = Vec::new();
    for path in given {
        if !path.is_dir() {
            paths.push(path.clone());
            continue;
        }
        let unreadable = |source: std::io::Error| {
            Failure::new(format!("cannot read {}: {source}", path.display()), "give images, or a folder of images")
        };
        let entries = std::fs::read_dir(path).map_err(unreadable)?;
        let mut inside: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        inside.retain(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            EXTENSIONS.contains(&extension.to_lowercase().as_str())
        });
        inside.sort_unstable();
        paths.extend(inside);
    }
    if paths.is_empty() {
        return Err(Failure::new("there is no image in what was given", "give JPEG, PNG or WebP images"));
    }
    paths.into_iter().enumerate().map(|(index, path)| described(index, path)).collect()
}

/// An image with its size.
fn described(index: usize, path: PathBuf) -> Outcome<AnnotatedImage> {
    let failed = |reason: String| {
        Failure::new(format!("cannot read {}: {reason}", path.display()), "give JPEG, PNG or WebP images")
    };
    let file = std::fs::File::open(&path).map_err(|e| failed(e.to_string()))?;
    let header = read_header(&mut std::io::BufReader::new(file)).map_err(|e| failed(e.to_string()))?;
    let (width, height) = header.displayed();
    Ok(AnnotatedImage {
        id: index as u64 + 1,
        name: path.display().to_string(),
        path,
        width,
        height,
        exif_orientation: true,
        objects: Vec::new(),
    })
}

fn unwritable(folder: &Path, source: &std::io::Error) -> Failure {
    Failure::new(format!("cannot write to {}: {source}", folder.display()), "give another folder with --out")
}
