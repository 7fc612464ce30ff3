//! Values by row as SVG: a name at the left, and on a common axis the single values as dots, their mean as a bar and an interval as a line. The
//! drawing is as high as it has rows, and its names are above the rows, so that it can be read on a phone.

use std::fmt::Write as _;

use crate::axis::Axis;
use crate::escape::Escaped;
use crate::plot::{Figure, WIDTH};
use crate::scale::Scale;

const LEFT: f64 = 8.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 24.0;
/// Height of a row: its name, and its values below.
const ROW: f64 = 36.0;

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What is written behind the name.
    pub text: String,
    /// Single values, drawn as dots.
    pub values: Vec<f64>,
    /// Their mean, drawn as a bar.
    pub mean: Option<f64>,
    /// Lower and upper end of an interval, drawn as a line.
    pub interval: Option<[f64; 2]>,
}

/// The figure; `None` where no row has a value. `reach`: values that the axis includes in any case, marked by a line.
pub fn rows(title: &str, unit: &str, values: &[Row], reach: &[f64]) -> Option<Figure> {
    let drawn = values
        .iter()
        .flat_map(|row| row.values.iter().copied().chain(row.mean).chain(row.interval.into_iter().flatten()));
    let drawn: Vec<f64> = drawn.filter(|value| value.is_finite()).collect();
    if drawn.is_empty() {
        return None;
    }
    let (low, high) =
        drawn.iter().chain(reach).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
    let scale = Scale::linear(&Axis::rounded(low, high, 5));
    let x = |value: f64| LEFT + scale.position(value) * (RIGHT - LEFT);
    let bottom = TOP + ROW * values.len() as f64;
    let height = bottom + 22.0;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\
         <text class=\"title\" x=\"0\" y=\"13\">{title} <tspan class=\"unit\">{unit}</tspan></text>",
        title = Escaped(title),
        unit = Escaped(unit)
    );
    for (value, label) in &scale.ticks {
        let at = x(*value);
        let _ = write!(svg, "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>");
        let _ = write!(svg, "<text class=\"tick mid\" x=\"{at:.1}\" y=\"{}\">{label}</text>", bottom + 15.0);
    }
    for &value in reach {
        let _ = write!(svg, "<path class=\"axis\" d=\"M{:.1} {TOP}V{bottom}\"/>", x(value));
    }
    for (index, row) in values.iter().enumerate() {
        let top = TOP + ROW * index as f64;
        let y = top + 26.0;
        let _ = write!(
            svg,
            "<text x=\"{LEFT}\" y=\"{}\">{} <tspan class=\"unit\">{}</tspan></text>",
            top + 14.0,
            Escaped(&row.name),
            Escaped(&row.text)
        );
        if let Some([low, high]) = row.interval {
            let _ = write!(svg, "<path class=\"line l0\" d=\"M{:.1} {y}H{:.1}\"/>", x(low), x(high));
        }
        for &value in row.values.iter().filter(|value| value.is_finite()) {
            let _ = write!(svg, "<circle class=\"l4\" cx=\"{:.1}\" cy=\"{y}\" r=\"3\"/>", x(value));
        }
        if let Some(mean) = row.mean {
            let _ = write!(svg, "<path class=\"line l0\" d=\"M{:.1} {}v12\"/>", x(mean), y - 6.0);
        }
    }
    svg.push_str("</svg>");
    Some(Figure { title: title.to_owned(), svg, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[f64], mean: Option<f64>, interval: Option<[f64; 2]>) -> Row {
        Row { name: "a < b".into(), text: String::new(), values: values.to_vec(), mean, interval }
    }

    #[test]
    fn rows_have_dots_a_mean_and_an_interval() {
        let svg = rows("k-NN", "%", &[row(&[1.0, 2.0], Some(1.5), Some([0.5, 2.5])), row(&[], None, None)], &[0.0])
            .unwrap()
            .svg;
        assert_eq!(svg.matches("<circle").count(), 2);
        assert_eq!(svg.matches("line l0").count(), 2);
        assert!(svg.contains("a &lt; b") && !svg.contains("NaN"), "{svg}");
        assert!(svg.contains(&format!("viewBox=\"0 0 470 {}\"", TOP + 2.0 * ROW + 22.0)));
    }

    #[test]
    fn without_values_there_is_no_figure() {
        assert_eq!(rows("k-NN", "%", &[row(&[f64::NAN], None, None)], &[0.0]), None);
    }
}
