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

impl Mask {
    /// Adds every number to a fingerprint.
    pub(crate) fn feed(&self, hash: &mut impl std::hash::Hasher) {
        match self {
            Self::Polygons(polygons) => {
                for polygon in polygons {
                    hash.write_u64(polygon.len() as u64);
                    polygon.iter().for_each(|side| hash.write_u64(side.to_bits()));
                }
            }
            Self::Rle(rle) => {
                hash.write_u64(u64::from(rle.height) << 32 | u64::from(rle.width));
                rle.counts.iter().for_each(|run| hash.write_u32(*run));
            }
        }
    }
}
