//! From pixels and a plan to a view: every operation with Pillow's arithmetic, several of them in one pass over the pixels.

mod blur;
mod color;
mod geometric;
mod histogram;
mod render;
mod resize;

pub use render::{Normalize, ViewMaker};
pub(crate) use resize::ImageResizer;
