//! Checks of two datasets that need no features: labels, classes, and images that both splits share.
//!
//! Extracting features can take hours. What names, labels and files tell is checked before.

use crate::EvalError;
use crate::classes::{at_least_two, match_names};
use crate::features::labels_of;
use mochi_data::Dataset;
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;

/// Threads that ask the file system for the identity of files; on a network file system each answer takes a round trip.
const THREADS: usize = 16;

/// Images that are in both splits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Number of test images that are training images as well.
    pub images: usize,
    /// Name of the first one.
    pub first: Option<String>,
}

/// Checks that `test` can be evaluated with `train`: both have labels, the training split has two classes, every test class has
/// training images, and the splits are not the same images. Returns the images that both splits share.
///
/// Files are compared by identity (device and inode), so other spellings of a path, symbolic links and hard links are recognized;
/// datasets are also compared by [`Dataset::fingerprint`].
///
/// # Errors
/// [`EvalError::NoLabels`], [`EvalError::TooFewClasses`], [`EvalError::UnknownClasses`], [`EvalError::SameImages`].
pub fn check_splits(train: &Dataset, test: &Dataset) -> Result<Overlap, EvalError> {
    let (train_labels, test_labels) = (labels_of(train, "training")?, labels_of(test, "test")?);
    at_least_two(train_labels)?;
    match_names((train.class_names(), train_labels), (test.class_names(), test_labels))?;
    let overlap = overlap(train, test);
    if overlap.images == test.len() {
        return Err(EvalError::SameImages { images: test.len() });
    }
    Ok(overlap)
}

fn overlap(train: &Dataset, test: &Dataset) -> Overlap {
    let files = |dataset: &Dataset| dataset.path_of(0).is_some();
    if !files(train) && !files(test) && train.fingerprint() == test.fingerprint() {
        return Overlap { images: test.len(), first: Some(test.name_of(0)) };
    }
    let trained: HashSet<(u64, u64)> = identities(train).into_iter().flatten().collect();
    if trained.is_empty() {
        return Overlap::default();
    }
    let mut shared = Overlap::default();
    for (image, identity) in identities(test).into_iter().enumerate() {
        if identity.is_some_and(|identity| trained.contains(&identity)) {
            shared.images += 1;
            shared.first.get_or_insert_with(|| test.name_of(image));
        }
    }
    shared
}

/// Device and inode of every image file; `None` for images inside larger files and for files that have vanished.
fn identities(dataset: &Dataset) -> Vec<Option<(u64, u64)>> {
    let mut found = vec![None; dataset.len()];
    if dataset.path_of(0).is_none() {
        return found;
    }
    let part = found.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        for (number, slots) in found.chunks_mut(part).enumerate() {
            scope.spawn(move || {
                for (offset, slot) in slots.iter_mut().enumerate() {
                    let metadata =
                        dataset.path_of(number * part + offset).and_then(|path| std::fs::metadata(path).ok());
                    *slot = metadata.map(|metadata| (metadata.dev(), metadata.ino()));
                }
            });
        }
    });
    found
}
