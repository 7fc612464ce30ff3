//! One curve's values, reduced to the columns of a drawing.

/// One curve.
pub struct Series {
    /// Empty for a line that is not named.
    pub name: String,
    /// One of the styles of lines, and `also` for a line that belongs to another one.
    pub style: String,
    /// Step and value, by rising step; `None` if it is not finite.
    pub points: Vec<(f64, Option<f64>)>,
}

/// What one column of the drawing shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) x: f64,
    pub(crate) mean: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Series {
    /// Whether there is anything to draw.
    pub(crate) fn is_empty(&self) -> bool {
        self.points.iter().all(|(_, value)| value.is_none())
    }

    /// The curve in runs of at most `columns` columns over `from..to`, each with mean and range of the values under
    /// it; values that are not finite break the line if their whole column is without a finite one.
    pub(crate) fn columns(&self, from: f64, to: f64, columns: usize) -> Vec<Vec<Column>> {
        let width = (to - from).max(f64::MIN_POSITIVE);
        let index = |x: f64| (((x - from) / width * columns as f64) as usize).min(columns.saturating_sub(1));
        let mut runs = vec![Vec::new()];
        for group in self.points.chunk_by(|a, b| index(a.0) == index(b.0)) {
            let values: Vec<(f64, f64)> = group.iter().filter_map(|&(x, value)| Some((x, value?))).collect();
            if values.is_empty() {
                runs.push(Vec::new());
                continue;
            }
            let n = values.len() as f64;
            let column = values.iter().fold(
                Column { x: 0.0, mean: 0.0, low: f64::INFINITY, high: f64::NEG_INFINITY },
                |c, &(x, value)| Column {
                    x: c.x + x / n,
                    mean: c.mean + value / n,
                    low: c.low.min(value),
                    high: c.high.max(value),
                },
            );
            if let Some(run) = runs.last_mut() {
                run.push(column);
            }
        }
        runs.retain(|run| !run.is_empty());
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_means_ranges_and_gaps() {
        let mut points: Vec<_> = (0..1000).map(|i| (f64::from(i), Some(f64::from(i % 10)))).collect();
        for point in &mut points[400..500] {
            point.1 = None;
        }
        let series = Series { name: "x".into(), style: "l0".into(), points };
        let runs = series.columns(0.0, 1000.0, 100);
        assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [40, 50]);
        let first = runs[0][0];
        assert!((first.mean - 4.5).abs() < 1e-9 && (first.x - 4.5).abs() < 1e-9);
        assert_eq!((first.low, first.high), (0.0, 9.0));
    }

    #[test]
    fn a_single_point_is_one_column() {
        let series = Series { name: "x".into(), style: "l0".into(), points: vec![(5.0, Some(1.0))] };
        assert_eq!(series.columns(5.0, 5.0, 100), [[Column { x: 5.0, mean: 1.0, low: 1.0, high: 1.0 }]]);
    }
}
