//! The edges between the pixels of a mask and others, from its run lengths: their cost goes by the number of runs, not by that of the pixels.

use crate::rle::Rle;

/// A vertical edge at the left of column `x`, for rows `top` to `bottom` (exclusive).
pub(crate) struct Vertical {
    pub(crate) x: usize,
    pub(crate) top: usize,
    pub(crate) bottom: usize,
    /// Whether the object is at the right of the edge.
    pub(crate) enters: bool,
}

/// Columns with pixels of the object, each with the rows where the object begins and ends, in turn and strictly increasing.
pub(crate) fn columns(rle: &Rle) -> Vec<(usize, Vec<usize>)> {
    let mut columns: Vec<(usize, Vec<usize>)> = Vec::new();
    for (x, top, bottom) in rle.pieces() {
        match columns.last_mut() {
            // Runs with an empty one between them.
            Some((last, rows)) if *last == x && rows.last() == Some(&top) => {
                rows.pop();
                rows.push(bottom);
            }
            Some((last, rows)) if *last == x => rows.extend([top, bottom]),
            _ => columns.push((x, vec![top, bottom])),
        }
    }
    columns
}

/// The vertical edges from the left. None passes a corner of the object.
pub(crate) fn vertical(columns: &[(usize, Vec<usize>)]) -> Vec<Vertical> {
    let mut edges = Vec::new();
    for (at, (x, rows)) in columns.iter().enumerate() {
        let left = at.checked_sub(1).map(|before| &columns[before]).filter(|(before, _)| before + 1 == *x);
        between(*x, left.map_or(&[], |(_, rows)| rows), rows, &mut edges);
        if columns.get(at + 1).is_none_or(|(next, _)| *next != x + 1) {
            between(x + 1, rows, &[], &mut edges);
        }
    }
    edges
}

/// The edges between two columns.
fn between(x: usize, left: &[usize], right: &[usize], edges: &mut Vec<Vertical>) {
    let (mut in_left, mut in_right, mut begun) = (0, 0, 0);
    loop {
        let next = match (left.get(in_left), right.get(in_right)) {
            (Some(a), Some(b)) => *a.min(b),
            (Some(row), None) | (None, Some(row)) => *row,
            (None, None) => return,
        };
        // After an odd number of its rows a column is inside of the object.
        let (inside_left, inside_right) = (in_left % 2 == 1, in_right % 2 == 1);
        if inside_left != inside_right {
            edges.push(Vertical { x, top: begun, bottom: next, enters: inside_right });
        }
        in_left += usize::from(left.get(in_left) == Some(&next));
        in_right += usize::from(right.get(in_right) == Some(&next));
        begun = next;
    }
}

impl Rle {
    /// Runs of the object along the rows, as (row, first column, column after the last), in the order of rows and columns.
    pub fn row_runs(&self) -> Vec<(usize, usize, usize)> {
        let edges = vertical(&columns(self));
        let mut crossings: Vec<(usize, usize)> =
            edges.iter().flat_map(|edge| (edge.top..edge.bottom).map(|y| (y, edge.x))).collect();
        // Edges come from the left, and the sort keeps the order of those of a row.
        crossings.sort_by_key(|&(y, _)| y);
        // A row is entered and left in turn.
        crossings.chunks_exact(2).map(|pair| (pair[0].0, pair[0].1, pair[1].1)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_runs_have_exactly_the_pixels() {
        // Columns of 3: a run that goes over the end of a column, an empty run, a gap of columns.
        let cases = [
            (3, 5, vec![1, 4, 10]),
            (3, 5, vec![0, 2, 0, 1, 6, 3, 3]),
            (3, 5, vec![15]),
            (3, 5, vec![0, 15]),
            (3, 5, vec![0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ];
        for (height, width, counts) in cases {
            let rle = Rle::new(height, width, counts).unwrap();
            let mut drawn = vec![false; 15];
            let runs = rle.row_runs();
            for &(y, x0, x1) in &runs {
                assert!(x0 < x1);
                drawn[y * 5 + x0..y * 5 + x1].fill(true);
            }
            assert_eq!(drawn, rle.to_rows(), "{runs:?}");
            assert!(runs.windows(2).all(|pair| (pair[0].0, pair[0].2) < (pair[1].0, pair[1].1)), "{runs:?}");
        }
    }
}
