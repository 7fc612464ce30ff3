//! Result of opening a source of any format.

use std::path::PathBuf;
use std::sync::Arc;

use super::paths::Paths;
use super::raw::Raw;
use super::shards::Shards;
use crate::skipped::Skipped;

/// The images of a dataset.
#[derive(Debug)]
pub(in crate::dataset) enum Store {
    /// One file per image; paths relative to the root.
    Files { root: PathBuf, relative: Paths },
    /// Raw pixels of equal size in memory.
    Raw(Raw),
    /// Encoded images in tar files, local or remote.
    Shards(Arc<Shards>),
}

/// An opened source.
pub(in crate::dataset) struct Opened {
    pub(in crate::dataset) kind: &'static str,
    pub(in crate::dataset) store: Store,
    pub(in crate::dataset) labels: Option<Vec<u32>>,
    pub(in crate::dataset) class_names: Vec<String>,
    pub(in crate::dataset) warnings: Vec<String>,
    pub(in crate::dataset) skipped: Skipped,
}

impl Opened {
    /// Images in memory.
    pub(in crate::dataset) fn raw(
        kind: &'static str,
        raw: Raw,
        labels: Option<Vec<u32>>,
        class_names: Vec<String>,
    ) -> Self {
        let (warnings, skipped) = (Vec::new(), Skipped::default());
        Self { kind, store: Store::Raw(raw), labels, class_names, warnings, skipped }
    }
}
