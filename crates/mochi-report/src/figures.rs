//! Charts of a run as standalone SVG files, for READMEs and papers.
//!
//! Each file has its own style, with the colors of light mode on a white background, so that it can be read on any page. It uses no CSS
//! variables and loads nothing.

use crate::frame::{CHART, PALETTE};
use crate::plot::{Figure, HEIGHT, WIDTH};

/// White space around a chart.
const MARGIN: f64 = 14.0;
/// Charts of the overview, in two columns.
const OVERVIEW: usize = 4;

/// Name and content of every file: one per chart, named for its title, and `overview.svg` with the first four.
pub(crate) fn files(figures: &[Figure]) -> Vec<(String, String)> {
    let single = figures.iter().map(|figure| (format!("{}.svg", file_stem(&figure.title)), sheet(&[figure])));
    let first: Vec<&Figure> = figures.iter().take(OVERVIEW).collect();
    let overview = (!first.is_empty()).then(|| ("overview.svg".to_owned(), sheet(&first)));
    overview.into_iter().chain(single).collect()
}

/// Figures in at most two columns.
fn sheet(figures: &[&Figure]) -> String {
    let columns = figures.len().min(2);
    let rows = figures.len().div_ceil(columns.max(1));
    let (cell_width, cell_height) = (WIDTH + 2.0 * MARGIN, HEIGHT + 2.0 * MARGIN);
    let (width, height) = (cell_width * columns as f64, cell_height * rows as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\
         <style>{}</style><rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#fff\"/>",
        style()
    );
    for (i, figure) in figures.iter().enumerate() {
        let x = MARGIN + cell_width * (i % columns.max(1)) as f64;
        let y = MARGIN + cell_height * (i / columns.max(1)) as f64;
        let place = format!("<svg x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" ");
        svg.push_str(&figure.svg.replacen("<svg ", &place, 1));
    }
    svg.push_str("</svg>\n");
    svg
}

/// The style of charts with the colors of light mode in place of the variables.
fn style() -> String {
    let light = PALETTE.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(light, _)| light);
    let colors = light.split(';').filter_map(|entry| entry.trim().split_once(": "));
    colors.fold(CHART.to_owned(), |style, (name, color)| style.replace(&format!("var({name})"), color))
}

/// "Loss and chance level" to "loss-and-chance-level".
fn file_stem(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_alone() {
        let figure =
            |title: &str| Figure { title: title.to_owned(), svg: "<svg viewBox=\"0 0 1 1\"></svg>".to_owned() };
        let files = files(&["Loss", "Query’s age", "C", "D", "E"].map(figure));
        let names: Vec<&str> = files.iter().map(|file| file.0.as_str()).collect();
        assert_eq!(names, ["overview.svg", "loss.svg", "query-s-age.svg", "c.svg", "d.svg", "e.svg"]);
        for (name, svg) in &files {
            assert!(!svg.contains("var(") && svg.contains("fill=\"#fff\"") && svg.contains("#0068a6"), "{name}: {svg}");
            assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
        }
        assert_eq!(files[0].1.matches("<svg").count(), 5);
        assert!(super::files(&[]).is_empty());
    }
}
