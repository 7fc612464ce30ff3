//! A line chart as inline SVG: axes with units, lines that are told apart without colour (dashes too) and named where
//! they end. The band behind a line is the range of the records that fall into one column of pixels.

use std::fmt::Write as _;

use crate::axis::Axis;
use crate::drawing::{self, END, FLOOR, LEFT, TOP};
use crate::escape::Escaped;
use crate::series::{Column, Series};

/// One chart.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    /// What the values are, such as "nats" or "%".
    pub(crate) unit: &'static str,
    pub(crate) series: Vec<Series>,
    /// Values that the axis reaches in any case.
    pub(crate) reach: &'static [f64],
}

/// Distance of two names, in units of the drawing.
const NAME_GAP: f64 = 12.5;
const COLUMNS: usize = 230;

impl Chart {
    /// The SVG, or nothing where no curve has a value.
    pub(crate) fn render(&self) -> Option<String> {
        let drawn: Vec<&Series> = self.series.iter().filter(|series| !series.is_empty()).collect();
        let points = || drawn.iter().flat_map(|series| series.points.iter());
        let (from, to) = bounds(points().map(|point| point.0))?;
        let runs: Vec<Vec<Vec<Column>>> = drawn.iter().map(|series| series.columns(from, to, COLUMNS)).collect();
        let shown = points().filter_map(|point| point.1).chain(self.reach.iter().copied());
        let (low, high) = bounds(shown)?;
        let (x_axis, y_axis) = (Axis::over(from, to, 5), Axis::rounded(low, high, 4));
        let x = |step: f64| LEFT + x_axis.place(step) * (END - LEFT);
        let y = |value: f64| FLOOR - y_axis.place(value) * (FLOOR - TOP);

        let mut svg = drawing::begin(self.title, self.unit);
        for &tick in &y_axis.ticks {
            drawing::level(&mut svg, y(tick), y_axis.label(tick));
        }
        drawing::floor(&mut svg, "step");
        for &tick in &x_axis.ticks {
            drawing::mark(&mut svg, x(tick), x_axis.label(tick));
        }

        for (series, runs) in drawn.iter().zip(&runs) {
            for run in runs {
                push_run(&mut svg, series.style, run, &x, &y);
            }
        }
        let mut names: Vec<(f64, &Series, f64)> = drawn
            .iter()
            .zip(&runs)
            .filter_map(|(series, runs)| runs.last()?.last().map(|end| (y(end.mean), *series, end.mean)))
            .collect();
        spread(&mut names);
        for (at, series, value) in names {
            let value = reading(value);
            let _ = write!(
                svg,
                "<text class=\"name {}\" x=\"{}\" y=\"{:.1}\">{} <tspan class=\"value\">{value}</tspan></text>",
                series.style,
                END + 6.0,
                at + 3.5,
                Escaped(series.name)
            );
        }
        svg.push_str("</svg>");
        Some(svg)
    }
}

/// One unbroken stretch of a curve: its band where the records under a column differ, its line, a dot where it is a
/// single point.
fn push_run(svg: &mut String, style: &str, run: &[Column], x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) {
    if let [only] = run {
        let _ = write!(svg, "<circle class=\"{style}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\"/>", x(only.x), y(only.mean));
        return;
    }
    if run.iter().any(|column| column.high > column.low) {
        let upper = run.iter().map(|c| (c.x, c.high));
        let lower = run.iter().rev().map(|c| (c.x, c.low));
        let _ = write!(svg, "<path class=\"band {style}\" d=\"{}Z\"/>", path(upper.chain(lower), x, y));
    }
    let _ = write!(svg, "<path class=\"line {style}\" d=\"{}\"/>", path(run.iter().map(|c| (c.x, c.mean)), x, y));
}

fn path(points: impl Iterator<Item = (f64, f64)>, x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    for (i, (step, value)) in points.enumerate() {
        let _ = write!(path, "{}{:.1} {:.1}", if i == 0 { 'M' } else { 'L' }, x(step), y(value));
    }
    path
}

/// Moves names apart that would lie over each other, keeping their order and all of them inside the drawing.
fn spread(names: &mut [(f64, &Series, f64)]) {
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = TOP - NAME_GAP;
    for name in names.iter_mut() {
        name.0 = name.0.max(free + NAME_GAP);
        free = name.0;
    }
    let mut room = FLOOR + NAME_GAP;
    for name in names.iter_mut().rev() {
        name.0 = name.0.min(room - NAME_GAP);
        room = name.0;
    }
}

/// The last value as read off beside the name: three digits that mean something.
fn reading(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size == 0.0 => "0".to_owned(),
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ if size >= 0.01 => format!("{value:.2}"),
        _ => format!("{value:.1e}"),
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |bounds, value| {
        let (low, high) = bounds.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &'static str, values: &[f64]) -> Series {
        let points = values.iter().enumerate().map(|(i, &value)| (i as f64, Some(value))).collect();
        Series { name, style: "l0", points }
    }

    #[test]
    fn names_never_lie_over_each_other() {
        let all: Vec<Series> = (0..5).map(|_| series("same", &[0.5])).collect();
        for at in [0.0, TOP, 100.0, drawing::HEIGHT] {
            let mut names: Vec<(f64, &Series, f64)> = all.iter().map(|series| (at, series, 0.5)).collect();
            spread(&mut names);
            for pair in names.windows(2) {
                assert!(pair[1].0 - pair[0].0 >= NAME_GAP - 1e-9);
            }
            assert!(names[0].0 >= TOP - 1e-9 && names[4].0 <= FLOOR + 1e-9);
        }
    }

    #[test]
    fn a_chart_without_values_is_left_out() {
        let empty = Series { name: "x", style: "l0", points: vec![(1.0, None)] };
        assert_eq!(Chart { title: "t", unit: "u", series: vec![empty], reach: &[0.0] }.render(), None);
    }

    #[test]
    fn every_coordinate_is_a_number_inside_the_drawing() {
        for values in [vec![1.0], vec![0.0, 0.0], vec![-3.0, 1e9, 4.0], vec![1e-12, 2e-12]] {
            let chart = Chart { title: "t", unit: "", series: vec![series("a", &values)], reach: &[] };
            let svg = chart.render().unwrap();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
