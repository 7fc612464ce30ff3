//! A line chart of a run's records. Lines differ in color and in dashes, and are named where they end. The band behind a line is the
//! range of the records in each horizontal bin.

use crate::axis::Axis;
use crate::number::short;
use crate::plot::{BOTTOM, Figure, Plot, TOP};
use crate::scale::Scale;
use crate::series::{Column, Series};

/// One chart.
pub struct Chart<'a> {
    /// Heading.
    pub title: &'a str,
    /// Unit of the values, such as "nats" or "%".
    pub unit: &'a str,
    /// Its lines.
    pub series: Vec<Series>,
    /// Whether the last value is written behind a line's name.
    pub values: bool,
    /// Values that the axis includes in any case.
    pub reach: &'a [f64],
}

/// Styles of lines, given to the series of a chart in order; more lines could not be told apart.
pub const STYLES: [&str; 10] = ["l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7", "l8", "l9"];

/// Distance between two names, in units of the drawing.
const NAME_GAP: f64 = 12.5;
const COLUMNS: usize = 230;
/// Longest name, in characters, behind which a percentage has its sign.
const SIGNED: usize = 12;

impl Chart<'_> {
    /// The figure; `None` if no line has a value.
    pub fn render(&self) -> Option<Figure> {
        let drawn: Vec<&Series> = self.series.iter().filter(|series| !series.is_empty()).collect();
        let points = || drawn.iter().flat_map(|series| series.points.iter());
        let (from, to) = bounds(points().map(|point| point.0))?;
        let runs: Vec<Vec<Vec<Column>>> = drawn.iter().map(|series| series.columns(from, to, COLUMNS)).collect();
        let shown = points().filter_map(|point| point.1).chain(self.reach.iter().copied());
        let (low, high) = bounds(shown)?;
        let (x, y) = (Scale::linear(&Axis::over(from, to, 5)), Scale::linear(&Axis::rounded(low, high, 4)));
        let mut plot = Plot::new(&self.title_of(&drawn), self.unit, "step", x, y);
        for (series, runs) in drawn.iter().zip(&runs) {
            for run in runs {
                draw_run(&mut plot, &series.style, run);
            }
        }
        let mut names: Vec<(f64, (&Series, f64))> = drawn
            .iter()
            .zip(&runs)
            .filter(|(series, _)| !series.name.is_empty())
            .filter_map(|(series, runs)| runs.last()?.last().map(|end| (plot.y(end.mean), (*series, end.mean))))
            .collect();
        spread(&mut names);
        for (at, (series, value)) in names {
            let value = if self.values { self.text_of(value) } else { String::new() };
            plot.name(&series.style, at, &series.name, &value);
        }
        Some(plot.finish())
    }

    /// The title; one that is the names of the lines ("Alignment and uniformity") has only those that are drawn.
    fn title_of(&self, drawn: &[&Series]) -> String {
        let joined = |names: Vec<&str>| names.join(" and ");
        let all = joined(self.series.iter().map(|series| series.name.as_str()).collect());
        let names = joined(drawn.iter().map(|series| series.name.as_str()).collect());
        let mut letters = names.chars();
        match (all.eq_ignore_ascii_case(self.title), letters.next()) {
            (true, Some(first)) => first.to_uppercase().chain(letters).collect(),
            _ => self.title.to_owned(),
        }
    }

    /// A value behind a name. A percentage has no exponent, and its sign where the names are short enough.
    fn text_of(&self, value: f64) -> String {
        if !self.unit.starts_with('%') {
            return short(value);
        }
        let number = if value.abs() < 0.05 { format!("{:.1}", value.abs()) } else { short(value) };
        let short_names = self.series.iter().all(|series| series.name.chars().count() <= SIGNED);
        if short_names { format!("{number} %") } else { number }
    }
}

