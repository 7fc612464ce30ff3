//! The pixels of an object, as polygons or run lengths.

/// The pixels that belong to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Mask {
    /// Polygons x0, y0, x1, y1, ... in pixels; the object is their union.
    Polygons(Vec<Vec<f64>>),
    /// Run lengths.
    Rle(Rle),
}

/// Run lengths down the columns, background first: COCO's RLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rle {
    /// Height of the mask in pixels.
    pub height: u32,
    /// Width of the mask in pixels.
    pub width: u32,
    /// Lengths of the runs, which add up to `height * width`.
    pub counts: Vec<u32>,
}
