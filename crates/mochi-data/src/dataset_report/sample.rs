//! Images of a contact sheet: a few per class, drawn at random with a fixed seed.

use mochi_random::philox4x32_10;

use crate::dataset::Dataset;

/// Section of a contact sheet: the images of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Name of the class; `None` if the dataset has no classes.
    pub class: Option<String>,
    /// Number of readable images of that class.
    pub of: usize,
    /// Indices of the drawn images, in increasing order.
    pub images: Vec<usize>,
}

/// Draws at most `most` images for which `good` is true: `most / classes` per class, but at least 4 and at most 12. If there are too many classes,
/// evenly spaced classes are selected. Without classes, at most 96 images.
pub fn sample(dataset: &Dataset, good: &dyn Fn(usize) -> bool, most: usize) -> Vec<Section> {
    let rank = |image: usize| {
        let words = philox4x32_10([image as u32, 0, 0, 0], [0x0005_A3B1, 0]);
        (u64::from(words[0]) << 32 | u64::from(words[1]), image)
    };
    let draw = |images: Vec<usize>, count: usize| {
        let mut ranked: Vec<(u64, usize)> = images.into_iter().map(rank).collect();
        ranked.sort_unstable();
        let mut drawn: Vec<usize> = ranked.into_iter().take(count).map(|(_, image)| image).collect();
        drawn.sort_unstable();
        drawn
    };
    let all = (0..dataset.len()).filter(|&image| good(image));
    let Some(labels) = dataset.labels() else {
        let all: Vec<usize> = all.collect();
        return vec![Section { class: None, of: all.len(), images: draw(all, most.min(96)) }];
    };
    let mut by_class: Vec<Vec<usize>> = vec![Vec::new(); dataset.class_names().len()];
    for image in all {
        if let Some(class) = labels.get(image).and_then(|&label| by_class.get_mut(label as usize)) {
            class.push(image);
        }
    }
    let each = (most / by_class.len().max(1)).clamp(4, 12);
    let shown = (most / each).clamp(1, by_class.len().max(1));
    let count = by_class.len();
    let sections = by_class.into_iter().zip(dataset.class_names()).enumerate();
    sections
        .filter(|(class, _)| class * shown / count != (class + 1) * shown / count)
        .map(|(_, (images, name))| Section { class: Some(name.clone()), of: images.len(), images: draw(images, each) })
        .collect()
}
