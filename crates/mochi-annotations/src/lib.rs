//! Images with annotated objects: what detectors learn from and are evaluated on.
//!
//! ```text
//! VOC folder  ┐
//! COCO folder ├─> Annotations: classes, images, objects ─> training, evaluation, check
//! YOLO folder ┘   Problems: what was wrong, by file and object
//! ```
//!
//! Instead of a folder, a dataset can be one or several tar files of it, which are read in place.
//!
//! Coordinates are continuous, in pixels of the image as it is displayed (EXIF orientation applied): the left edge of the first column is 0,
//! the right edge of the last is the width. Boxes are (x0, y0, x1, y1).
#![forbid(unsafe_code)]

mod annotations;
mod archive;
mod classes;
mod coco;
mod edges;
mod entry;
mod error;
mod format;
mod gather;
mod image;
mod image_file;
mod mask;
mod object;
mod outline;
mod placement;
mod problem;
mod read;
mod rle;
mod statistics;
mod target;
mod tree;
mod voc;
mod yolo;

pub use annotations::{AnnotatedImage, Annotations, Object};
pub use error::AnnotationError;
pub use format::Format;
pub use image_file::{ImageFile, ImageMember};
pub use mask::Mask;
pub use placement::Placement;
pub use problem::{EXAMPLES, Found, Problem, ProblemKind, Problems, Rule};
pub use read::{Dataset, Purpose, ReadOptions, read, splits};
pub use rle::{Rle, RleError};
pub use statistics::{ClassCount, Sizes, Statistics};
