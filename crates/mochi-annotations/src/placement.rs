//! Where an image's coordinates lie after it was resized and perhaps mirrored.

/// An image resized, then mirrored: x' = x s_x, or W' - x s_x; y' = y s_y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// New width over old width, and new height over old height.
    pub scale: [f64; 2],
    /// Width of the mirrored image, W'; `None` for an image that is not mirrored.
    pub mirrored: Option<f64>,
}

impl Placement {
    /// The image as it is.
    pub const IDENTITY: Self = Self { scale: [1.0, 1.0], mirrored: None };

    /// An image of (width, height) pixels resized to others, and mirrored or not.
    pub fn resize(from: (u32, u32), to: (u32, u32), mirrored: bool) -> Self {
        let ratio = |to: u32, from: u32| f64::from(to) / f64::from(from.max(1));
        Self { scale: [ratio(to.0, from.0), ratio(to.1, from.1)], mirrored: mirrored.then_some(f64::from(to.0)) }
    }

    /// Where the point (x, y) of the original image is.
    pub fn point(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let x = x * self.scale[0];
        [self.mirrored.map_or(x, |width| width - x), y * self.scale[1]]
    }

    /// Where the box (x0, y0, x1, y1) of the original image is.
    pub fn bounds(&self, [x0, y0, x1, y1]: [f64; 4]) -> [f64; 4] {
        ordered(self.point([x0, y0]), self.point([x1, y1]))
    }

    /// The box of the original image that is at (x0, y0, x1, y1).
    pub fn original(&self, [x0, y0, x1, y1]: [f64; 4]) -> [f64; 4] {
        let back = |x: f64, y: f64| {
            let x = self.mirrored.map_or(x, |width| width - x);
            [x / self.scale[0], y / self.scale[1]]
        };
        ordered(back(x0, y0), back(x1, y1))
    }
}

/// A mirrored box has its corners in the other order.
fn ordered([x0, y0]: [f64; 2], [x1, y1]: [f64; 2]) -> [f64; 4] {
    [x0.min(x1), y0.min(y1), x0.max(x1), y0.max(y1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// detectron2 keeps integer boxes as integers and truncates what resizing makes of them.
    #[test]
    fn integer_boxes_are_not_truncated() {
        let placement = Placement::resize((640, 427), (1199, 800), false);
        let [x0, y0, x1, y1] = placement.bounds([100.0, 50.0, 133.0, 127.0]);
        for (ours, wanted) in [(x0, 187.34), (y0, 93.68), (x1, 249.17), (y1, 237.94)] {
            assert!((ours - wanted).abs() < 0.005, "{ours} {wanted}");
        }
    }

    #[test]
    fn a_mirrored_box_comes_back() {
        let placement = Placement::resize((100, 50), (200, 150), true);
        let placed = placement.bounds([10.0, 5.0, 30.0, 45.0]);
        assert_eq!(placed, [140.0, 15.0, 180.0, 135.0]);
        assert_eq!(placement.original(placed), [10.0, 5.0, 30.0, 45.0]);
        assert_eq!(Placement::IDENTITY.bounds(placed), placed);
    }
}
