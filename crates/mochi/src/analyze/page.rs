//! An analysis as a page: which values, curves and images it shows.

use std::path::Path;

use mochi_data::Dataset;
use mochi_eval::analysis::Analysis;
use mochi_eval::analysis::collapse::Collapse;
use mochi_eval::analysis::measure::MEASURES;
use mochi_report::{AnalysisCurves, AnalysisPage, BadFile, Point, PointMap};
use mochi_term::Progress;
use mochi_text::counted;

use super::{sheet, table};

/// Bad files, at most.
const BAD: usize = 500;

/// The page of an analysis, with thumbnails.
pub fn page(run: &Path, data: &Path, dataset: &Dataset, analysis: &Analysis, progress: &Progress) -> AnalysisPage {
    let checkpoints = &analysis.checkpoints;
    let last = checkpoints.last();
    let fact = |term: &str, value: String| (term.to_owned(), value);
    // As `analysis.json` has them, so that the page of the run shows the same figures.
    let described: Vec<_> = checkpoints.iter().filter_map(|one| serde_json::to_value(one).ok()).collect();
    AnalysisPage {
        name: format!("{}: embeddings", name_of(run)),
        summary: table::sample(data, analysis),
        facts: vec![
            fact("Checkpoints", checkpoints.len().to_string()),
            fact("Last step", last.map_or_else(String::new, |last| last.step.to_string())),
            fact("Images", counted(analysis.images, "image")),
            fact("Features, embedding", format!("{}, {}", analysis.features, analysis.dim)),
            fact("Neighbors k", analysis.k.to_string()),
            fact("Temperature", analysis.temperature.to_string()),
        ],
        // The first finding is the collapse check.
        findings: analysis
            .findings
            .iter()
            .enumerate()
            .map(|(at, text)| (at == 0 && analysis.collapse != Collapse::None, text.clone()))
            .collect(),
        columns: table::columns(analysis),
        rows: table::rows(analysis),
        curves: AnalysisCurves::of(&described),
        maps: maps(analysis),
        map_classes: if analysis.labels.is_some() { dataset.class_names().to_vec() } else { Vec::new() },
        neighbors: sheet::sheet(dataset, analysis, progress),
        labeled: analysis.labels.is_some(),
        bad: analysis
            .bad_images
            .iter()
            .take(BAD)
            .map(|bad| BadFile { name: bad.name.clone(), reason: bad.reason.to_string(), detail: bad.detail.clone() })
            .collect(),
        more_bad: analysis.bad_images.len().saturating_sub(BAD),
        glossary: MEASURES.iter().map(|measure| (measure.key.to_owned(), measure.doc.to_owned())).collect(),
    }
}

/// The principal components, then t-SNE.
fn maps(analysis: &Analysis) -> Vec<PointMap> {
    let components = analysis.components.as_ref().map(|two| {
        let [first, second] = two.explained.map(|fraction| 100.0 * fraction);
        PointMap {
            title: "Principal components of the features",
            unit: format!("{first:.0} % and {second:.0} % of the variance"),
            caption: "first component",
            points: points(analysis, &two.points),
        }
    });
    let t_sne = analysis.t_sne.as_ref().map(|map| {
        let placed = map.points.len();
        let only = if placed < analysis.images { format!("first {placed} images, ") } else { String::new() };
        PointMap {
            title: "t-SNE of the features",
            unit: format!("{only}perplexity {:.0}", map.perplexity),
            caption: "near points are similar images; far distances mean nothing",
            points: points(analysis, &map.points),
        }
    });
    components.into_iter().chain(t_sne).collect()
}

fn points(analysis: &Analysis, points: &[[f64; 2]]) -> Vec<Point> {
    let class = |row: usize| analysis.labels.as_ref()?.get(row).map(|&class| class as usize);
    points.iter().enumerate().map(|(row, &[x, y])| Point { x, y, class: class(row) }).collect()
}

/// The name of the last part of a path.
fn name_of(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    whole.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
