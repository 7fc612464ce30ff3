//! Boxes (x0, y0, x1, y1) in continuous pixel coordinates, float32, as detectron2's `structures/boxes.py` has them: no pixel is added to
//! a width.

/// A box (x0, y0, x1, y1) in pixels.
pub type BoundingBox = [f32; 4];

/// Width times height.
pub fn area([x0, y0, x1, y1]: BoundingBox) -> f32 {
    (x1 - x0) * (y1 - y0)
}

/// Intersection over union; exactly 0 without an intersection. Equals `torchvision.ops.box_iou`.
pub fn iou(a: BoundingBox, b: BoundingBox) -> f32 {
    let side = |low: usize| (a[low + 2].min(b[low + 2]) - a[low].max(b[low])).max(0.0);
    let intersection = side(0) * side(1);
    if intersection > 0.0 { intersection / (area(a) + area(b) - intersection) } else { 0.0 }
}

/// The part of a box within an image.
pub fn clip(b: BoundingBox, size: ImageSize) -> BoundingBox {
    let (width, height) = (size.width as f32, size.height as f32);
    [b[0].clamp(0.0, width), b[1].clamp(0.0, height), b[2].clamp(0.0, width), b[3].clamp(0.0, height)]
}

/// Whether width or height is not positive.
pub fn is_empty(b: BoundingBox) -> bool {
    !(b[2] - b[0] > 0.0 && b[3] - b[1] > 0.0)
}

/// Height and width of an image in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSize {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
}
