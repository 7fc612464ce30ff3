//! Exact and near duplicates. Duplicates act as false negatives in the queue, and a duplicate in another class has a wrong label.
//!
//! *Exact*: identical pixels (128-bit XXH3 of size and RGB), whatever the encoding; `same_bytes` tells whether the files are identical too.
//! *Near*: perceptual hashes that differ in at most 31 of 256 bits ([`mochi_views::perceptual_hash`]). Of each group of exact duplicates only the
//! first image is compared.

use serde::Serialize;

use super::{ImageSummary, near};
use crate::dataset::Dataset;
use mochi_views::perceptual_hash::{NEAR, PerceptualHash};

/// Group of duplicates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Indices in the dataset, in increasing order.
    pub images: Vec<usize>,
    /// Names of the images.
    pub names: Vec<String>,
    /// Whether the files are identical.
    pub same_bytes: bool,
    /// Whether the images are in different classes.
    pub across_classes: bool,
}

/// Duplicates of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// Groups with identical pixels.
    pub exact: Vec<Group>,
    /// Groups of near duplicates.
    pub near: Vec<Group>,
    /// Number of exact duplicates: images of `exact`, except the first of each group.
    pub redundant_exact: usize,
    /// Number of near duplicates: images of `near`, except the first of each group.
    pub redundant_near: usize,
    /// Largest number of differing bits between near duplicates.
    pub near_bits: u32,
    /// Number of bits of a perceptual hash.
    pub hash_bits: u32,
    /// Images with too little detail for a perceptual hash, such as blank pages. They are compared for identical pixels only.
    pub low_detail: usize,
}

/// Finds the duplicates among all readable images. `progress` is called with the number of perceptual hashes that were compared.
pub(super) fn find(
    dataset: &Dataset,
    summaries: &[Option<ImageSummary>],
    progress: &mut dyn FnMut(usize),
) -> Duplicates {
    let readable = || summaries.iter().enumerate().filter_map(|(at, image)| Some((at, image.as_ref()?)));
    let mut by_pixels: Vec<(u128, usize, u64)> =
        readable().map(|(at, image)| (image.pixel_hash, at, image.byte_hash)).collect();
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
    firsts.retain(|&at| summaries.get(at).and_then(Option::as_ref).is_some_and(|image| !image.low_detail));
    let hashes: Vec<PerceptualHash> =
        firsts.iter().filter_map(|&at| Some(summaries.get(at)?.as_ref()?.perceptual_hash)).collect();
    let near: Vec<Group> = near::groups(&hashes, progress)
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
        hash_bits: 256,
        low_detail: readable().filter(|(_, image)| image.low_detail).count(),
    }
}

fn group(dataset: &Dataset, images: Vec<usize>, same_bytes: bool) -> Group {
    let class = |&at: &usize| dataset.labels().and_then(|labels| labels.get(at).copied());
    let first = images.first().and_then(class);
    let across_classes = images.iter().any(|at| class(at) != first);
    let names = images.iter().map(|&at| dataset.name_of(at)).collect();
    Group { images, names, same_bytes, across_classes }
}
