//! The queue of negatives (MoCo, section 3.2): a ring of the last K keys.
//!
//! Initial rows are random unit vectors, so that every row always has norm 1. Keys are added **after** the step's logits are computed. K need not be a
//! multiple of the batch size: a batch may wrap around the end or be larger than K.

use crate::device::{Deferred, Numbers, Readback};
use crate::{ContrastError, SampleMetadata};
use mochi_contrast_core::CoreError;
use mochi_tensor::{Device, Kind, Tensor, no_grad, with_generator};

/// Unknown image or label.
const UNKNOWN: i64 = -1;

/// K unit rows of dimension D, oldest overwritten first.
#[derive(Debug)]
pub struct Queue {
    rows: Tensor,
    images: Vec<i64>,
    labels: Vec<i64>,
    position: usize,
    filled: usize,
}

impl Queue {
    /// Makes a queue of random unit rows, drawn on the CPU with libtorch's generator.
    ///
    /// # Errors
    /// A `size` or `dim` of 0.
    pub fn new(size: usize, dim: usize, device: Device) -> Result<Self, ContrastError> {
        let (k, d) = (to_i64(size), to_i64(dim));
        if size == 0 || dim == 0 {
            let what = if size == 0 { "the size of the queue" } else { "the dimension of the queue" };
            return Err(CoreError::Value { what: what.into(), value: "0".into(), expected: "at least 1" }.into());
        }
        let rows = with_generator(|| Tensor::f_randn([k, d], (Kind::Float, Device::Cpu)))?;
        let norm = rows.f_norm_scalaropt_dim(2, [1i64].as_slice(), true)?.f_clamp_min(1e-12)?;
        let rows = rows.f_div(&norm)?.f_to_device(device)?;
        let unknown = vec![UNKNOWN; size];
        Ok(Self { rows, images: unknown.clone(), labels: unknown, position: 0, filled: 0 })
    }

    /// Makes a queue from saved parts; images and labels that were not saved are unknown.
    ///
    /// # Errors
    /// [`ContrastError::Input`] if the parts are inconsistent, [`ContrastError::NotUnit`] if a row does not have norm 1.
    pub fn restore(
        rows: Tensor,
        metadata: SampleMetadata,
        position: usize,
        filled: usize,
    ) -> Result<Self, ContrastError> {
        let shape = rows.size();
        if shape.len() != 2 || shape[0] < 1 || shape[1] < 1 {
            return Err(ContrastError::shape(format!("expected a saved queue of shape (K, D), got {shape:?}")));
        }
        let size = usize::try_from(shape[0]).unwrap_or(0);
        let part = |values: Option<&[i64]>| values.map_or_else(|| vec![UNKNOWN; size], <[i64]>::to_vec);
        let (images, labels) = (part(metadata.images), part(metadata.labels));
        if images.len() != size || labels.len() != size {
            let lengths = format!("{} images and {} labels", images.len(), labels.len());
            return Err(ContrastError::shape(format!("a saved queue of {size} rows has {lengths}")));
        }
        let queue = Self { rows: rows.f_to_kind(Kind::Float)?, images, labels, position, filled };
        if position >= queue.len() || filled > queue.len() {
            return Err(ContrastError::shape(format!("a saved queue of {} rows has position {position}", queue.len())));
        }
        check_unit("queue", &queue.rows, 0)?;
        Ok(queue)
    }

    /// All rows (K, D), float32.
    pub fn rows(&self) -> &Tensor {
        &self.rows
    }

    /// Image ids and labels of the rows; negative if unknown.
    pub fn metadata(&self) -> SampleMetadata<'_> {
        SampleMetadata { images: Some(&self.images), labels: Some(&self.labels) }
    }

    /// K.
    pub fn len(&self) -> usize {
        usize::try_from(self.rows.size()[0]).unwrap_or(0)
    }

    /// Whether there are no rows (never: [`Self::new`] refuses it).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row that the next key will overwrite.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Number of rows with real keys; the others are initial random rows.
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// Writes keys (B, D) and their metadata over the oldest rows. If there are more than K keys, the last K are kept.
    ///
    /// # Errors
    /// [`ContrastError::Input`] if dimensions or lengths differ.
    pub fn enqueue(&mut self, keys: &Tensor, metadata: SampleMetadata) -> Result<(), ContrastError> {
        let (size, shape) = (self.len(), keys.size());
        if shape.len() != 2 || shape[1] != self.rows.size()[1] {
            return Err(ContrastError::shape(format!(
                "keys of shape {shape:?} do not fit a queue of shape {:?}",
                self.rows.size()
            )));
        }
        let batch = usize::try_from(shape[0]).unwrap_or(0);
        if [metadata.images, metadata.labels].into_iter().flatten().any(|values| values.len() != batch) {
            return Err(ContrastError::shape(format!("expected the images and labels of {batch} keys")));
        }
        let skipped = batch.saturating_sub(size);
        let start = (self.position + skipped) % size;
        let kept = batch - skipped;
        let first = kept.min(size - start);
        no_grad(|| -> Result<(), ContrastError> {
            let write = |row: usize, from: usize, count: usize| -> Result<(), ContrastError> {
                if count > 0 {
                    let source = keys.f_narrow(0, to_i64(from), to_i64(count))?.f_to_kind(Kind::Float)?;
                    self.rows.f_narrow(0, to_i64(row), to_i64(count))?.f_copy_(&source)?;
                }
                Ok(())
            };
            write(start, skipped, first)?;
            write(0, skipped + first, kept - first)
        })?;
        for (values, new) in [(&mut self.images, metadata.images), (&mut self.labels, metadata.labels)] {
            for i in 0..kept {
                values[(start + i) % size] = new.map_or(UNKNOWN, |new| new[skipped + i]);
            }
        }
        self.position = (self.position + batch) % size;
        self.filled = (self.filled + batch).min(size);
        Ok(())
    }
}

