//! A folder of images as a dataset. The folders of the first level are its classes.

use std::collections::BTreeMap;
use std::path::Path;

use super::counter::Counter;
use super::listing::{has_image_content, has_image_extension};
use super::paths::{Paths, as_bytes};
use super::timeout::{TIMEOUT, with_timeout};
use super::walk::{Walked, walk};
use super::{Opened, Store, foreign};
use crate::error::DataError;
use crate::skipped::Skipped;

pub(super) fn open(root: &Path, counter: &Counter) -> Result<Opened, DataError> {
    let Walked { images, skipped, warnings } = find_images(root, counter)?;
    if images.is_empty() {
        return Err(foreign::recognize(root).unwrap_or_else(|| DataError::NoImages { path: root.into(), skipped }));
    }
    let (labels, class_names) = classes(&images);
    let store = Store::Files { root: root.into(), relative: images };
    Ok(Opened { kind: "image folder", store, labels, class_names, warnings, skipped })
}

/// Opens a file that is an image by name or by content, as a dataset of one image.
pub(super) fn open_image(path: &Path) -> Option<Opened> {
    let name = as_bytes(Path::new(path.file_name()?));
    if !has_image_extension(name) && !has_image_content(path) {
        return None;
    }
    let store = Store::Files { root: path.parent()?.into(), relative: [name].into_iter().collect() };
    Some(Opened {
        kind: "image file",
        store,
        labels: None,
        class_names: Vec::new(),
        warnings: Vec::new(),
        skipped: Skipped::default(),
    })
}

/// All images below a folder.
pub(super) fn find_images(root: &Path, counter: &Counter) -> Result<Walked, DataError> {
    let (owned, counter) = (root.to_owned(), counter.clone());
    with_timeout(root, TIMEOUT, move |watch| walk(&owned, watch, &counter))?
}

/// Labels from the first folder level; `None` if an image is directly in the root.
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
