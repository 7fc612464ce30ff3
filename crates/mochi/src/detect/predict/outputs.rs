//! The files that predictions are written to. A file that `predict` did not write is never replaced.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use mochi_annotations::AnnotatedImage;

use crate::failure::{Failure, Outcome};
use crate::output_file::{Kind, PAGE};

/// What a picture says of the program that wrote it, in PNG's text `Software`.
pub const SOFTWARE: &str = "Mochi predict";
/// A picture with boxes and masks.
pub const PICTURE: Kind = Kind { extensions: &["png"], marker: b"Software\0Mochi predict" };
/// The list of predictions, whose entries begin with the name of their picture.
const LIST: Kind = Kind { extensions: &["json"], marker: b"\"picture\":" };

/// The files of one call.
pub struct Outputs {
    pub page: PathBuf,
    pub list: PathBuf,
    /// The name of each image's picture.
    pub names: Vec<String>,
    folder: PathBuf,
}

impl Outputs {
    /// Names the files and makes their folder.
    ///
    /// # Errors
    /// A folder that cannot be written, that of the images, and a file there that `predict` did not write.
    pub fn plan(folder: &Path, images: &[AnnotatedImage]) -> Outcome<Self> {
        let unwritable = |source: std::io::Error| {
            Failure::new(format!("cannot write to {}: {source}", folder.display()), "give another folder with --out")
        };
        std::fs::create_dir_all(folder).map_err(unwritable)?;
        let planned = Self {
            page: folder.join("predictions.html"),
            list: folder.join("predictions.json"),
            names: names(images.iter().map(|image| image.file.path.as_path())),
            folder: folder.to_owned(),
        };
        PAGE.check(&planned.page)?;
        LIST.check(&planned.list)?;
        let home = folder.canonicalize().ok();
        let beside = |image: &&AnnotatedImage| {
            image.file.path.canonicalize().ok().and_then(|path| Some(path.parent()?.to_owned())) == home
        };
        if let Some(image) = images.iter().find(|image| beside(image)) {
            let (folder, name) = (folder.display(), image.file.path.file_name().unwrap_or_default().display());
            let what = format!("{folder} is the folder of {name}: pictures with boxes would be among the images");
            return Err(Failure::new(what, "give --out another folder, for example predictions"));
        }
        planned.pictures().try_for_each(|path| PICTURE.check_replaceable(&path))?;
        Ok(planned)
    }

    /// The path of each image's picture.
    pub fn pictures(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.names.iter().map(|name| self.folder.join(name))
    }
}

/// NAME.png for each image; names that occur again, in capitals or not, get a number.
fn names<'a>(images: impl Iterator<Item = &'a Path>) -> Vec<String> {
    let mut used = HashSet::new();
    let name = |path: &Path| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let all = std::iter::once(stem.clone()).chain((2..).map(|number: u64| format!("{stem}-{number}")));
        let free = all.into_iter().find(|name| used.insert(name.to_lowercase())).unwrap_or(stem);
        format!("{free}.png")
    };
    images.map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_collide() {
        let images = ["a/x.jpg", "b/x.png", "x-2.jpg", "X.webp", "y.png"].map(Path::new);
        assert_eq!(names(images.into_iter()), ["x.png", "x-2.png", "x-2-2.png", "X-3.png", "y.png"]);
    }
}
