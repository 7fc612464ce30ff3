//! The outline of a mask as polygons, for drawing.

use std::collections::BTreeMap;

use crate::edges::{Vertical, columns, vertical};
use crate::mask::Mask;
use crate::rle::Rle;

type Corner = (usize, usize);

impl Mask {
    /// Polygons x0, y0, x1, y1, ... in pixels around the object: its own polygons, or the edges of the pixels of run lengths. Filled by the even-odd rule,
    /// outlines of run lengths cover exactly their pixels; holes have an outline of their own.
    pub fn outline(&self) -> Vec<Vec<f64>> {
        match self {
            Self::Polygons(polygons) => polygons.clone(),
            Self::Rle(rle) => of_runs(rle),
        }
    }
}

/// Follows the edges between pixels of the object and others, with the object at the right.
fn of_runs(rle: &Rle) -> Vec<Vec<f64>> {
    let columns = columns(rle);
    let mut edges: BTreeMap<Corner, Vec<Corner>> = BTreeMap::new();
    let mut edge = |from: Corner, to: Corner| edges.entry(from).or_default().push(to);
    for (x, rows) in &columns {
        for pair in rows.chunks_exact(2) {
            edge((*x, pair[0]), (x + 1, pair[0]));
            edge((x + 1, pair[1]), (*x, pair[1]));
        }
    }
    for Vertical { x, top, bottom, enters } in vertical(&columns) {
        match enters {
            true => edge((x, bottom), (x, top)),
            false => edge((x, top), (x, bottom)),
        }
    }
    let mut outlines = Vec::new();
    while let Some((&start, _)) = edges.first_key_value() {
        let (mut outline, mut at): (Vec<Corner>, Corner) = (Vec::new(), start);
        // As many edges begin at a corner as end at it, so this ends at the start.
        while let Some(next) = take(&mut edges, at) {
            let straight = outline
                .last()
                .is_some_and(|&before| (before.0 == at.0 && at.0 == next.0) || (before.1 == at.1 && at.1 == next.1));
            if !straight {
                outline.push(at);
            }
            at = next;
        }
        outlines.push(outline.into_iter().flat_map(|(x, y)| [x as f64, y as f64]).collect());
    }
    outlines
}

fn take(edges: &mut BTreeMap<Corner, Vec<Corner>>, from: Corner) -> Option<Corner> {
    let ends = edges.get_mut(&from)?;
    let end = ends.pop();
    if ends.is_empty() {
        edges.remove(&from);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rle(rows: &[&str]) -> Rle {
        let bits: Vec<bool> = rows.iter().flat_map(|row| row.bytes().map(|byte| byte == b'#')).collect();
        Rle::from_rows(&bits, rows.len() as u32, rows[0].len() as u32).unwrap()
    }

    #[test]
    fn an_outline_has_corners_only() {
        let outline = Mask::Rle(rle(&["....", ".##.", ".##.", ".#.."])).outline();
        assert_eq!(outline, [[1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 2.0, 3.0, 2.0, 4.0, 1.0, 4.0]]);
        assert!(Mask::Rle(rle(&["..", ".."])).outline().is_empty());
        let polygons = vec![vec![0.5, 0.0, 4.0, 0.0, 4.0, 4.0]];
        assert_eq!(Mask::Polygons(polygons.clone()).outline(), polygons);
    }

    /// Report: minutes for the outlines of masks in an image of 63 megapixels, since every pixel of an object was looked at.
    #[test]
    fn the_outline_of_a_large_mask_takes_as_long_as_its_runs() {
        let side = 60_000u32;
        // All of 3.6 billion pixels but the first and the last row.
        let mut counts = vec![1];
        (0..side).for_each(|_| counts.extend([side - 2, 2]));
        *counts.last_mut().unwrap() = 1;
        let outline = Mask::Rle(Rle::new(side, side, counts).unwrap()).outline();
        let side = f64::from(side);
        assert_eq!(outline, [[0.0, 1.0, side, 1.0, side, side - 1.0, 0.0, side - 1.0]]);
    }

    /// Even-odd at the center of a pixel: edges at its left.
    #[test]
    fn outlines_cover_exactly_the_pixels() {
        for rows in [
            &["#####", "#...#", "#.#.#", "#...#", "#####"][..],
            &["#.#.#", ".#.#.", "#.#.#"],
            &["####", "####"],
            &["#", ".", "#"],
            &[".##..", "##.#.", "#..##", "##.#.", ".####"],
        ] {
            let rle = rle(rows);
            let outlines = Mask::Rle(rle.clone()).outline();
            let inside = |x: f64, y: f64| {
                let crossed = outlines.iter().flat_map(|outline| {
                    let corners: Vec<&[f64]> = outline.chunks_exact(2).collect();
                    (0..corners.len())
                        .filter(|&i| {
                            let (a, b) = (corners[i], corners[(i + 1) % corners.len()]);
                            a[0] == b[0] && a[0] < x && a[1].min(b[1]) < y && y < a[1].max(b[1])
                        })
                        .collect::<Vec<_>>()
                });
                crossed.count() % 2 == 1
            };
            let (w, h) = (rle.width as usize, rle.height as usize);
            let drawn: Vec<bool> = (0..w * h).map(|i| inside((i % w) as f64 + 0.5, (i / w) as f64 + 0.5)).collect();
            assert_eq!(drawn, rle.to_rows(), "{rows:?}");
        }
    }
}
