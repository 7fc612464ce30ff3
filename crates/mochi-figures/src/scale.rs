//! Mapping of values to positions on an axis, linear or logarithmic.

use crate::axis::Axis;

/// An axis: a range, its ticks, and the position of a value.
pub struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// Value and label.
    pub ticks: Vec<(f64, String)>,
}

impl Scale {
    /// A linear scale over an axis.
    pub fn linear(axis: &Axis) -> Self {
        let ticks = axis.ticks.iter().map(|&tick| (tick, axis.label(tick))).collect();
        Self { low: axis.low, high: axis.high, logarithmic: false, ticks }
    }

    /// A logarithmic scale from `low` to `high`, both above 0.
    pub fn logarithmic(low: f64, high: f64, ticks: Vec<(f64, String)>) -> Self {
        Self { low: low.log10(), high: high.log10(), logarithmic: true, ticks }
    }

    /// Position of a value: 0 at the low end, 1 at the high end.
    pub fn position(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.log10() } else { value };
        (value - self.low) / (self.high - self.low)
    }
}
