//! Candidate keys and positives of each query.

use std::borrow::Cow;

use mochi_config::Positive;
use mochi_contrast::feature_transformation::interpolate;
use mochi_contrast::{Context, Queue, SampleMetadata, nearest};
use mochi_random::DrawKey;
use mochi_tensor::{Tensor, dim, no_grad};

use super::{Method, rows_of};
use crate::TrainError;

/// Positive of each image's query (B, D), and its row in the queue if it was found there.
pub(crate) struct Positives {
    pub rows: Tensor,
    pub found: Option<Vec<u32>>,
}

impl Positives {
    /// Those of the images `first..first + count`.
    pub fn part(&self, first: usize, count: usize) -> Result<Self, TrainError> {
        let found = self.found.as_ref().map(|found| found.iter().skip(first).take(count).copied().collect());
        Ok(Self { rows: no_grad(|| self.rows.f_narrow(0, dim(first), dim(count)))?, found })
    }
}

/// Candidate keys (C, D) with their metadata.
pub(crate) struct Candidates<'a> {
    pub rows: Tensor,
    /// For each image the candidate keys that are its positives, (B, m).
    pub positive_indices: Vec<u32>,
    images: Option<Cow<'a, [i64]>>,
    labels: Option<Cow<'a, [i64]>>,
}

/// The keys of the whole batch.
#[derive(Clone, Copy)]
pub(crate) struct BatchKeys<'a> {
    /// (B, D).
    pub keys: &'a Tensor,
    /// Row of the first image of the positives: where this rank's begin, or 0 for those of the whole batch.
    pub first: u32,
    /// Metadata of all B images.
    pub metadata: SampleMetadata<'a>,
}

impl Method {
    /// The keys (B, D) themselves, or their nearest neighbors in the queue; the keys while it is empty.
    pub fn positives(&self, keys: &Tensor, queue: &Queue) -> Result<Positives, TrainError> {
        let plain = || Positives { rows: keys.shallow_clone(), found: None };
        if self.positive != Positive::Nearest {
            return Ok(plain());
        }
        let Some(candidates) = nearest(keys, queue)? else { return Ok(plain()) };
        let rows = no_grad(|| queue.rows().f_index_select(0, &candidates))?;
        let found = Vec::<i64>::try_from(&candidates)?.into_iter();
        Ok(Positives { rows, found: Some(found.map(|column| u32::try_from(column).unwrap_or(u32::MAX)).collect()) })
    }

    /// The batch's keys, where `batch` asks for them, and then the queue's rows, where `queue` does. `positives` are those of this rank's images, or of the whole batch.
    pub fn candidates<'a>(
        &self,
        [batch, from_queue]: [bool; 2],
        of_batch: &BatchKeys<'a>,
        positives: &Positives,
        queue: &'a Queue,
        key: DrawKey,
    ) -> Result<Candidates<'a>, TrainError> {
        let BatchKeys { keys, first, metadata } = *of_batch;
        let count = rows_of(keys);
        let old = || -> Result<Tensor, TrainError> {
            Ok(match &self.interpolate {
                Some(beta) => interpolate(queue.rows(), beta, key)?,
                None => queue.rows().shallow_clone(),
            })
        };
        let rows = match (batch, from_queue) {
            (true, true) => {
                no_grad(|| -> Result<_, TrainError> { Ok(Tensor::f_cat(&[keys.shallow_clone(), old()?], 0)?) })?
            }
            (true, false) => keys.shallow_clone(),
            (false, _) => old()?,
        };
        // A neighbor is among the candidate keys only if the queue is.
        let found = positives.found.as_ref().filter(|_| from_queue);
        let offset = if batch { u32::try_from(count).unwrap_or(u32::MAX) } else { 0 };
        let mut positive_indices = Vec::new();
        for image in 0..rows_of(&positives.rows) {
            let own = u32::try_from(image).ok().and_then(|image| first.checked_add(image));
            positive_indices.extend(batch.then(|| own.unwrap_or(Context::NO_INDEX)));
            positive_indices
                .extend(found.map(|found| found.get(image).map_or(Context::NO_INDEX, |&column| offset + column)));
        }
        let join = |new: Option<&'a [i64]>, old: Option<&'a [i64]>| match (batch, from_queue) {
            (true, true) if new.is_some() || old.is_some() => {
                let unknown = |values: Option<&[i64]>, n: usize| values.map_or_else(|| vec![-1; n], <[i64]>::to_vec);
                let mut all = unknown(new, count);
                all.extend(unknown(old, queue.len()));
                Some(Cow::Owned(all))
            }
            (true, true) => None,
            (true, false) => new.map(Cow::Borrowed),
            (false, _) => old.map(Cow::Borrowed),
        };
        let past = queue.metadata();
        let (images, labels) = (join(metadata.images, past.images), join(metadata.labels, past.labels));
        Ok(Candidates { rows, positive_indices, images, labels })
    }
}

impl Candidates<'_> {
    /// Metadata of the candidate keys.
    pub fn metadata(&self) -> SampleMetadata<'_> {
        SampleMetadata { images: self.images.as_deref(), labels: self.labels.as_deref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_config::NegativesFrom;
    use mochi_tensor::{Device, Kind};

    fn unit_rows(n: i64, seed: f64) -> Tensor {
        let rows = ((Tensor::arange(n * 4, (Kind::Float, Device::Cpu)) + seed) * 1.7).sin().view([n, 4]);
        &rows / rows.norm_scalaropt_dim(2, [1i64].as_slice(), true)
    }

    #[test]
    fn every_image_is_told_its_own_columns_and_every_column_its_image() {
        let method = Method {
            positive: Positive::Nearest,
            from: NegativesFrom::Both,
            queue: true,
            within_batch: false,
            symmetric: false,
            extrapolate: None,
            interpolate: None,
            mixing: None,
        };
        let mut queue = Queue::new(6, 4, Device::Cpu).unwrap();
        let past = unit_rows(5, 3.0);
        let ids = [50, 51, 52, 53, 54];
        queue.enqueue(&past, SampleMetadata { images: Some(&ids), labels: None }).unwrap();
        // Keys 0 and 1 are old keys 4 and 2 themselves.
        let keys = past.index_select(0, &Tensor::from_slice(&[4i64, 2]));
        let positives = method.positives(&keys, &queue).unwrap();
        assert!(positives.rows.equal(&keys));
        let metadata = SampleMetadata { images: Some(&[7, 8]), labels: None };
        let key = DrawKey::default();
        let of_batch = BatchKeys { keys: &keys, first: 0, metadata };
        let candidates = |which| method.candidates(which, &of_batch, &positives, &queue, key).unwrap();

        let both = candidates([true, true]);
        assert_eq!(both.positive_indices, [0, 2 + 4, 1, 2 + 2]);
        assert_eq!(both.metadata().images.unwrap(), [7, 8, 50, 51, 52, 53, 54, -1]);
        assert_eq!(both.metadata().labels.unwrap(), [-1; 8]);
        for (image, positive_indices) in both.positive_indices.chunks(2).enumerate() {
            for &column in positive_indices {
                assert!(both.rows.get(i64::from(column)).equal(&keys.get(image as i64)));
            }
        }
        let past = candidates([false, true]);
        assert_eq!(past.positive_indices, [4, 2]);
        assert!(past.rows.equal(queue.rows()));
        let batch = candidates([true, false]);
        assert_eq!(batch.positive_indices, [0, 1]);
        assert_eq!(batch.metadata().images.unwrap(), [7, 8]);
    }
}
