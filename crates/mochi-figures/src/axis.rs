//! Ticks of a linear axis, and their labels.

/// A range of values with ticks at round values.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Values that are marked, rising.
    pub ticks: Vec<f64>,
    step: f64,
}

impl Axis {
    /// An axis over `low..high` with about `wanted` ticks at multiples of 1, 2 or 5 times a power of ten.
    pub fn over(low: f64, high: f64, wanted: usize) -> Axis {
        // A single value gets a range around it, so that the line is in the middle.
        let (low, high) = if high > low {
            (low, high)
        } else {
            let margin = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low - margin, high + margin)
        };
        let rough = (high - low) / wanted.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough * 0.999).unwrap_or(10.0);
        let step = factor * power;
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let ticks = (first..=last).take(100).map(|i| i as f64 * step).collect();
        Axis { low, high, ticks, step }
    }

    /// An axis whose ends are ticks.
    pub fn rounded(low: f64, high: f64, wanted: usize) -> Axis {
        let inner = Axis::over(low, high, wanted);
        let step = inner.step;
        Axis::over((inner.low / step + 1e-9).floor() * step, (inner.high / step - 1e-9).ceil() * step, wanted)
    }

    /// Label of a tick, with as many digits as neighboring ticks differ in.
    pub fn label(&self, value: f64) -> String {
        let largest = self.high.abs().max(self.low.abs());
        // Less than half a step from zero is rounding.
        let value = if value.abs() < self.step / 2.0 { 0.0 } else { value };
        if value == 0.0 {
            return "0".to_owned();
        }
        if largest >= 10_000.0 && self.step >= 100.0 {
            let (unit, name) = if largest >= 1e6 { (1e6, "M") } else { (1e3, "k") };
            return format!("{}{name}", digits(value / unit, self.step / unit));
        }
        if largest < 0.001 { format!("{value:.0e}") } else { digits(value, self.step) }
    }
}

fn digits(value: f64, step: f64) -> String {
    let places = (-(step * 1.000_001).log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::Axis;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|&tick| axis.label(tick)).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(&Axis::over(0.0, 9.7, 4)), ["0", "5"]);
        assert_eq!(labels(&Axis::rounded(0.0, 9.7, 4)), ["0", "5", "10"]);
        assert_eq!(
            labels(&Axis::rounded(0.03, 0.31, 4)),
            ["0.0", "0.1", "0.2", "0.3", "0.4"].map(|t| t.replace("0.0", "0"))
        );
        assert_eq!(labels(&Axis::over(0.0, 64_000.0, 4)), ["0", "20k", "40k", "60k"]);
        assert_eq!(labels(&Axis::over(0.0, 3.1e6, 4)), ["0", "1M", "2M", "3M"]);
    }

    #[test]
    fn one_value_is_in_the_middle() {
        let axis = Axis::over(5.0, 5.0, 4);
        assert!(axis.low < 5.0 && axis.high > 5.0 && !axis.ticks.is_empty());
        let axis = Axis::over(0.0, 0.0, 4);
        assert!((axis.low + axis.high).abs() < 1e-12);
    }

    #[test]
    fn every_range_has_at_most_100_ticks() {
        for (low, high) in [(0.0, 1e-300), (-1e300, 1e300), (1e15, 1e15 + 1.0), (1.0, 1.0 + f64::EPSILON)] {
            assert!(Axis::rounded(low, high, 4).ticks.len() <= 100);
        }
    }
}
