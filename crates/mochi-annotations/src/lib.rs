//! Images with annotated objects: what detectors learn from and are evaluated on.
//!
//! ```text
//! VOC folder  ┐
//! COCO folder ├─> Annotations: classes, images, objects ─> training, evaluation, check
//! YOLO folder ┘   Problems: what was wrong, by file and object
//! ```
//!
//! Coordinates are continuous, in pixels of the image as it is displayed (EXIF orientation applied): the left edge of the first column is 0,
//! the right edge of the last is the width. Boxes are (x0, y0, x1, y1).
#![forbid(unsafe_code)]

mod annotations;
mod mask;
mod placement;
mod rle;
mod target;

pub use annotations::{AnnotatedImage, Annotations, Object};
pub use mask::Mask;
pub use placement::Placement;
pub use rle::{Rle, RleError};
