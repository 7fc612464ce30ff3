//! An analysis as a page: which values, curves and images it shows.

use std::path::Path;

use mochi_data::Dataset;
use mochi_eval::analysis::collapse::Collapse;
use mochi_eval::analysis::measure::{FALSE_NEGATIVES_ALL, MEASURES};
use mochi_eval::analysis::{Analysis, CheckpointAnalysis};
use mochi_report::{AnalysisPage, BadFile, MeasureChart, Point, RankCurve, SimilarityChart};
use mochi_run::CurveRecord;
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
    let components = analysis.components.as_ref();
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
        charts: charts(checkpoints),
        similarities: similarities(checkpoints),
        matching: checkpoints.iter().filter_map(matching).collect(),
        false_negatives: checkpoints.iter().filter_map(false_negatives).collect(),
        false_chance: last.and_then(|last| last.values.get(&FALSE_NEGATIVES_ALL)),
        map: components.map_or_else(Vec::new, |two| points(analysis, &two.points)),
        map_unit: components.map_or_else(String::new, |two| {
            let [first, second] = two.explained.map(|fraction| 100.0 * fraction);
            format!("{first:.0} % and {second:.0} % of the variance")
        }),
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

/// One chart for each chart of the table of measures, in its order.
fn charts(checkpoints: &[CheckpointAnalysis]) -> Vec<MeasureChart> {
    let mut charts: Vec<MeasureChart> = Vec::new();
    for measure in MEASURES {
        let scale = if measure.fraction { 100.0 } else { 1.0 };
        let point = |one: &CheckpointAnalysis| Some((one.step, scale * one.values.get(measure)?));
        let line = (measure.name, checkpoints.iter().filter_map(point).collect());
        match charts.iter_mut().find(|chart| chart.title == measure.chart.title) {
            Some(chart) => chart.lines.push(line),
            None => charts.push(MeasureChart {
                title: measure.chart.title,
                unit: measure.chart.unit,
                from_zero: measure.chart.from_zero,
                lines: vec![line],
            }),
        }
    }
    charts
}

/// The first and the last checkpoint's histograms.
fn similarities(checkpoints: &[CheckpointAnalysis]) -> Vec<SimilarityChart> {
    let ends = match checkpoints {
        [first, .., last] => vec![first, last],
        all => all.iter().collect(),
    };
    let chart = |one: &CheckpointAnalysis| {
        let similarity = one.similarity.as_ref()?;
        let title = format!("Similarity of pairs at step {}", one.step);
        Some(SimilarityChart { title, positive: similarity.positive.clone(), negative: similarity.negative.clone() })
    };
    ends.into_iter().filter_map(chart).collect()
}

fn matching(one: &CheckpointAnalysis) -> Option<CurveRecord> {
    let hardest = one.hardest.as_ref()?;
    let (ranks, real) = (hardest.ranks.clone(), hardest.probability.clone());
    Some(CurveRecord { step: one.step, epoch: 0, ranks, real, all: None })
}

fn false_negatives(one: &CheckpointAnalysis) -> Option<RankCurve> {
    let hardest = one.hardest.as_ref()?;
    Some(RankCurve { step: one.step, ranks: hardest.ranks.clone(), values: hardest.false_negatives.clone()? })
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