/// Tolerance of a row's norm: large enough for bf16 products, and far below the error of a mistake (a wrong axis gives norms of 0.04).
const NORM_TOLERANCE: f64 = 1e-2;

/// Refuses rows (n, D) that are not finite or not of norm 1.
///
/// # Errors
/// [`ContrastError::NotFinite`], [`ContrastError::NotUnit`].
pub fn check_unit(what: &'static str, rows: &Tensor, step: u64) -> Result<(), ContrastError> {
    check_norms(what, &row_norms(rows)?, step)
}

/// Norms of the rows (B,), on the device of the rows.
fn row_norms(rows: &Tensor) -> Result<Tensor, ContrastError> {
    Ok(no_grad(|| rows.f_detach()?.f_norm_scalaropt_dim(2, [1i64].as_slice(), false))?)
}

/// [`check_unit`] for rows on a device, read back together with a step's other numbers.
pub(crate) struct UnitRows {
    what: &'static str,
    norms: Tensor,
    /// Amount by which the worst norm exceeds the tolerance.
    off: Deferred,
}

impl UnitRows {
    pub fn new(what: &'static str, rows: &Tensor, readback: &mut Readback) -> Result<Self, ContrastError> {
        let norms = row_norms(rows)?;
        let worst = norms.f_to_kind(Kind::Double)?.f_sub_scalar(1.0)?.f_abs()?.f_max()?;
        Ok(Self { what, off: readback.add(&worst.f_sub_scalar(NORM_TOLERANCE)?)?, norms })
    }

    /// The error if a row does not have norm 1. The norms are read only in this case.
    pub fn check(&self, numbers: &Numbers, step: u64) -> Result<(), ContrastError> {
        let off = numbers.at(self.off);
        if off > 0.0 || off.is_nan() { check_norms(self.what, &self.norms, step) } else { Ok(()) }
    }
}

/// Checks that every norm is finite and 1.
fn check_norms(what: &'static str, norms: &Tensor, step: u64) -> Result<(), ContrastError> {
    let norms = Vec::<f64>::try_from(&norms.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?)?;
    for (row, &norm) in norms.iter().enumerate() {
        if !norm.is_finite() {
            return Err(ContrastError::NotFinite { what, step });
        }
        if (norm - 1.0).abs() > NORM_TOLERANCE {
            return Err(ContrastError::NotUnit { what, row, norm, step });
        }
    }
    Ok(())
}

/// A length in libtorch's type. No allocation has more than `isize::MAX` elements.
pub(crate) fn to_i64(n: usize) -> i64 {
    i64::try_from(n).expect("lengths fit in an i64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(first: i64, count: i64) -> Tensor {
        // Every row of the stream has a different angle, by which it is recognized.
        let angle = Tensor::arange_start(first, first + count, (Kind::Float, Device::Cpu)) * 0.01;
        Tensor::stack(&[angle.cos(), angle.sin()], 1)
    }

    proptest! {
        #[test]
        fn any_batches_leave_the_last_keys_in_the_ring(size in 1usize..20, batches in prop::collection::vec(0i64..30, 1..6)) {
            let mut queue = Queue::new(size, 2, Device::Cpu).unwrap();
            let mut model: Vec<i64> = vec![-1; size];
            let mut total = 0i64;
            for batch in batches {
                let ids: Vec<i64> = (total..total + batch).collect();
                queue.enqueue(&keys(total, batch), SampleMetadata { images: Some(&ids), labels: None }).unwrap();
                for key in total..total + batch {
                    model[usize::try_from(key).unwrap() % size] = key;
                }
                total += batch;
            }
            prop_assert_eq!(queue.filled(), size.min(usize::try_from(total).unwrap()));
            prop_assert_eq!(queue.position(), usize::try_from(total).unwrap() % size);
            prop_assert_eq!(queue.metadata().images.unwrap(), &model);
            prop_assert!(queue.metadata().labels.unwrap().iter().all(|&label| label == -1));
            for (row, &key) in model.iter().enumerate() {
                if key >= 0 {
                    let wanted = keys(key, 1).view([2]);
                    prop_assert!(queue.rows().get(to_i64(row)).equal(&wanted));
                }
            }
            check_unit("queue", queue.rows(), 0).unwrap();
        }
    }

    #[test]
    fn rows_are_unit_at_step_0_and_bad_parts_are_refused() {
        let queue = Queue::new(100, 128, Device::Cpu).unwrap();
        check_unit("queue", queue.rows(), 0).unwrap();
        assert!(Queue::new(0, 128, Device::Cpu).is_err());
        // Normalized along the wrong axis, as in a public implementation.
        let wrong = queue.rows() / queue.rows().norm_scalaropt_dim(2, [0i64].as_slice(), true);
        assert!(matches!(Queue::restore(wrong, SampleMetadata::default(), 0, 0), Err(ContrastError::NotUnit { .. })));
        assert!(Queue::restore(queue.rows().copy(), SampleMetadata::default(), 100, 0).is_err());
        let few = SampleMetadata { images: Some(&[1, 2]), labels: None };
        assert!(matches!(
            Queue::restore(queue.rows().copy(), few, 0, 0),
            Err(ContrastError::Input(CoreError::Shape(_)))
        ));
    }
}
