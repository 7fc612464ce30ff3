//! Pickles of NumPy arrays, as detectron2's model zoo and MoCo's `convert-pretrain-to-detectron2.py` have them. A pickle is read as data: of what it would
//! call, only the making of arrays is recognized, and nothing is executed.
//!
//! Opcodes are those of protocols 2 to 5 (Python's `pickletools`), the form of an array that of NumPy's `ndarray.__reduce__`.

mod array;
mod machine;

use std::collections::BTreeMap;

use self::array::Array;
use self::machine::Machine;
use crate::{Tensor, TensorError};

/// The arrays of a pickle by their paths through its dictionaries.
#[derive(Debug)]
pub(crate) struct Arrays {
    pickle: Vec<u8>,
    found: BTreeMap<String, Array>,
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
        wanted.map(|(name, array)| Ok((name.clone(), array.tensor(&self.pickle)?))).collect()
    }
}
