//! Errors that end the reading of a dataset with objects.

use std::path::PathBuf;

use mochi_files::FileError;
use mochi_text::counted;

use crate::format::Format;
use crate::problem::{ProblemKind, Problems, Rule};

/// A dataset with objects cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnnotationError {
    /// A file or folder cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The path given is neither a folder nor a tar file.
    #[error("{} is neither a folder nor a tar file", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// A folder holds none of the formats.
    #[error("{} is not a VOC, COCO or YOLO dataset", folder.display())]
    NoFormat {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder holds several formats.
    #[error("{} holds annotations in several formats: {}", folder.display(), names(formats))]
    SeveralFormats {
        /// The folder.
        folder: PathBuf,
        /// The formats.
        formats: Vec<Format>,
    },
    /// A folder does not hold the format that was asked for.
    #[error("{} is not a {format} dataset", folder.display())]
    OtherFormat {
        /// The folder.
        folder: PathBuf,
        /// The format that was asked for.
        format: Format,
    },
    /// The dataset does not have the split.
    #[error("{} has no split named {split}; it has {}", folder.display(), listed(available))]
    NoSplit {
        /// The folder.
        folder: PathBuf,
        /// The split that was asked for.
        split: String,
        /// The splits that there are.
        available: Vec<String>,
    },
    /// The dataset has none of the splits that are taken by default.
    #[error("{} has no split for {purpose} with a usual name; it has {}", folder.display(), listed(available))]
    NoDefaultSplit {
        /// The folder.
        folder: PathBuf,
        /// "training" or "evaluation".
        purpose: &'static str,
        /// The splits that there are.
        available: Vec<String>,
    },
    /// A file without which nothing can be read is malformed.
    #[error("{} is malformed: {detail}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        detail: String,
    },
    /// A tar file is empty, truncated or damaged, or is none.
    #[error("{} is not a complete tar file: {detail}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        detail: String,
    },
    /// A pattern of tar files names none.
    #[error("{} names no tar files: {detail}", path.display())]
    NoArchive {
        /// The pattern.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A YOLO dataset does not name its classes.
    #[error("{} has no names of classes: neither `names` in data.yaml nor a classes.txt", folder.display())]
    NoClasses {
        /// The folder.
        folder: PathBuf,
    },
    /// A COCO file without categories.
    #[error("{} has no usable entry in `categories`, so its classes have no names", path.display())]
    NoCategories {
        /// The file.
        path: PathBuf,
    },
    /// No object is left.
    #[error("the split {split} of {} has no object that can be used ({})", folder.display(), left_out(*images, problems))]
    NoObjects {
        /// The folder.
        folder: PathBuf,
        /// The split.
        split: String,
        /// Number of images that are left.
        images: usize,
        /// What was wrong.
        problems: Box<Problems>,
    },
}

fn names(formats: &[Format]) -> String {
    formats.iter().map(Format::to_string).collect::<Vec<_>>().join(", ")
}

/// The first names of a list.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 12;
    if names.is_empty() {
        return "none".to_owned();
    }
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// How many images remain, and why others and their objects do not, the most frequent reason first.
fn left_out(images: usize, problems: &Problems) -> String {
    let mut reasons: Vec<_> = problems.by_kind().filter(|(kind, _)| kind.rule() != Rule::Keep).collect();
    reasons.sort_by_key(|(_, found)| std::cmp::Reverse(found.count));
    let described = reasons.into_iter().map(|(kind, found)| {
        let first = found.examples.first().map_or_else(String::new, |first| {
            let detail = if first.detail.is_empty() { String::new() } else { format!(" ({})", first.detail) };
            format!(", first {}{detail}", first.file)
        });
        format!("{}: {}{first}", counted(found.count, "problem"), kind.explanation())
    });
    std::iter::once(counted(images, "image")).chain(described).collect::<Vec<_>>().join("; ")
}

impl AnnotationError {
    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::File(error) => return error.hint(),
            Self::NotAFolder { .. } => "give the folder of the dataset, or tar files of it; unpack other archives".to_owned(),
            Self::NoFormat { .. } | Self::OtherFormat { .. } => {
                "VOC has Annotations/*.xml and JPEGImages/, COCO annotations/instances_SPLIT.json or SPLIT/_annotations.coco.json, YOLO images/ and labels/"
                    .to_owned()
            }
            Self::SeveralFormats { .. } => "name the one to read with --format".to_owned(),
            Self::NoSplit { .. } | Self::NoDefaultSplit { .. } => "name one of them with --split".to_owned(),
            Self::Malformed { detail, .. } if detail.contains("EOF") => {
                "the file ends early; copy or download it again".to_owned()
            }
            Self::Malformed { path, .. } if path.extension().is_some_and(|extension| extension == "json") => {
                "check the file with `python3 -m json.tool`; NaN and Infinity are not JSON".to_owned()
            }
            Self::Malformed { .. } => "correct the file".to_owned(),
            Self::Archive { .. } => "copy, download or pack it again".to_owned(),
            Self::NoArchive { .. } => "check the folder and the pattern: photos-{000..009}.tar or photos-*.tar, in quotes".to_owned(),
            Self::NoClasses { .. } => "write a classes.txt with one name per line, in the order of the numbers".to_owned(),
            Self::NoCategories { .. } => {
                "add `\"categories\": [{\"id\": 1, \"name\": \"cat\"}, ...]` with every category_id of the annotations".to_owned()
            }
            Self::NoObjects { problems, .. } => match problems.count(ProblemKind::UnknownClass) {
                0 => "correct the files that the message names; a dataset needs at least one object".to_owned(),
                _ => "check whether the dataset has the classes of the trained model".to_owned(),
            },
        })
    }
}
