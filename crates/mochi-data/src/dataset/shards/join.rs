//! Joins the listings of shards into a dataset.

use std::path::Path;
use std::sync::Arc;

use mochi_text::part_of;

use super::index::Listing;
use super::store::{Reach, Shards};
use crate::dataset::{Opened, Store};
use crate::error::DataError;
use crate::skipped::Skipped;

/// Labels and class names of a dataset, and a warning if only some images have a class.
fn classes(
    shards: &Shards,
    labels: Option<Vec<u32>>,
    labelled: usize,
    named: Vec<String>,
    warnings: &mut Vec<String>,
) -> (Option<Vec<u32>>, Vec<String>) {
    let Some(labels) = labels else {
        if labelled > 0 {
            warnings.push(format!(
                "only {} a class (.cls); classes are ignored",
                part_of(labelled, shards.len(), "image", ["has", "have"])
            ));
        }
        return (None, Vec::new());
    };
    let most = labels.iter().max().copied().unwrap_or(0) as usize;
    // An implausibly large class number would need as many names.
    if most > shards.len().max(1 << 20) {
        warnings.push(format!("class numbers (.cls) go up to {most}; classes are ignored"));
        return (None, Vec::new());
    }
    let names = if named.len() > most { named } else { (0..=most).map(|class| class.to_string()).collect() };
    (Some(labels), names)
}

/// Makes a dataset of shards with these listings.
pub(super) fn opened(
    kind: &'static str,
    source: &Path,
    listings: Vec<Listing>,
    reach: Reach,
    class_names: Vec<String>,
    mut warnings: Vec<String>,
    others: usize,
) -> Result<Opened, DataError> {
    let (shards, labels, labelled) = Shards::join(listings, reach);
    if shards.len() == 0 {
        return Err(DataError::NoImagesInShards { path: source.into(), others });
    }
    let (labels, class_names) = classes(&shards, labels, labelled, class_names, &mut warnings);
    let store = Store::Shards(Arc::new(shards));
    Ok(Opened { kind, store, labels, class_names, warnings, skipped: Skipped::default() })
}
