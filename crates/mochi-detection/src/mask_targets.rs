//! What a mask head is to learn for a region (detectron2 `structures/masks.py`, `rasterize_polygons_within_box`).

use mochi_annotations::Mask;

/// The cells (side, side) of `bounds` that belong to the object, row by row: its polygons are moved and scaled so that the box fills the cells, in
/// float64, and rasterized by COCO's rule.
pub(crate) fn rasterize(mask: &Mask, [x0, y0, x1, y1]: [f32; 4], side: usize) -> Vec<bool> {
    let Mask::Polygons(polygons) = mask else { return vec![false; side * side] };
    let (left, top, width, height) = (f64::from(x0), f64::from(y0), f64::from(x1 - x0), f64::from(y1 - y0));
    let (across, down) = (side as f64 / width.max(0.1), side as f64 / height.max(0.1));
    let moved: Vec<Vec<f64>> = polygons
        .iter()
        .map(|p| p.as_chunks::<2>().0.iter().flat_map(|[x, y]| [(x - left) * across, (y - top) * down]).collect())
        .collect();
    let Ok(rle) = hotcoco::mask::fr_polys(&moved, side as u32, side as u32) else { return vec![false; side * side] };
    let columns = hotcoco::mask::decode(&rle);
    (0..side * side).map(|at| columns[(at % side) * side + at / side] != 0).collect()
}
