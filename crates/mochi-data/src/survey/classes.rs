//! How many images each class has, where the source names classes.

use serde::Serialize;

use super::sizes::{Spread, spread};
use crate::dataset::Dataset;

/// One class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Its images, good or bad.
    pub images: usize,
    /// Those of them that could not be read.
    pub bad: usize,
}

/// The balance of the classes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Classes {
    /// How many there are.
    pub count: usize,
    /// Readable images of a class.
    pub images: Spread,
    /// Each class, in the order of their numbers.
    pub list: Vec<Class>,
}

impl Classes {
    /// `None` where the source has no classes. `good(i)` says whether image i could be read.
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
