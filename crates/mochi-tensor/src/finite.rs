//! Values that are not finite.

use std::collections::BTreeMap;

use crate::{Kind, Tensor, TensorError};

/// The name of the first tensor that holds a NaN or an infinity.
///
/// # Errors
/// [`TensorError::Torch`] where memory is short.
pub fn first_not_finite(tensors: &BTreeMap<String, Tensor>) -> Result<Option<&str>, TensorError> {
    for (name, tensor) in tensors {
        let floating = matches!(tensor.kind(), Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16);
        if floating && tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
