//! An array of a pickle, and the tensor of it.

use std::ops::Range;

use crate::{Device, Kind, Tensor, TensorError};

/// NumPy's names of types that libtorch has as well.
pub(super) const KINDS: [(&str, Kind); 9] = [
    ("f8", Kind::Double),
    ("f4", Kind::Float),
    ("f2", Kind::Half),
    ("i8", Kind::Int64),
    ("i4", Kind::Int),
    ("i2", Kind::Int16),
    ("i1", Kind::Int8),
    ("u1", Kind::Uint8),
    ("b1", Kind::Bool),
];

/// An array whose bytes fit its shape.
#[derive(Clone, Debug)]
pub(super) struct Array {
    pub kind: Kind,
    pub shape: Vec<i64>,
    /// Whether the first index changes fastest.
    pub columns_first: bool,
    pub bytes: Bytes,
}

/// Where the bytes of an array are.
#[derive(Clone, Debug)]
pub(super) enum Bytes {
    /// A part of the pickle.
    Part(Range<usize>),
    /// Bytes that protocol 2 writes as text.
    Decoded(Vec<u8>),
}

impl Array {
    /// Copies it onto the CPU.
    ///
    /// # Errors
    /// libtorch's error, where memory is short.
    pub fn tensor(&self, pickle: &[u8]) -> Result<Tensor, TensorError> {
        let bytes = self.bytes.of(pickle);
        if bytes.is_empty() {
            return Tensor::f_empty(&self.shape, (self.kind, Device::Cpu)).map_err(Into::into);
        }
        // A C++ bool that is neither 0 nor 1 is undefined behavior.
        let flags: Vec<u8>;
        let bytes = match self.kind {
            Kind::Bool => {
                flags = bytes.iter().map(|&byte| u8::from(byte != 0)).collect();
                &flags
            }
            _ => bytes,
        };
        if !self.columns_first {
            return Tensor::f_from_data_size(bytes, &self.shape, self.kind).map_err(Into::into);
        }
        let reversed: Vec<i64> = self.shape.iter().rev().copied().collect();
        let axes: Vec<i64> = (0..reversed.len() as i64).rev().collect();
        Ok(Tensor::f_from_data_size(bytes, &reversed, self.kind)?.f_permute(axes)?.f_contiguous()?)
    }
}

impl Bytes {
    pub fn of<'a>(&'a self, pickle: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Part(range) => pickle.get(range.clone()).unwrap_or_default(),
            Self::Decoded(bytes) => bytes,
        }
    }
}
