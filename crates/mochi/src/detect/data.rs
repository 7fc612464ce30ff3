//! Images with objects for training and evaluation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mochi_annotations::{Annotations, Format, Problems, Purpose, ReadOptions, Rule, read};
use mochi_config::detection::{DataFormat, Resolved, Settings};
use mochi_data::dataset::path_from_text;
use mochi_term::Progress;
use mochi_text::counted;
use mochi_train::DetectionData;

use crate::failure::{Failure, Outcome};

/// A split that was read.
pub struct Split {
    pub data: Arc<Annotations>,
    pub name: String,
    pub format: Format,
}

/// The format that the settings name; `None`: the folder tells.
pub fn format(wanted: DataFormat) -> Option<Format> {
    match wanted {
        DataFormat::Auto => None,
        DataFormat::Voc => Some(Format::Voc),
        DataFormat::Coco => Some(Format::Coco),
        DataFormat::Yolo => Some(Format::Yolo),
    }
}

/// Reads a split and reports what was wrong in it. `classes`: those of a trained detector.
pub fn read_split(
    folder: &Path,
    format: Option<Format>,
    split: &str,
    purpose: Purpose,
    classes: Option<&[String]>,
    progress: &Progress,
) -> Outcome<Split> {
    let options = ReadOptions { format, split: (!split.is_empty()).then_some(split), purpose, classes };
    let found = read(folder, &options)?;
    report(folder, &found.problems, progress);
    Ok(Split { data: Arc::new(found.annotations), name: found.split, format: found.format })
}

/// One line for what was left out, if anything was.
fn report(folder: &Path, problems: &Problems, progress: &Progress) {
    let (images, objects) = (problems.count_of(Rule::SkipImage), problems.count_of(Rule::SkipObject));
    if images + objects == 0 {
        return;
    }
    let left = [(images, "image"), (objects, "object")];
    let left: Vec<String> = left.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| counted(n, what)).collect();
    progress.warning(&format!("{} left out of {}", left.join(" and "), folder.display()));
    for (kind, found) in problems.by_kind().filter(|(kind, _)| kind.rule() != Rule::Keep) {
        if let Some(first) = found.examples.first() {
            let place = first.object.as_ref().map(|object| format!(", {object}")).unwrap_or_default();
            progress.note(&format!("{} ({}, the first in {}{place})", kind.explanation(), found.count, first.file));
        }
    }
    progress.hint(&format!("`mochi check {} --format ...` lists them", folder.display()));
}
