//! The classes of a dataset and their positions.

use std::collections::HashMap;

/// Names of classes, each of them once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Classes {
    names: Vec<String>,
    positions: HashMap<String, usize>,
}

impl Classes {
    /// The names in their order; repeated ones count where they are first.
    pub(crate) fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut classes = Self::default();
        for name in names {
            classes.add(&name.into());
        }
        classes
    }

    /// The position of a class, which is added if it is new; and whether it is.
    pub(crate) fn add(&mut self, name: &str) -> (usize, bool) {
        if let Some(&position) = self.positions.get(name) {
            return (position, false);
        }
        let position = self.names.len();
        self.names.push(name.to_owned());
        self.positions.insert(name.to_owned(), position);
        (position, true)
    }

    /// The position of a class.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    /// The names in order.
    pub(crate) fn into_names(self) -> Vec<String> {
        self.names
    }
}

/// 1, 2, ...: numbers of classes in formats that have none.
pub(crate) fn counted_ids(classes: usize) -> Vec<u64> {
    (1..=classes as u64).collect()
}
