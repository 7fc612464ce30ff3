//! Targets of an image: none, a class, or objects.

/// The targets of one image.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Targets {
    /// The dataset has no labels.
    #[default]
    None,
    /// The class of the whole image, an index into [`crate::Dataset::class_names`].
    Class(u32),
    /// The objects in the image.
    Objects(Vec<Object>),
}

impl Targets {
    /// The class of the whole image.
    pub fn class(&self) -> Option<u32> {
        match self {
            Self::Class(class) => Some(*class),
            Self::None | Self::Objects(_) => None,
        }
    }
}

/// One object of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// An index into [`crate::Dataset::class_names`].
    pub class: u32,
    /// The box (x_min, y_min, x_max, y_max) in pixels of the stored image; x to the right, y downward.
    pub corners: [f32; 4],
    /// The mask, if the dataset has one.
    pub mask: Option<Mask>,
}

/// The pixels that belong to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Mask {
    /// Polygons as x, y, x, y, ... in pixels of the stored image; the object is their union.
    Polygons(Vec<Vec<f32>>),
    /// Run lengths down the columns, background first (COCO's uncompressed RLE).
    Runs {
        /// Width of the mask in pixels.
        width: u32,
        /// Height of the mask in pixels.
        height: u32,
        /// Lengths of the runs; they add up to `width * height`.
        lengths: Vec<u32>,
    },
}
