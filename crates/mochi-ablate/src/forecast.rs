//! How long the cells that remain will take.
//!
//! A whole cell is expected to take as long as finished cells of its variant took on average. A variant without one is expected to take its training time
//! at the measured speed of the machine, times the mean ratio of real to expected time over the finished cells (1 without any): this ratio
//! brings in what the speed does not tell, the evaluation above all. A cell whose training was interrupted takes the fraction of this that is left of its
//! training: one that only lacks results is expected to take no time.

use crate::statistics::mean;

/// One cell, for the forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timed {
    /// Index of its variant.
    pub variant: usize,
    /// Training time in seconds at the measured speed.
    pub expected_s: f64,
    /// Fraction of its training that is left, 0 to 1.
    pub left: f64,
    /// Seconds that it took, where it is finished.
    pub took_s: Option<f64>,
}

/// What is known of the cells' times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    cells: Vec<Timed>,
}

impl Forecast {
    /// From all cells of a plan.
    pub fn new(cells: Vec<Timed>) -> Self {
        Self { cells }
    }

    /// Records how long a cell took.
    pub fn finished(&mut self, index: usize, seconds: f64) {
        if let Some(cell) = self.cells.get_mut(index) {
            cell.took_s = Some(seconds);
        }
    }

    /// Seconds that the cell `index` is expected to take from now on, as its training was when the forecast was made.
    pub fn of(&self, index: usize) -> f64 {
        let Some(cell) = self.cells.get(index) else { return 0.0 };
        let own: Vec<f64> =
            self.cells.iter().filter(|other| other.variant == cell.variant).filter_map(|other| other.took_s).collect();
        cell.left * mean(&own).unwrap_or_else(|| cell.expected_s * self.ratio())
    }

    /// Whether the expectation rests on the speed alone, without any finished cell.
    pub fn is_of_training_only(&self) -> bool {
        self.cells.iter().all(|cell| cell.took_s.is_none())
    }

    fn ratio(&self) -> f64 {
        let ratios: Vec<f64> = self
            .cells
            .iter()
            .filter(|cell| cell.expected_s > 0.0)
            .filter_map(|cell| Some(cell.took_s? / cell.expected_s))
            .collect();
        mean(&ratios).unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finished_cells_correct_the_expectation() {
        let cell = |variant, expected_s| Timed { variant, expected_s, left: 1.0, took_s: None };
        let mut forecast = Forecast::new(vec![cell(0, 100.0), cell(1, 200.0), cell(0, 100.0)]);
        assert!(forecast.is_of_training_only());
        assert_eq!([0, 1, 2, 3].map(|i| forecast.of(i)), [100.0, 200.0, 100.0, 0.0]);
        forecast.finished(0, 150.0);
        assert!(!forecast.is_of_training_only());
        assert_eq!([forecast.of(1), forecast.of(2)], [300.0, 150.0]);
        forecast.finished(1, 500.0);
        assert_eq!([forecast.of(1), forecast.of(2)], [500.0, 150.0]);
    }

    #[test]
    fn an_interrupted_cell_takes_what_is_left_of_its_training() {
        let cell = |left, took_s| Timed { variant: 0, expected_s: 100.0, left, took_s };
        let mut forecast = Forecast::new(vec![cell(1.0, None), cell(0.25, None), cell(0.0, None)]);
        assert_eq!([0, 1, 2].map(|i| forecast.of(i)), [100.0, 25.0, 0.0]);
        forecast.finished(0, 200.0);
        assert_eq!([1, 2].map(|i| forecast.of(i)), [50.0, 0.0]);
    }
}
