//! The curves of an analysis, read from its checkpoints as `analysis.json` has them: measures over the steps, similarities, and the hardest negatives by rank.

use mochi_figures::{Chart, Figure, STYLES, Series};
use mochi_run::CurveRecord;
use mochi_run::measure::{FALSE_NEGATIVES_ALL, MEASURES, Measure};
use serde_json::Value;

use crate::analysis_charts::{self, RankCurve, SimilarityChart};
use crate::matching;

/// The curves of an analysis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnalysisCurves {
    /// Measures over the steps.
    pub charts: Vec<MeasureChart>,
    /// Histograms of similarities.
    pub similarities: Vec<SimilarityChart>,
    /// Matching probabilities by rank.
    pub matching: Vec<CurveRecord>,
    /// Fractions of false negatives up to each rank.
    pub false_negatives: Vec<RankCurve>,
    /// The same among all negatives.
    pub false_chance: Option<f64>,
}

/// A chart of measures over the steps.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasureChart {
    /// Heading.
    pub title: &'static str,
    /// Unit of the values.
    pub unit: &'static str,
    /// Whether the axis includes 0.
    pub from_zero: bool,
    /// Lines with their points: step and value.
    pub lines: Vec<(&'static str, Vec<(u64, f64)>)>,
}

impl AnalysisCurves {
    /// Those of checkpoints by rising step, each a JSON object as `mochi analyze` writes it. What a checkpoint lacks is left out.
    pub fn of(checkpoints: &[Value]) -> Self {
        let ends = match checkpoints {
            [first, .., last] => vec![first, last],
            all => all.iter().collect(),
        };
        Self {
            charts: charts(checkpoints),
            similarities: ends.into_iter().filter_map(similarities).collect(),
            matching: checkpoints.iter().filter_map(matching).collect(),
            false_negatives: checkpoints.iter().filter_map(false_negatives).collect(),
            false_chance: checkpoints.last().and_then(|last| measured(last, &FALSE_NEGATIVES_ALL)),
        }
    }

    /// Figures of the measures over training.
    pub(crate) fn over_training(&self) -> Vec<Figure> {
        self.charts.iter().filter_map(MeasureChart::render).collect()
    }

    /// Figures of pairs and of the hardest negatives.
    pub(crate) fn pairs(&self) -> Vec<Figure> {
        let curves = [
            self.similarities.iter().filter_map(analysis_charts::similarities).collect(),
            matching::charts_by_step(&self.matching),
            analysis_charts::false_negatives(&self.false_negatives, self.false_chance).into_iter().collect(),
        ];
        curves.concat()
    }
}

impl MeasureChart {
    fn render(&self) -> Option<Figure> {
        let series = self.lines.iter().zip(STYLES.iter().cycle()).map(|((name, points), style)| Series {
            name: (*name).to_owned(),
            style: (*style).to_owned(),
            points: points.iter().map(|&(step, value)| (step as f64, value.is_finite().then_some(value))).collect(),
        });
        let reach: &[f64] = if self.from_zero { &[0.0] } else { &[] };
        Chart { title: self.title, unit: self.unit, series: series.collect(), values: true, reach }.render()
    }
}

/// One chart for each chart of the table of measures, in its order.
fn charts(checkpoints: &[Value]) -> Vec<MeasureChart> {
    let mut charts: Vec<MeasureChart> = Vec::new();
    for measure in MEASURES {
        let scale = if measure.fraction { 100.0 } else { 1.0 };
        let point = |one: &Value| Some((step(one)?, scale * measured(one, measure)?));
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

fn step(checkpoint: &Value) -> Option<u64> {
    checkpoint.get("step")?.as_u64()
}

fn measured(checkpoint: &Value, measure: &Measure) -> Option<f64> {
    checkpoint.get(measure.key)?.as_f64()
}

/// Numbers of an array; `None` where one is none.
fn numbers(of: &Value, key: &str) -> Option<Vec<f64>> {
    of.get(key)?.as_array()?.iter().map(Value::as_f64).collect()
}

fn similarities(checkpoint: &Value) -> Option<SimilarityChart> {
    let similarity = checkpoint.get("similarity")?;
    let title = format!("Similarity of pairs at step {}", step(checkpoint)?);
    Some(SimilarityChart {
        title,
        positive: numbers(similarity, "positive")?,
        negative: numbers(similarity, "negative")?,
    })
}

fn ranks(hardest: &Value) -> Option<Vec<u32>> {
    hardest.get("ranks")?.as_array()?.iter().map(|rank| u32::try_from(rank.as_u64()?).ok()).collect()
}

fn matching(checkpoint: &Value) -> Option<CurveRecord> {
    let hardest = checkpoint.get("hardest")?;
    let (ranks, real) = (ranks(hardest)?, numbers(hardest, "probability")?);
    Some(CurveRecord { step: step(checkpoint)?, epoch: 0, ranks, real, all: None })
}

fn false_negatives(checkpoint: &Value) -> Option<RankCurve> {
    let hardest = checkpoint.get("hardest")?;
    Some(RankCurve { step: step(checkpoint)?, ranks: ranks(hardest)?, values: numbers(hardest, "false_negatives")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checkpoint(step: u64) -> Value {
        json!({"step": step, "alignment": 0.5, "knn_purity": 0.25, "false_negatives_all": 0.1,
            "similarity": {"positive": [0.0, 1.0], "negative": [0.75, 0.25]},
            "hardest": {"ranks": [1, 2], "probability": [0.5, 0.25], "false_negatives": [0.4, 0.3]}})
    }

    #[test]
    fn checkpoints_have_every_figure() {
        let curves = AnalysisCurves::of(&[checkpoint(10), checkpoint(20), checkpoint(30)]);
        let line = |name: &str| {
            let lines = curves.charts.iter().flat_map(|chart| &chart.lines);
            lines.into_iter().find(|line| line.0 == name).unwrap().1.clone()
        };
        assert_eq!(line("alignment"), [(10, 0.5), (20, 0.5), (30, 0.5)]);
        assert_eq!(line("purity")[0], (10, 25.0), "in per cent");
        let titles: Vec<&str> = curves.similarities.iter().map(|chart| chart.title.as_str()).collect();
        assert_eq!(titles, ["Similarity of pairs at step 10", "Similarity of pairs at step 30"]);
        assert_eq!((curves.matching.len(), curves.false_negatives.len(), curves.false_chance), (3, 3, Some(0.1)));
        assert_eq!((curves.over_training().len(), curves.pairs().len()), (3, 4));
    }

    #[test]
    fn what_a_file_lacks_has_no_figure() {
        let odd =
            json!({"step": "x", "alignment": null, "similarity": {"positive": [null]}, "hardest": {"ranks": [-1]}});
        for checkpoints in [vec![], vec![odd], vec![json!([]), json!({"step": 1})]] {
            let curves = AnalysisCurves::of(&checkpoints);
            assert!(curves.over_training().is_empty() && curves.pairs().is_empty(), "{curves:?}");
        }
    }
}
