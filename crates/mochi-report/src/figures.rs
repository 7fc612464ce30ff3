//! Figures as SVG and PNG files, for READMEs and papers. The PNG file of the same name is drawn from the SVG file.

use std::path::{Path, PathBuf};

use mochi_figures::{Figure, png, sheet};
use mochi_files::Folder;

use crate::error::ReportError;
use crate::paper::NotDrawn;

/// Figures that were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenFigures {
    /// PNG and SVG files.
    pub paths: Vec<PathBuf>,
    /// Figures of the paper that the data do not suffice for.
    pub not_drawn: Vec<NotDrawn>,
}

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

/// "Loss and chance level" to "loss-and-chance-level".
fn file_stem(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_names_of_their_figures() {
        let figure = |title: &str| Figure {
            title: title.to_owned(),
            svg: "<svg viewBox=\"0 0 1 1\"></svg>".to_owned(),
            height: 10.0,
        };
        let all = ["Loss", "Query’s age", "C", "D", "E"].map(figure);
        let files = named(&all);
        let names: Vec<&str> = files.iter().map(|file| file.0.as_str()).collect();
        assert_eq!(names, ["overview", "loss", "query-s-age", "c", "d", "e"]);
        assert!(named(&[]).is_empty());
    }
}
