//! What an error is: relative to the largest entry of the reference, `max |ours - theirs| / max |theirs|`; of a group of tensors the
//! largest. Entry by entry it would say nothing: an entry that is 0 up to rounding has no digits to agree on.

use crate::error::ParityError;
use mochi_tensor::{Kind, Tensor, no_grad};

/// `max |ours - theirs| / max |theirs|` in float64; the absolute error where `theirs` is 0 throughout, NaN where either holds NaN.
///
/// # Errors
/// Where the shapes differ.
pub fn relative_error(ours: &Tensor, theirs: &Tensor) -> Result<f64, ParityError> {
    if ours.size() != theirs.size() {
        let text = format!("the result has shape {:?}, the reference's is {:?}", ours.size(), theirs.size());
        return Err(ParityError::Tensor(mochi_tensor::TensorError::Mismatch(text)));
    }
    if ours.numel() == 0 {
        return Ok(0.0);
    }
    no_grad(|| {
        let (ours, theirs) = (ours.f_to_kind(Kind::Double)?, theirs.f_to_kind(Kind::Double)?);
        let off = ours.f_sub(&theirs)?.f_abs()?.f_max()?.f_double_value(&[])?;
        let scale = theirs.f_abs()?.f_max()?.f_double_value(&[])?;
        Ok(if scale == 0.0 { off } else { off / scale })
    })
}

/// The largest error so far and whose it is.
#[derive(Debug, Clone, Default)]
pub struct Worst {
    /// The error; NaN once one was NaN.
    pub error: f64,
    /// Name of the tensor.
    pub name: String,
}

impl Worst {
    /// Takes the error of one more tensor.
    pub fn take(&mut self, name: &str, error: f64) {
        // NaN beats everything and is beaten by nothing.
        if error.is_nan() || error > self.error {
            *self = Self { error, name: name.to_owned() };
        }
    }

    /// Whether the error is a number and within `bound`.
    pub fn within(&self, bound: f64) -> bool {
        self.error <= bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_relative_to_the_largest_entry_and_nan_is_one() {
        let theirs = Tensor::from_slice(&[0.0f32, -4.0, 1.0]);
        let off = |values: &[f32]| relative_error(&Tensor::from_slice(values), &theirs).unwrap();
        assert_eq!(off(&[0.0, -4.0, 1.0]), 0.0);
        assert_eq!(off(&[1.0, -4.0, 1.0]), 0.25);
        assert!(off(&[0.0, f32::NAN, 1.0]).is_nan());
        assert!(relative_error(&theirs.narrow(0, 0, 2), &theirs).is_err());
        let zeros = theirs.zeros_like();
        assert_eq!(relative_error(&theirs, &zeros).unwrap(), 4.0);
    }

    #[test]
    fn nothing_hides_a_nan() {
        let mut worst = Worst::default();
        for (name, error) in [("a", 0.5), ("b", f64::NAN), ("c", 9.0)] {
            worst.take(name, error);
        }
        assert_eq!(worst.name, "b");
        assert!(!worst.within(f64::INFINITY));
    }
}
