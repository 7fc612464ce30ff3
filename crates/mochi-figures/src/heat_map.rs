//! Values of a grid as SVG: a row for each value of one axis, a column for each of another; the stronger the color of a cell, the higher its value,
//! and the highest is bold.

use std::fmt::Write as _;

use crate::escape::Escaped;
use crate::plot::{Figure, WIDTH};

/// Left end of the cells; names of rows are left of it, on a line of their own if they are long.
const LEFT: f64 = 76.0;
const TOP: f64 = 46.0;
/// Height of a row.
const ROW: f64 = 34.0;
/// Widest column.
const WIDEST: f64 = 110.0;
/// Opacity of the color of the cell with the highest value; text is readable above it in both themes.
const STRONGEST: f64 = 0.5;

/// What a heat map shows.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// Heading.
    pub title: String,
    /// Unit of the values.
    pub unit: String,
    /// What the rows are, and the label of each.
    pub rows: (String, Vec<String>),
    /// What the columns are, and the label of each.
    pub columns: (String, Vec<String>),
    /// Row by row: a value and the text below it; `None` where there is none.
    pub cells: Vec<Option<(f64, String)>>,
}

impl HeatMap {
    /// The figure; `None` where no cell has a value.
    pub fn render(&self) -> Option<Figure> {
        let count = self.columns.1.len().max(1);
        let values = || self.cells.iter().flatten().map(|cell| cell.0).filter(|value| value.is_finite());
        let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            return None;
        }
        let width = ((WIDTH - LEFT) / count as f64).min(WIDEST);
        let height = TOP + ROW * self.rows.1.len() as f64 + 2.0;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\
             <text class=\"title\" x=\"0\" y=\"13\">{title} <tspan class=\"unit\">{unit}</tspan></text>\
             <text class=\"tick\" x=\"0\" y=\"{below}\">{rows} \\ {columns}</text>",
            title = Escaped(&self.title),
            unit = Escaped(&self.unit),
            rows = Escaped(&self.rows.0),
            columns = Escaped(&self.columns.0),
            below = TOP - 8.0
        );
        for (at, label) in self.columns.1.iter().enumerate() {
            let middle = LEFT + width * (at as f64 + 0.5);
            let _ = write!(svg, "<text class=\"mid\" x=\"{middle:.1}\" y=\"{}\">{}</text>", TOP - 8.0, Escaped(label));
        }
        for (at, label) in self.rows.1.iter().enumerate() {
            let y = TOP + ROW * (at as f64 + 0.5) + 4.0;
            let _ = write!(svg, "<text class=\"end\" x=\"{}\" y=\"{y:.1}\">{}</text>", LEFT - 8.0, Escaped(label));
        }
        for (at, cell) in self.cells.iter().enumerate() {
            let (x, y) = (LEFT + width * (at % count) as f64, TOP + ROW * (at / count) as f64);
            let middle = x + width / 2.0;
            let Some((value, below)) = cell.as_ref().filter(|cell| cell.0.is_finite()) else {
                let _ = write!(svg, "<text class=\"tick mid\" x=\"{middle:.1}\" y=\"{:.1}\">-</text>", y + 20.0);
                continue;
            };
            let strength = if high > low { STRONGEST * (value - low) / (high - low) } else { 0.0 };
            let (w, h) = (width - 2.0, ROW - 2.0);
            let _ = write!(
                svg,
                "<rect class=\"cell\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" fill-opacity=\"{strength:.2}\"/>"
            );
            let class = if *value == high { "mid best" } else { "mid" };
            let _ = write!(svg, "<text class=\"{class}\" x=\"{middle:.1}\" y=\"{:.1}\">{value:.2}</text>", y + 15.0);
            let _ =
                write!(svg, "<text class=\"below\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>", y + 27.0, Escaped(below));
        }
        svg.push_str("</svg>");
        Some(Figure { title: self.title.clone(), svg, height })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(cells: Vec<Option<(f64, String)>>) -> HeatMap {
        let labels = |name: &str, labels: [&str; 2]| (name.to_owned(), labels.map(str::to_owned).to_vec());
        HeatMap {
            title: "a < b".into(),
            unit: "%".into(),
            rows: labels("N", ["64", "<256"]),
            columns: labels("s", ["0", "32"]),
            cells,
        }
    }

    #[test]
    fn the_highest_cell_is_strongest_and_missing_ones_are_dashes() {
        let cell = |value: f64| Some((value, "± 0.50 (3)".to_owned()));
        let svg = map(vec![cell(40.0), cell(42.0), None, cell(f64::NAN)]).render().unwrap().svg;
        assert_eq!((svg.matches("<rect").count(), svg.matches(">-<").count(), svg.matches("best").count()), (2, 2, 1));
        assert!(svg.contains("fill-opacity=\"0.50\"") && svg.contains("fill-opacity=\"0.00\""), "{svg}");
        assert!(svg.contains("a &lt; b") && svg.contains(">&lt;256<") && !svg.contains("NaN"), "{svg}");
        let equal = map(vec![cell(40.0), cell(40.0), None, None]).render().unwrap().svg;
        assert_eq!((equal.matches("fill-opacity=\"0.00\"").count(), equal.matches("best").count()), (2, 2));
    }

    #[test]
    fn without_values_there_is_no_figure() {
        assert_eq!(map(vec![None, Some((f64::NAN, String::new())), None, None]).render(), None);
    }
}
