//! A folder of images as a data set: the first level of folders are its classes.

use std::collections::BTreeMap;
use std::path::Path;

use super::cache::Cache;
use super::listing::{has_image_extension, told_by_content};
use super::paths::{Paths, as_bytes};
use super::patience::{PATIENCE, patiently};
use super::tally::Tally;
use super::walk::{Walked, walk};
use super::{Opened, Store};
use crate::error::DataError;

pub(super) fn open(root: &Path, tally: &Tally) -> Result<Opened, DataError> {
    let Walked { images, others, warnings, .. } = look_through(root, tally)?;
    if images.is_empty() {
        return Err(DataError::NoImages { path: root.into(), others });
    }
    let (labels, class_names) = classes(&images);
    let store = Store::Files { root: root.into(), relative: images };
    Ok(Opened { kind: "image folder", store, labels, class_names, warnings })
}

/// A file that is an image by its name or by its content, as a set of one.
pub(super) fn open_image(path: &Path) -> Option<Opened> {
    let name = as_bytes(Path::new(path.file_name()?));
    if !has_image_extension(name) && told_by_content(path) != Some(true) {
        return None;
    }
    let store = Store::Files { root: path.parent()?.into(), relative: [name].into_iter().collect() };
    Some(Opened { kind: "image file", store, labels: None, class_names: Vec::new(), warnings: Vec::new() })
}

/// All images below a folder, with the user's index.
pub(super) fn look_through(root: &Path, tally: &Tally) -> Result<Walked, DataError> {
    let (owned, tally) = (root.to_owned(), tally.clone());
    patiently(root, PATIENCE, move |watch| walk(&owned, &Cache::of_user(), watch, &tally))?
}

/// First folder level as class; nothing if an image lies directly in the root.
pub(super) fn classes(images: &Paths) -> (Option<Vec<u32>>, Vec<String>) {
    let mut numbers: BTreeMap<&[u8], u32> = BTreeMap::new();
    let mut runs: Vec<(&[u8], usize)> = Vec::new();
    for image in images.iter() {
        let Some(slash) = image.iter().position(|&b| b == b'/') else { return (None, Vec::new()) };
        let folder = image.get(..slash).unwrap_or_default();
        match runs.last_mut() {
            Some((last, count)) if *last == folder => *count += 1,
            _ => {
                runs.push((folder, 1));
                numbers.insert(folder, 0);
            }
        }
    }
    for (number, slot) in numbers.values_mut().enumerate() {
        *slot = number as u32;
    }
    let mut labels = Vec::with_capacity(images.len());
    for (folder, count) in runs {
        let class = numbers.get(folder).copied().unwrap_or(0);
        labels.resize(labels.len() + count, class);
    }
    (Some(labels), numbers.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}