/// One unbroken part of a line: its band if the records in a bin differ, the line, a dot if it is a single point.
fn draw_run(plot: &mut Plot, style: &str, run: &[Column]) {
    if let [only] = run {
        plot.dot(style, (only.x, only.mean));
        return;
    }
    if run.iter().any(|column| column.high > column.low) {
        let upper = run.iter().map(|c| (c.x, c.high));
        let lower = run.iter().rev().map(|c| (c.x, c.low));
        plot.band(style, upper.chain(lower));
    }
    plot.line(style, run.iter().map(|c| (c.x, c.mean)));
}

/// Moves names apart that would overlap, keeping their order and all of them inside the drawing. Each starts with its vertical position.
pub fn spread<T>(names: &mut [(f64, T)]) {
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = TOP - NAME_GAP;
    for name in names.iter_mut() {
        name.0 = name.0.max(free + NAME_GAP);
        free = name.0;
    }
    let mut limit = BOTTOM + NAME_GAP;
    for name in names.iter_mut().rev() {
        name.0 = name.0.min(limit - NAME_GAP);
        limit = name.0;
    }
}

/// Smallest and largest value.
pub fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |bounds, value| {
        let (low, high) = bounds.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, values: &[f64]) -> Series {
        let points = values.iter().enumerate().map(|(i, &value)| (i as f64, Some(value))).collect();
        Series { name: name.into(), style: "l0".into(), points }
    }

    #[test]
    fn names_never_overlap() {
        for at in [0.0, TOP, 100.0, crate::plot::HEIGHT] {
            let mut names = STYLES.map(|style| (at, style));
            spread(&mut names);
            for pair in names.windows(2) {
                assert!(pair[1].0 - pair[0].0 >= NAME_GAP - 1e-9);
            }
            assert!(names[0].0 >= TOP - 1e-9 && names[STYLES.len() - 1].0 <= BOTTOM + 1e-9);
        }
    }

    #[test]
    fn small_percentages_have_no_exponent() {
        let chart = |name, unit, value| {
            let series = vec![series(name, &[value, value])];
            Chart { title: "t", unit, series, values: true, reach: &[0.0] }.render().unwrap().svg
        };
        for (name, unit, value, text) in [
            ("waiting", "%", 1.3e-3, "0.0 %"),
            ("waiting", "% of x", 46.81, "46.8 %"),
            ("pairs, a parent", "%", 1.3e-3, "0.0"),
            ("waiting", "nats", 1.3e-3, "1.3e-3"),
        ] {
            let svg = chart(name, unit, value);
            assert!(svg.contains(&format!("{name} <tspan class=\"value\">{text}</tspan>")), "{svg}");
        }
    }

    #[test]
    fn a_title_of_names_has_those_that_are_drawn() {
        let of = |values: [&[f64]; 2]| {
            let series = vec![series("alignment", values[0]), series("uniformity", values[1])];
            Chart { title: "Alignment and uniformity", unit: "", series, values: true, reach: &[] }
                .render()
                .unwrap()
                .title
        };
        assert_eq!(of([&[1.0], &[2.0]]), "Alignment and uniformity");
        assert_eq!(of([&[], &[2.0]]), "Uniformity");
        assert_eq!(of([&[1.0], &[]]), "Alignment");
    }

    #[test]
    fn a_chart_without_values_is_left_out() {
        let empty = Series { name: "x".into(), style: "l0".into(), points: vec![(1.0, None)] };
        assert_eq!(Chart { title: "t", unit: "u", series: vec![empty], values: true, reach: &[0.0] }.render(), None);
    }

    #[test]
    fn every_coordinate_is_a_number_inside_the_drawing() {
        for values in [vec![1.0], vec![0.0, 0.0], vec![-3.0, 1e9, 4.0], vec![1e-12, 2e-12]] {
            let chart = Chart { title: "t", unit: "", series: vec![series("a", &values)], values: true, reach: &[] };
            let svg = chart.render().unwrap().svg;
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
