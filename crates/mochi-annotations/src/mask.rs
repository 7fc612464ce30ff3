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

    /// The mask mirrored left to right in an image of this width: x becomes `width - x`.
    #[must_use]
    pub fn flipped(&self, width: u32) -> Self {
        let width = f64::from(width);
        match self {
            Self::Polygons(polygons) => mapped(polygons, |x, y| [width - x, y]),
            Self::Rle(rle) => Self::Rle(rle.flipped()),
        }
    }

    /// The mask of an image that is resized from `from` to `to` (width, height). Points are multiplied by the ratio of the sizes in float64; run lengths are
    /// resized by the nearest pixel ([`Rle::resized`]).
    #[must_use]
    pub fn resized(&self, from: (u32, u32), to: (u32, u32)) -> Self {
        let ratio = |from: u32, to: u32| f64::from(to) / f64::from(from);
        let (fx, fy) = (ratio(from.0, to.0), ratio(from.1, to.1));
        match self {
            Self::Polygons(polygons) => mapped(polygons, |x, y| [x * fx, y * fy]),
            Self::Rle(rle) => Self::Rle(rle.resized(to.1, to.0)),
        }
    }
}

fn mapped(polygons: &[Vec<f64>], point: impl Fn(f64, f64) -> [f64; 2]) -> Mask {
    let polygon = |polygon: &Vec<f64>| polygon.chunks_exact(2).flat_map(|xy| point(xy[0], xy[1])).collect();
    Mask::Polygons(polygons.iter().map(polygon).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polygons_flip_and_scale_exactly() {
        let mask = Mask::Polygons(vec![vec![1.0, 2.0, 7.25, 2.5, 3.0, 9.0]]);
        assert_eq!(mask.bounds(), Some([1.0, 2.0, 7.25, 9.0]));
        assert_eq!(mask.flipped(10), Mask::Polygons(vec![vec![9.0, 2.0, 2.75, 2.5, 7.0, 9.0]]));
        assert_eq!(mask.flipped(10).flipped(10), mask);
        // Integers stay fractions: detectron2 truncates them.
        let scaled = mask.resized((3, 10), (7, 15));
        let Mask::Polygons(polygons) = scaled else { panic!("polygons") };
        assert_eq!(polygons[0][0], 7.0 / 3.0);
        assert_eq!(polygons[0][3], 3.75);
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
