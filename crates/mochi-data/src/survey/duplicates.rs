//! The same picture more than once: a queue then holds a picture's copy as its negative, and a copy in another class is a wrong label.
//!
//! *Exact*: the same pixels (128-bit XXH3 of size and RGB), whatever the encoding; `same_bytes` says whether the files are the same too.
//! *Near*: fingerprints that differ in at most 31 of 256 bits ([`super::fingerprint`]); of exact copies only the first takes part.

use serde::Serialize;

use super::fingerprint::{Fingerprint, NEAR};
use super::{Seen, near};
use crate::dataset::Dataset;

/// Images that show the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Their indices in the data set, rising.
    pub images: Vec<usize>,
    /// Their names.
    pub names: Vec<String>,
    /// The encoded bytes are the same.
    pub same_bytes: bool,
    /// They have different classes.
    pub across_classes: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// Groups of equal pixels.
    pub exact: Vec<Group>,
    /// Groups of nearly equal pictures.
    pub near: Vec<Group>,
    /// Images that could go without losing a picture, by equal pixels.
    pub redundant_exact: usize,
    /// Further ones, by likeness.
    pub redundant_near: usize,
    /// Bits of a fingerprint that may differ.
    pub near_bits: u32,
    /// Bits of a fingerprint.
    pub of_bits: u32,
    /// Images with so little in them (a blank page) that likeness says nothing; they were compared for equality alone.
    pub too_flat: usize,
}

/// Looks through all readable images. `progress` is told how many fingerprints were compared.
pub(super) fn find(dataset: &Dataset, seen: &[Option<Seen>], progress: &mut dyn FnMut(usize)) -> Duplicates {
    let readable = || seen.iter().enumerate().filter_map(|(at, seen)| Some((at, seen.as_ref()?)));
    let mut by_pixels: Vec<(u128, usize, u64)> =
        readable().map(|(at, seen)| (seen.pixel_hash, at, seen.byte_hash)).collect();
    by_pixels.sort_unstable();
    let runs = || by_pixels.chunk_by(|a, b| a.0 == b.0);
    let mut exact: Vec<Group> = runs()
        .filter(|run| run.len() > 1)
        .map(|run| {
            let same_bytes = run.iter().all(|one| one.2 == run[0].2);
            group(dataset, run.iter().map(|one| one.1).collect(), same_bytes)
        })
        .collect();
    exact.sort_by(|a, b| a.images.cmp(&b.images));

    let mut firsts: Vec<usize> = runs().filter_map(|run| Some(run.first()?.1)).collect();
    firsts.sort_unstable();
    firsts.retain(|&at| seen.get(at).and_then(Option::as_ref).is_some_and(|seen| !seen.flat));
    let prints: Vec<Fingerprint> = firsts.iter().filter_map(|&at| Some(seen.get(at)?.as_ref()?.fingerprint)).collect();
    let near: Vec<Group> = near::groups(&prints, progress)
        .into_iter()
        .map(|positions| group(dataset, positions.into_iter().map(|at| firsts[at as usize]).collect(), false))
        .collect();

    let redundant = |groups: &[Group]| groups.iter().map(|group| group.images.len() - 1).sum();
    Duplicates {
        redundant_exact: redundant(&exact),
        redundant_near: redundant(&near),
        exact,
        near,
        near_bits: NEAR,
        of_bits: 256,
        too_flat: readable().filter(|(_, seen)| seen.flat).count(),
    }
}

fn group(dataset: &Dataset, images: Vec<usize>, same_bytes: bool) -> Group {
    let class = |&at: &usize| dataset.labels().and_then(|labels| labels.get(at).copied());
    let first = images.first().and_then(class);
    let across_classes = images.iter().any(|at| class(at) != first);
    let names = images.iter().map(|&at| dataset.name_of(at)).collect();
    Group { images, names, same_bytes, across_classes }
}
