//! Counts bad images and decides when there are too many. Batches are counted in order, so that the decision does not depend on timing.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{BadImage, DataError};

/// Fractions are relative to at least this many images (or to all, if there are fewer).
const LEAST: usize = 1000;
/// Number of bad images that an error names.
const NAMED: usize = 5;

/// Largest allowed number of bad images among `read` images for the limit `max_bad_fraction`.
pub(crate) fn allowed_bad(max_bad_fraction: f64, read: usize) -> usize {
    let allowed = (max_bad_fraction * read as f64).floor() as usize;
    // A single bad image does not end a run, unless the limit is 0.
    if max_bad_fraction > 0.0 { allowed.max(1) } else { 0 }
}

#[derive(Default)]
pub(super) struct Health {
    images: usize,
    limit: f64,
    epoch: u64,
    /// Number of images read in this epoch.
    read: usize,
    bad: BTreeMap<usize, BadImage>,
    /// Indices that [`Health::take_new`] has returned.
    reported: BTreeSet<usize>,
}

impl Health {
    pub(super) fn new(images: usize, limit: f64) -> Self {
        Self { images, limit, ..Self::default() }
    }

    /// Number of bad images above which the epoch fails, whatever follows.
    pub(super) fn doomed_above(&self) -> usize {
        self.allowed(self.images)
    }

    /// Largest allowed number of bad images among `read` images.
    fn allowed(&self, read: usize) -> usize {
        allowed_bad(self.limit, read.max(self.images.min(LEAST)))
    }

    /// Adds the bad images of a batch of `epoch`. `read` is the number of images that the batch should contain.
    pub(super) fn add(&mut self, epoch: u64, read: usize, bad: Vec<BadImage>) {
        if epoch != self.epoch {
            (self.epoch, self.read) = (epoch, 0);
            self.bad.clear();
        }
        self.read += read;
        self.bad.extend(bad.into_iter().map(|b| (b.index, b)));
    }

    /// The bad images that were not returned before, by index.
    pub(super) fn take_new(&mut self) -> Vec<BadImage> {
        let reported = &mut self.reported;
        self.bad.values().filter(|bad| reported.insert(bad.index)).cloned().collect()
    }

    pub(super) fn list(&self) -> Vec<BadImage> {
        self.bad.values().cloned().collect()
    }

    /// The error, if too many images are bad or if a batch could not be filled.
    pub(super) fn verdict(&self, incomplete: bool) -> Option<DataError> {
        let bad = self.bad.len();
        if bad <= self.allowed(self.read) && !incomplete {
            return None;
        }
        // Bad replacements are not counted in `self.read`.
        let read = self.read.max(bad);
        let first: Vec<String> = self.bad.values().take(NAMED).map(|b| format!("{} ({})", b.name, b.reason)).collect();
        let fraction = bad as f64 / read.max(1) as f64;
        Some(DataError::TooManyBad { bad, read, fraction, limit: self.limit, first: first.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_views::BadReason;

    fn bad(index: usize) -> BadImage {
        BadImage { index, name: format!("{index}.jpg"), reason: BadReason::Empty, detail: String::new() }
    }

    #[test]
    fn the_floor_protects_small_samples_and_small_sets() {
        let mut health = Health::new(50_000, 0.01);
        health.add(0, 32, (0..10).map(bad).collect());
        assert!(health.verdict(false).is_none(), "ten are 1 % of the least sample");
        health.add(0, 32, vec![bad(10)]);
        assert!(matches!(health.verdict(false), Some(DataError::TooManyBad { bad: 11, read: 64, .. })));

        let mut one = Health::new(20, 0.01);
        one.add(0, 20, vec![bad(3)]);
        assert!(one.verdict(false).is_none(), "a single file never ends a run");
        one.add(0, 0, vec![bad(3)]);
        assert!(one.verdict(false).is_none(), "the same file again is still one");
        one.add(0, 0, vec![bad(4)]);
        assert!(one.verdict(false).is_some());

        let mut none = Health::new(20, 0.0);
        none.add(0, 1, vec![bad(3)]);
        assert!(none.verdict(false).is_some(), "a limit of 0 means none");
    }

    #[test]
    fn fractions_are_of_an_epoch_and_each_bad_image_is_new_once() {
        let mut health = Health::new(20, 0.05);
        health.add(0, 20, vec![bad(3)]);
        assert_eq!(health.take_new().len(), 1);
        health.add(1, 10, vec![bad(3), bad(5)]);
        assert!(health.verdict(false).is_some());
        assert_eq!(health.take_new().iter().map(|b| b.index).collect::<Vec<_>>(), [5]);
        health.add(2, 10, vec![bad(5)]);
        assert!(health.verdict(false).is_none() && health.list().len() == 1 && health.take_new().is_empty());
    }

    #[test]
    fn everything_may_be_bad_at_a_limit_of_one_but_a_batch_must_fill() {
        let mut health = Health::new(10, 1.0);
        health.add(0, 10, (0..10).map(bad).collect());
        assert!(health.verdict(false).is_none());
        assert!(health.verdict(true).is_some());
    }
}
