//! Boxes as offsets from other boxes (R-CNN; detectron2 `modeling/box_regression.py`, torchvision's `BoxCoder`).
//!
//! ```text
//! dx = w_x (cx' - cx) / w, dy = w_y (cy' - cy) / h, dw = w_w ln(w' / w), dh = w_h ln(h' / h)
//! ```
//!
//! In decoding, dw and dh are limited from above, so that no box becomes more than 62.5 times as large as its source. All arithmetic is float32.

use crate::boxes::BoundingBox;

/// The largest dw and dh after division by their weights: ln(1000 / 16).
const LIMIT: f32 = 4.135_166_6;

/// The weights (w_x, w_y, w_w, w_h).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoxCoder(pub [f32; 4]);

impl BoxCoder {
    /// From anchors to proposals.
    pub const RPN: Self = Self([1.0, 1.0, 1.0, 1.0]);
    /// From proposals to detections.
    pub const ROI: Self = Self([10.0, 10.0, 5.0, 5.0]);

    /// The offsets that lead from `source` to `target`.
    pub fn encode(self, source: BoundingBox, target: BoundingBox) -> [f32; 4] {
        let (s, t, [wx, wy, ww, wh]) = (Centered::of(source), Centered::of(target), self.0);
        [
            wx * (t.x - s.x) / s.width,
            wy * (t.y - s.y) / s.height,
            ww * (t.width / s.width).ln(),
            wh * (t.height / s.height).ln(),
        ]
    }

    /// The box that the offsets lead to from `source`.
    pub fn decode(self, deltas: [f32; 4], source: BoundingBox) -> BoundingBox {
        let (s, [wx, wy, ww, wh]) = (Centered::of(source), self.0);
        let [dx, dy, dw, dh] = [deltas[0] / wx, deltas[1] / wy, deltas[2] / ww, deltas[3] / wh];
        let (x, y) = (dx * s.width + s.x, dy * s.height + s.y);
        // `min` alone would hide NaN.
        let grown = |d: f32| if d > LIMIT { LIMIT.exp() } else { d.exp() };
        let (width, height) = (grown(dw) * s.width, grown(dh) * s.height);
        [x - 0.5 * width, y - 0.5 * height, x + 0.5 * width, y + 0.5 * height]
    }
}

/// A box by its center and sides.
struct Centered {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
}

impl Centered {
    fn of([x0, y0, x1, y1]: BoundingBox) -> Self {
        let (width, height) = (x1 - x0, y1 - y0);
        Self { x: x0 + 0.5 * width, y: y0 + 0.5 * height, width, height }
    }
}
