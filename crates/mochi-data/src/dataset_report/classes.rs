//! Number of images per class.

use serde::Serialize;

use super::sizes::{Spread, spread};
use crate::dataset::Dataset;

/// One class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Class {
    /// Name of the class.
    pub name: String,
    /// Number of images, including bad ones.
    pub images: usize,
    /// Number of bad images.
    pub bad: usize,
}

/// Class balance of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Classes {
    /// Number of classes.
    pub count: usize,
    /// Readable images per class.
    pub images: Spread,
    /// All classes, in the order of their labels.
    pub list: Vec<Class>,
}

impl Classes {
    /// `None` if the dataset has no classes. `good(i)` tells whether image i is readable.
    pub(super) fn of(dataset: &Dataset, good: impl Fn(usize) -> bool) -> Option<Self> {
        let labels = dataset.labels()?;
        let names = dataset.class_names().iter();
        let mut list: Vec<Class> = names.map(|name| Class { name: name.clone(), images: 0, bad: 0 }).collect();
        for (image, &label) in labels.iter().enumerate() {
            if let Some(class) = list.get_mut(label as usize) {
                class.images += 1;
                class.bad += usize::from(!good(image));
            }
        }
        let images = spread(list.iter().map(|class| (class.images - class.bad) as u64).collect())?;
        Some(Self { count: list.len(), images, list })
    }
}
