//! Names below a folder: relative, without `..`, so that they cannot lead out of it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::{Component, Path};

use crate::error::FileError;

/// The parts of a relative path, all of them plain names.
pub(crate) fn parts(name: &Path) -> Result<Vec<&Path>, FileError> {
    let bad = || FileError::Name { path: name.to_owned() };
    let plain = |part| match part {
        Component::Normal(part) => Ok(Path::new(part)),
        _ => Err(bad()),
    };
    let parts: Vec<&Path> = name.components().map(plain).collect::<Result<_, _>>()?;
    if parts.is_empty() { Err(bad()) } else { Ok(parts) }
}

/// 64 bits that another user cannot guess: the standard library draws the keys of its hash tables from the system.
pub fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
