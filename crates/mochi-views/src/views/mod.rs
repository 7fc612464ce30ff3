//! Rendering of views from pixels and a plan, with Pillow's arithmetic and several operations per pass over the pixels.

mod blur;
mod color;
mod geometric;
mod histogram;
mod render;
mod resize;

pub use render::{Normalize, ViewMaker};
pub use resize::ImageResizer;
