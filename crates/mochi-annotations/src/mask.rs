//! The pixels of an object, as polygons or run lengths.

use crate::rle::Rle;

/// The pixels that belong to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Mask {
    /// Polygons x0, y0, x1, y1, ... in pixels; the object is their union.
    Polygons(Vec<Vec<f64>>),
    /// Run lengths.
    Rle(Rle),
}

impl Mask {
    /// Number of pixels of the object in an image of `width` x `height`: COCO's `annToRLE` and `area`.
    pub fn area(&self, width: u32, height: u32) -> u64 {
        match self {
            Self::Polygons(_) => self.to_rle(width, height).area(),
            Self::Rle(rle) => rle.area(),
        }
    }

    /// The smallest box (x0, y0, x1, y1) around the points of the polygons, or around the pixels; `None` if there are none.
    pub fn bounds(&self) -> Option<[f64; 4]> {
        let polygons = match self {
            Self::Polygons(polygons) => polygons,
            Self::Rle(rle) => return rle.bounds(),
        };
        polygons.iter().flat_map(|polygon| polygon.chunks_exact(2)).fold(None, |bounds, point| {
            let (x, y) = (point[0], point[1]);
            let [x0, y0, x1, y1] = bounds.unwrap_or([x, y, x, y]);
            Some([x0.min(x), y0.min(y), x1.max(x), y1.max(y)])
        })
    }

    /// The mask as run lengths of an image of `width` x `height` (below 2^32 pixels): COCO's `rleFrPoly` and union. Run lengths are returned as they are.
    pub fn to_rle(&self, width: u32, height: u32) -> Rle {
        match self {
            Self::Rle(rle) => rle.clone(),
            Self::Polygons(polygons) => {
                let counts = hotcoco::mask::fr_polys(polygons, height, width).map(|rle| rle.counts);
                // Only images of 2^32 pixels fail, which no reader lets in.
                Rle { height, width, counts: counts.unwrap_or_default() }
            }
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_points() {
        let mask = Mask::Polygons(vec![vec![1.0, 2.0, 7.25, 2.5, 3.0, 9.0]]);
        assert_eq!(mask.bounds(), Some([1.0, 2.0, 7.25, 9.0]));
        assert_eq!(Mask::Polygons(vec![]).bounds(), None);
    }

    #[test]
    fn the_area_is_that_of_the_pixels() {
        let square = vec![2.0, 1.0, 6.0, 1.0, 6.0, 4.0, 2.0, 4.0];
        let mask = Mask::Polygons(vec![square.clone()]);
        assert_eq!(mask.area(10, 8), 12);
        assert_eq!(mask.to_rle(10, 8).bounds(), mask.bounds());
        // A union counts no pixel twice, and pixels outside of the image do not count.
        let two = Mask::Polygons(vec![square, vec![4.0, 2.0, 20.0, 2.0, 20.0, 3.0, 4.0, 3.0]]);
        assert_eq!(two.area(10, 8), 12 + 4);
        assert_eq!(Mask::Rle(mask.to_rle(10, 8)).area(10, 8), 12);
        assert_eq!(Mask::Polygons(vec![]).area(10, 8), 0);
    }
}
