//! Images with objects for training and evaluation.

use std::path::Path;

use mochi_annotations::{AnnotationError, Dataset, Format, ProblemKind, Problems, Purpose, ReadOptions, Rule, read};
use mochi_config::detection::DataFormat;
use mochi_data::DataError;
use mochi_data::objects::ends_a_run;
use mochi_files::shell_word;
use mochi_term::Progress;
use mochi_text::counted;

use crate::failure::Failure;

/// The format that the settings name; `None`: the folder tells.
pub fn format(wanted: DataFormat) -> Option<Format> {
    match wanted {
        DataFormat::Auto => None,
        DataFormat::Voc => Some(Format::Voc),
        DataFormat::Coco => Some(Format::Coco),
        DataFormat::Yolo => Some(Format::Yolo),
    }
}

/// Reads a split, the usual one of the purpose if its name is empty, and reports what was left out. `classes`: those of a trained detector.
pub fn read_split(
    folder: &Path,
    format: Option<Format>,
    split: &str,
    purpose: Purpose,
    classes: Option<&[String]>,
    progress: &Progress,
) -> Result<Dataset, AnnotationError> {
    let split = (!split.is_empty()).then_some(split);
    let found = read(folder, &ReadOptions { format, split, purpose, classes })?;
    report(folder, &found, progress);
    Ok(found)
}

/// Ends where more images are missing or no images than `data.max_bad_fraction` allows, as the loaders do where images cannot be decoded.
///
/// # Errors
/// [`DataError::TooManyBad`].
pub fn check_missing(found: &Dataset, max_bad_fraction: f64) -> Result<(), DataError> {
    let kinds = [ProblemKind::MissingImage, ProblemKind::UnreadableImage];
    let bad = kinds.into_iter().map(|kind| found.problems.count(kind)).sum::<u64>() as usize;
    let images = found.annotations.images.len() + bad;
    if !ends_a_run(bad, images, max_bad_fraction) {
        return Ok(());
    }
    let examples =
        found.problems.by_kind().filter(|(kind, _)| kinds.contains(kind)).flat_map(|(_, found)| &found.examples);
    let first = examples.take(NAMED).map(|one| match one.detail.as_str() {
        "" => format!("{}: no such image", one.file),
        detail => format!("{}: {detail}", one.file),
    });
    let first = first.collect::<Vec<_>>().join("; ");
    let fraction = bad as f64 / images as f64;
    Err(DataError::TooManyBad { bad, read: images, fraction, limit: max_bad_fraction, first })
}

/// Bad images that an error names.
const NAMED: usize = 3;

/// What was left out, if anything was.
fn report(folder: &Path, found: &Dataset, progress: &Progress) {
    let problems: &Problems = &found.problems;
    let counts = [(problems.count_of(Rule::SkipImage), "image"), (problems.count_of(Rule::SkipObject), "object")];
    let left: Vec<String> = counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| counted(n, what)).collect();
    if left.is_empty() {
        return;
    }
    progress.warning(&format!("{} left out of {} (split {})", left.join(" and "), folder.display(), found.split));
    for (kind, found) in problems.by_kind().filter(|(kind, _)| kind.rule() != Rule::Keep) {
        if let Some(first) = found.examples.first() {
            let place = first.object.as_ref().map(|object| format!(", {object}")).unwrap_or_default();
            let detail = if first.detail.is_empty() { String::new() } else { format!(": {}", first.detail) };
            progress.note(&format!("{} ({}, first in {}{place}{detail})", kind.explanation(), found.count, first.file));
        }
    }
    let (folder, format) = (shell_word(folder), found.format.as_str());
    progress.hint(&format!("`mochi check {folder} --format {format} --split {}` lists all of them", found.split));
}

/// An error of a split as a failure whose hint names the setting of the split.
pub fn failed(error: AnnotationError, setting: &str) -> Failure {
    let hint = match &error {
        AnnotationError::NoSplit { .. } | AnnotationError::NoDefaultSplit { .. } => {
            Some(format!("name one of them with {setting}=NAME"))
        }
        AnnotationError::NoObjects { .. } if setting == EVALUATION => Some(format!(
            "a run is evaluated at its end: name a split that has objects with {setting}=NAME, or another folder with evaluation.source=DIR"
        )),
        _ => None,
    };
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.at("", &hint),
        None => failure,
    }
}

/// The setting of the split that a run is evaluated on.
pub const EVALUATION: &str = "evaluation.split";
/// The setting of the split that a run learns from.
pub const TRAINING: &str = "data.split";
