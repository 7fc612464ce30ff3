//! Reading a split of a dataset in any format.

use std::path::Path;

use crate::annotations::Annotations;
use crate::error::AnnotationError;
use crate::format::Format;
use crate::problem::Problems;
use crate::tree::Tree;
use crate::{coco, voc, yolo};

/// What a split is for, which decides about the one that is taken by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Learning: `trainval`, `train` or the like.
    Training,
    /// Evaluation: `test`, `val` or the like.
    Evaluation,
}

impl Purpose {
    /// The names of splits that are taken by default, the first one that a dataset has.
    pub fn usual(self) -> &'static [&'static str] {
        match self {
            Self::Training => &["trainval", "train", "train2017", "training", "all"],
            Self::Evaluation => &["test", "test2007", "val", "valid", "validation", "val2017"],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Evaluation => "evaluation",
        }
    }
}

/// What to read.
#[derive(Clone, Copy, Debug)]
pub struct ReadOptions<'a> {
    /// The format; `None`: found from the files.
    pub format: Option<Format>,
    /// The split; `None`: the usual one of the purpose.
    pub split: Option<&'a str>,
    /// What the split is for.
    pub purpose: Purpose,
    /// The classes, in their order; `None`: those of the dataset. Objects of other classes are left out and reported.
    pub classes: Option<&'a [String]>,
}

/// A split that was read.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its images and objects.
    pub annotations: Annotations,
    /// What was wrong.
    pub problems: Problems,
    /// The format.
    pub format: Format,
    /// The split.
    pub split: String,
}

/// The format of a folder and its splits by name.
///
/// # Errors
/// A folder that cannot be read, that has none of the formats or not the given one, or several.
pub fn splits(folder: &Path, format: Option<Format>) -> Result<(Format, Vec<String>), AnnotationError> {
    let (_, format, splits) = open(folder, format)?;
    Ok((format, splits))
}

/// The files of a dataset, its format and splits. A dataset in tar files may lie in a folder of theirs, whose name could be taken for that of a split.
fn open(folder: &Path, format: Option<Format>) -> Result<(Tree, Format, Vec<String>), AnnotationError> {
    let tree = Tree::open(folder)?;
    if let Some(inner) = tree.only_folder()
        && let Ok((format, splits)) = splits_of(&inner, format)
    {
        return Ok((inner, format, splits));
    }
    let (format, splits) = splits_of(&tree, format)?;
    Ok((tree, format, splits))
}

fn splits_of(tree: &Tree, format: Option<Format>) -> Result<(Format, Vec<String>), AnnotationError> {
    let of = |format: Format| match format {
        Format::Voc => voc::splits(tree),
        Format::Coco => coco::splits(tree),
        Format::Yolo => yolo::splits(tree),
    };
    let folder = || tree.root().to_owned();
    if let Some(format) = format {
        let splits = of(format)?;
        return match splits.is_empty() {
            true => Err(AnnotationError::OtherFormat { folder: folder(), format }),
            false => Ok((format, splits)),
        };
    }
    let mut found = Vec::new();
    for format in Format::ALL {
        let splits = of(format)?;
        if !splits.is_empty() {
            found.push((format, splits));
        }
    }
    match found.len() {
        1 => found.pop().ok_or_else(|| AnnotationError::NoFormat { folder: folder() }),
        0 => Err(AnnotationError::NoFormat { folder: folder() }),
        _ => Err(AnnotationError::SeveralFormats {
            folder: folder(),
            formats: found.into_iter().map(|(format, _)| format).collect(),
        }),
    }
}

/// Reads a split.
///
/// # Errors
/// A folder without the format or split, a file without which nothing can be read, and a split without any object. What is wrong with single images and objects is
/// a problem ([`Dataset::problems`]), not an error.
pub fn read(folder: &Path, options: &ReadOptions) -> Result<Dataset, AnnotationError> {
    let (tree, format, available) = open(folder, options.format)?;
    let folder = || tree.root().to_owned();
    let split = match options.split {
        Some(split) if available.iter().any(|own| own == split) => split,
        Some(split) => {
            return Err(AnnotationError::NoSplit { folder: folder(), split: split.to_owned(), available });
        }
        None => {
            let usual = options.purpose.usual().iter().find(|usual| available.iter().any(|own| own == *usual));
            match usual {
                Some(usual) => usual,
                None => {
                    let purpose = options.purpose.name();
                    return Err(AnnotationError::NoDefaultSplit { folder: folder(), purpose, available });
                }
            }
        }
    };
    let mut problems = Problems::default();
    let annotations = match format {
        Format::Voc => voc::read(&tree, split, options.classes, &mut problems),
        Format::Coco => coco::read(&tree, split, options.classes, &mut problems),
        Format::Yolo => yolo::read(&tree, split, options.classes, &mut problems),
    }?;
    let split = split.to_owned();
    if annotations.images.iter().all(|image| image.objects.is_empty()) {
        let (images, problems) = (annotations.images.len(), Box::new(problems));
        return Err(AnnotationError::NoObjects { folder: folder(), split, images, problems });
    }
    Ok(Dataset { annotations, problems, format, split })
}
