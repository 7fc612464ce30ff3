//! The images that predictions are asked for.

use std::path::{Path, PathBuf};

use mochi_annotations::AnnotatedImage;
use mochi_views::decode::read_header;

use super::outputs::PICTURE;
use crate::failure::{Failure, Outcome};

/// Extensions of images in folders.
const EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// Images, and the files that are none, each with the reason.
pub struct Inputs {
    pub images: Vec<AnnotatedImage>,
    pub unreadable: Vec<(PathBuf, String)>,
}

/// The images themselves and those of folders, in order.
///
/// # Errors
/// A path that does not exist, a folder that cannot be read, and no image at all.
pub fn find(given: &[PathBuf]) -> Outcome<Inputs> {
    let mut paths = Vec::new();
    for path in given {
        match path.is_dir() {
            true => paths.extend(inside(path)?),
            false if path.exists() => paths.push(path.clone()),
            false => {
                return Err(Failure::new(format!("there is no image or folder at {}", path.display()), CHECK_PATH));
            }
        }
    }
    if paths.is_empty() {
        return Err(Failure::new("there is no image in what was given", GIVE_IMAGES));
    }
    let mut found = Inputs { images: Vec::new(), unreadable: Vec::new() };
    for path in paths {
        match described(found.images.len(), &path) {
            Ok(image) => found.images.push(image),
            Err(reason) => found.unreadable.push((path, reason)),
        }
    }
    match found.unreadable.first() {
        Some((path, reason)) if found.images.is_empty() => {
            Err(Failure::new(format!("cannot read {}: {reason}", path.display()), GIVE_IMAGES))
        }
        _ => Ok(found),
    }
}

const CHECK_PATH: &str = "check the path";
const GIVE_IMAGES: &str = "give JPEG, PNG or WebP images, or a folder of them";

/// The images of a folder by name, without pictures of earlier calls; its subfolders are not searched.
fn inside(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let unreadable =
        |source: std::io::Error| Failure::new(format!("cannot read {}: {source}", folder.display()), CHECK_PATH);
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut inside: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    inside.retain(|path| {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let is_image = path.is_file() && EXTENSIONS.contains(&extension.to_lowercase().as_str());
        is_image && !PICTURE.wrote(path).unwrap_or(false)
    });
    inside.sort_unstable();
    Ok(inside)
}

/// An image with its size, or why it is none.
fn described(index: usize, path: &Path) -> Result<AnnotatedImage, String> {
    // A pipe would block.
    let file = mochi_files::open_regular(path).map_err(|e| e.to_string())?;
    let header = read_header(&mut std::io::BufReader::new(file)).map_err(|e| e.to_string())?;
    let (width, height) = header.displayed();
    Ok(AnnotatedImage {
        id: index as u64 + 1,
        name: path.display().to_string(),
        file: path.to_owned().into(),
        width,
        height,
        exif_orientation: true,
        objects: Vec::new(),
    })
}
