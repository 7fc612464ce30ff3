//! Targets of an image: none, or a class.

/// The targets of one image.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Targets {
    /// The dataset has no labels.
    #[default]
    None,
    /// The class of the whole image, an index into [`crate::Dataset::class_names`].
    Class(u32),
}

impl Targets {
    /// The class of the whole image.
    pub fn class(&self) -> Option<u32> {
        match self {
            Self::Class(class) => Some(*class),
            Self::None => None,
        }
    }
}
