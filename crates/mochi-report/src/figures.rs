//! Figures as files of their own, SVG and PNG, for READMEs and papers.
//!
//! Each SVG file has its own style, with the colors of light mode on a white background, so that it can be read on any page. It uses no CSS
//! variables and loads nothing. The PNG file of the same name is drawn from it.

use std::path::{Path, PathBuf};

use mochi_files::Folder;

use crate::error::ReportError;
use crate::frame::{CHART, PALETTE};
use crate::paper::NotDrawn;
use crate::plot::{Figure, WIDTH};
use crate::png::png;

/// Figures that were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenFigures {
    /// PNG and SVG files.
    pub paths: Vec<PathBuf>,
    /// Figures of the paper that the data do not suffice for.
    pub not_drawn: Vec<NotDrawn>,
}

/// White space around a figure.
const MARGIN: f64 = 14.0;
/// Figures of the overview, in two columns.
const OVERVIEW: usize = 4;

/// Writes figures, each with the name of its files without extension, into `folder`, which is created if necessary. Returns the paths.
///
/// # Errors
/// [`ReportError::File`], [`ReportError::Drawing`].
pub(crate) fn write(figures: &[(String, Vec<&Figure>)], folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let target = Folder::create(folder)?;
    let mut written = Vec::new();
    for (name, figures) in figures {
        let svg = sheet(figures);
        let files = [(format!("{name}.png"), png(name, &svg)?), (format!("{name}.svg"), svg.into_bytes())];
        for (file, bytes) in files {
            target.write(&file, &bytes)?;
            written.push(folder.join(file));
        }
    }
    Ok(written)
}

/// Each figure, named for its title.
pub(crate) fn singles(figures: &[Figure]) -> impl Iterator<Item = (String, Vec<&Figure>)> {
    figures.iter().map(|figure| (file_stem(&figure.title), vec![figure]))
}

/// The charts of runs: `overview` with the first four, and each one.
pub(crate) fn named(figures: &[Figure]) -> Vec<(String, Vec<&Figure>)> {
    let first: Vec<&Figure> = figures.iter().take(OVERVIEW).collect();
    let overview = (!first.is_empty()).then(|| ("overview".to_owned(), first));
    overview.into_iter().chain(singles(figures)).collect()
}

/// Figures in at most two columns.
fn sheet(figures: &[&Figure]) -> String {
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
        let figure = |title: &str| Figure {
            title: title.to_owned(),
            svg: "<svg viewBox=\"0 0 1 1\"></svg>".to_owned(),
            height: 10.0,
        };
        let all = ["Loss", "Query’s age", "C", "D", "E"].map(figure);
        let files = named(&all);
        let names: Vec<&str> = files.iter().map(|file| file.0.as_str()).collect();
        assert_eq!(names, ["overview", "loss", "query-s-age", "c", "d", "e"]);
        for (name, figures) in &files {
            let svg = sheet(figures);
            assert!(!svg.contains("var(") && svg.contains("fill=\"#fff\"") && svg.contains("#0068a6"), "{name}: {svg}");
            assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
            assert_eq!(svg.matches("<svg").count(), figures.len() + 1);
        }
        assert!(named(&[]).is_empty());
    }

    #[test]
    fn figures_of_different_heights_do_not_overlap() {
        let figure = |height| Figure { title: "a".into(), svg: "<svg viewBox=\"0 0 1 1\"></svg>".into(), height };
        let all = [figure(10.0), figure(50.0), figure(20.0)];
        let svg = sheet(&all.iter().collect::<Vec<_>>());
        assert!(svg.contains("height=\"126\"") && svg.contains("y=\"92\" width=\"470\" height=\"20\""), "{svg}");
    }
}
