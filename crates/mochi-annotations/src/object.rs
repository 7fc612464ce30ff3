//! Which boxes and masks are valid.

use crate::image::Fault;
use crate::mask::Mask;
use crate::problem::ProblemKind;

/// Largest coordinate in pixels, 2^22: COCO's rasterizer is exact up to it.
const LARGEST: f64 = 4_194_304.0;
/// Pixels that a box may reach beyond the image without being reported: VOC boxes of tools that count from 0 begin at -1.
const TOLERANCE: f64 = 1.0;

/// Checks the box of an object. Returns what is to be reported about a box that is kept.
pub(crate) fn check_box(bounds: [f64; 4], width: u32, height: u32) -> Result<Option<Fault>, Fault> {
    let [x0, y0, x1, y1] = bounds;
    let shown = |reason: &str| format!("box ({x0}, {y0}, {x1}, {y1}){reason}");
    if !bounds.into_iter().all(is_valid) {
        return Err((ProblemKind::InvalidNumber, shown("")));
    }
    if x1 <= x0 || y1 <= y0 {
        return Err((ProblemKind::EmptyBox, shown("")));
    }
    let image = || shown(&format!(" in an image of {width} x {height}"));
    let (w, h) = (f64::from(width), f64::from(height));
    if x1 <= 0.0 || y1 <= 0.0 || x0 >= w || y0 >= h {
        return Err((ProblemKind::OutsideBox, image()));
    }
    Ok((!fits(bounds, width, height)).then(|| (ProblemKind::BoxBeyondEdge, image())))
}

/// Whether a box reaches at most one pixel beyond the image.
pub(crate) fn fits([x0, y0, x1, y1]: [f64; 4], width: u32, height: u32) -> bool {
    x0 >= -TOLERANCE && y0 >= -TOLERANCE && x1 <= f64::from(width) + TOLERANCE && y1 <= f64::from(height) + TOLERANCE
}

/// Checks the polygons of an object: those with three points and as many x as y are kept, as in detectron2. Returns what is to be reported about an object
/// that keeps some.
pub(crate) fn check_polygons(mut polygons: Vec<Vec<f64>>) -> Result<(Mask, Option<Fault>), Fault> {
    let all = polygons.len();
    let is_polygon = |polygon: &Vec<f64>| polygon.len() >= 6 && polygon.len().is_multiple_of(2);
    let first = polygons.iter().find(|polygon| !is_polygon(polygon)).map_or(0, Vec::len);
    if let Some(number) = polygons.iter().flatten().find(|number| !is_valid(**number)) {
        return Err((ProblemKind::InvalidNumber, format!("polygon with the coordinate {number}")));
    }
    polygons.retain(is_polygon);
    let dropped = all - polygons.len();
    let detail = || format!("{dropped} of {all} polygons, the first with {first} coordinates");
    if polygons.is_empty() {
        return Err((ProblemKind::InvalidPolygon, detail()));
    }
    let fault = (dropped > 0).then(|| (ProblemKind::DroppedPolygon, detail()));
    Ok((Mask::Polygons(polygons), fault))
}

fn is_valid(number: f64) -> bool {
    number.is_finite() && number.abs() <= LARGEST
}

/// The area of an object whose file gives none: that of its mask, else of its box.
pub(crate) fn area(bounds: [f64; 4], mask: Option<&Mask>, width: u32, height: u32) -> f64 {
    match mask {
        Some(mask) => mask.area(width, height) as f64,
        None => (bounds[2] - bounds[0]) * (bounds[3] - bounds[1]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(bounds: [f64; 4]) -> Result<Option<ProblemKind>, ProblemKind> {
        check_box(bounds, 40, 30).map(|fault| fault.map(|fault| fault.0)).map_err(|fault| fault.0)
    }

    #[test]
    fn boxes_at_the_edge_of_the_image() {
        assert_eq!(kind([0.0, 0.0, 40.0, 30.0]), Ok(None));
        assert_eq!(kind([-1.0, -1.0, 41.0, 31.0]), Ok(None));
        assert_eq!(kind([-1.5, 0.0, 4.0, 4.0]), Ok(Some(ProblemKind::BoxBeyondEdge)));
        assert_eq!(kind([30.0, 20.0, 32.0, 31.5]), Ok(Some(ProblemKind::BoxBeyondEdge)));
        assert_eq!(kind([40.0, 0.0, 44.0, 4.0]), Err(ProblemKind::OutsideBox));
        assert_eq!(kind([0.0, -9.0, 44.0, 0.0]), Err(ProblemKind::OutsideBox));
        assert_eq!(kind([3.0, 3.0, 3.0, 9.0]), Err(ProblemKind::EmptyBox));
        assert_eq!(kind([9.0, 3.0, 3.0, 9.0]), Err(ProblemKind::EmptyBox));
        assert_eq!(kind([0.0, f64::NAN, 3.0, 9.0]), Err(ProblemKind::InvalidNumber));
        assert_eq!(kind([0.0, 0.0, f64::INFINITY, 9.0]), Err(ProblemKind::InvalidNumber));
        assert_eq!(kind([0.0, 0.0, 1e7, 9.0]), Err(ProblemKind::InvalidNumber));
    }

    #[test]
    fn polygons_need_three_points() {
        let triangle = vec![0.0, 0.0, 4.0, 0.0, 4.0, 4.0];
        let kind = |polygons: Vec<Vec<f64>>| match check_polygons(polygons) {
            Ok((mask, fault)) => (Some(mask), fault.map(|fault| fault.0)),
            Err(fault) => (None, Some(fault.0)),
        };
        let mask = Some(Mask::Polygons(vec![triangle.clone()]));
        assert_eq!(kind(vec![triangle.clone()]), (mask.clone(), None));
        let two_points = vec![0.0, 0.0, 4.0, 0.0];
        assert_eq!(kind(vec![two_points.clone(), triangle.clone()]), (mask, Some(ProblemKind::DroppedPolygon)));
        assert_eq!(kind(vec![two_points]), (None, Some(ProblemKind::InvalidPolygon)));
        assert_eq!(kind(vec![vec![1.0; 7]]), (None, Some(ProblemKind::InvalidPolygon)));
        assert_eq!(kind(vec![vec![1e300; 6]]), (None, Some(ProblemKind::InvalidNumber)));
    }
}
