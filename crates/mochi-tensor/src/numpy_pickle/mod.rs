//! Pickles of NumPy arrays, as detectron2's model zoo and MoCo's `convert-pretrain-to-detectron2.py` have them. A pickle is read as data: of what it would
//! call, only the making of arrays is recognized, and nothing is executed.
//!
//! Opcodes are those of protocols 2 to 5 (Python's `pickletools`), the form of an array that of NumPy's `ndarray.__reduce__`.

mod machine;

use std::collections::BTreeMap;
use std::ops::Range;

use self::machine::Machine;
use crate::{Device, Kind, Tensor, TensorError};

/// NumPy's names of types that libtorch has as well.
const KINDS: [(&str, Kind); 9] = [
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

/// The arrays of a pickle by their paths through its dictionaries.
#[derive(Debug)]
pub(crate) struct Arrays {
    pickle: Vec<u8>,
    found: BTreeMap<String, Array>,
}

/// An array whose bytes fit its shape.
#[derive(Clone, Debug)]
struct Array {
    kind: Kind,
    shape: Vec<i64>,
    /// Whether the first index changes fastest.
    columns_first: bool,
    bytes: Bytes,
}

#[derive(Clone, Debug)]
enum Bytes {
    /// A part of the pickle.
    Part(Range<usize>),
    /// Bytes that protocol 2 writes as text.
    Decoded(Vec<u8>),
}

impl Arrays {
    /// Reads a pickle.
    ///
    /// # Errors
    /// A sentence: what is damaged, or which array has an unsupported type.
    pub fn read(pickle: Vec<u8>) -> Result<Self, String> {
        let found = Machine::new(&pickle).arrays()?;
        Ok(Self { pickle, found })
    }

    /// Whether there is no array.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Every array's name and shape.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, Vec<i64>)> {
        self.found.iter().map(|(name, array)| (name.as_str(), array.shape.clone()))
    }

    /// Copies the arrays whose names `wanted` takes onto the CPU.
    pub fn tensors(&self, wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Tensor>, TensorError> {
        let wanted = self.found.iter().filter(|(name, _)| wanted(name));
        wanted.map(|(name, array)| Ok((name.clone(), self.tensor(array)?))).collect()
    }

    fn tensor(&self, array: &Array) -> Result<Tensor, TensorError> {
        let bytes = array.bytes.of(&self.pickle);
        if bytes.is_empty() {
            return Tensor::f_empty(&array.shape, (array.kind, Device::Cpu)).map_err(Into::into);
        }
        // A C++ bool that is neither 0 nor 1 is undefined behavior.
        let flags: Vec<u8>;
        let bytes = match array.kind {
            Kind::Bool => {
                flags = bytes.iter().map(|&byte| u8::from(byte != 0)).collect();
                &flags
            }
            _ => bytes,
        };
        if !array.columns_first {
            return Tensor::f_from_data_size(bytes, &array.shape, array.kind).map_err(Into::into);
        }
        let reversed: Vec<i64> = array.shape.iter().rev().copied().collect();
        let axes: Vec<i64> = (0..reversed.len() as i64).rev().collect();
        Ok(Tensor::f_from_data_size(bytes, &reversed, array.kind)?.f_permute(axes)?.f_contiguous()?)
    }
}

impl Bytes {
    fn of<'a>(&'a self, pickle: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Part(range) => pickle.get(range.clone()).unwrap_or_default(),
            Self::Decoded(bytes) => bytes,
        }
    }
}
