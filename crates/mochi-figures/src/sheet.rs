//! Figures as an SVG file of its own.
//!
//! The file has its own style, with the colors of light mode on a white background, so that it can be read on any page. It uses no CSS variables and
//! loads nothing.

use crate::plot::{Figure, WIDTH};

/// Colors as CSS variables, light and dark, for pages that show figures.
pub const PALETTE: &str = include_str!("palette.css");
/// Style of figures, in terms of [`PALETTE`], for pages that show figures.
pub const CHARTS: &str = include_str!("chart.css");

/// White space around a figure.
const MARGIN: f64 = 14.0;

/// An SVG file of figures in at most two columns.
pub fn sheet(figures: &[&Figure]) -> String {
    let columns = figures.len().min(2);
    let rows: Vec<&[&Figure]> = figures.chunks(columns.max(1)).collect();
    let heights = rows.iter().map(|row| row.iter().map(|figure| figure.height).fold(0.0, f64::max) + 2.0 * MARGIN);
    let heights: Vec<f64> = heights.collect();
    let (cell_width, height) = (WIDTH + 2.0 * MARGIN, heights.iter().sum::<f64>());
    let width = cell_width * columns as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\
         <style>{}</style><rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#fff\"/>",
        style()
    );
    let mut y = MARGIN;
    for (row, height) in rows.iter().zip(&heights) {
        for (column, figure) in row.iter().enumerate() {
            let x = MARGIN + cell_width * column as f64;
            let place = format!("<svg x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{}\" ", figure.height);
            svg.push_str(&figure.svg.replacen("<svg ", &place, 1));
        }
        y += height;
    }
    svg.push_str("</svg>\n");
    svg
}

/// The style of charts with the colors of light mode in place of the variables.
fn style() -> String {
    let light = PALETTE.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(light, _)| light);
    let colors = light.split(';').filter_map(|entry| entry.trim().split_once(": "));
    colors.fold(CHARTS.to_owned(), |style, (name, color)| style.replace(&format!("var({name})"), color))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_alone() {
        let figure = Figure { title: "Loss".into(), svg: "<svg viewBox=\"0 0 1 1\"></svg>".into(), height: 10.0 };
        for count in [1, 4, 5] {
            let svg = sheet(&vec![&figure; count]);
            assert!(!svg.contains("var(") && svg.contains("fill=\"#fff\"") && svg.contains("#0068a6"), "{svg}");
            assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
            assert_eq!(svg.matches("<svg").count(), count + 1);
        }
    }

    #[test]
    fn figures_of_different_heights_do_not_overlap() {
        let figure = |height| Figure { title: "a".into(), svg: "<svg viewBox=\"0 0 1 1\"></svg>".into(), height };
        let all = [figure(10.0), figure(50.0), figure(20.0)];
        let svg = sheet(&all.iter().collect::<Vec<_>>());
        assert!(svg.contains("height=\"126\"") && svg.contains("y=\"92\" width=\"470\" height=\"20\""), "{svg}");
    }
}
