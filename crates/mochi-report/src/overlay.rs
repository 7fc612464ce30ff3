//! Metrics of several runs or variants over training, a line for each: of a run, or the mean over seeds with their range as a band.

use mochi_figures::{Chart, Figure, STYLES, Series};
use mochi_run::metric::contrastive::{ACCURACY_REAL, ALIGNMENT, UNIFORMITY};
use mochi_run::metric::general::LOSS;
use mochi_run::{Metric, Record};

use crate::curves::points;

/// Most lines of a chart; more could not be told apart.
pub(crate) const LINES: usize = STYLES.len();

/// What the lines of charts are, for the end of a page.
pub(crate) const LEGEND: &str =
    "the line is the mean over the seeds that have reached a step, and over neighboring steps; the band is their range";

/// A line of each chart.
pub(crate) struct Line<'a> {
    /// A name that fits beside it.
    pub(crate) name: String,
    /// The records of each of its runs, by rising step: of one run, or of several seeds.
    pub(crate) runs: Vec<&'a [Record]>,
}

/// One chart for each metric that has values; the first [`LINES`] lines are drawn. `of`: what the names are values of, if they do not say it.
pub(crate) fn figures(lines: &[Line], of: &str) -> Vec<Figure> {
    let shown: [(&Metric, &'static str, &'static str); 4] = [
        (&LOSS, "Loss", "nats"),
        (&ACCURACY_REAL, "Proxy task: accuracy among real negatives", "%"),
        (&UNIFORMITY, "Uniformity", ""),
        (&ALIGNMENT, "Alignment", ""),
    ];
    let unit = |unit: &str| match (unit, of) {
        (unit, "") => unit.to_owned(),
        ("", of) => format!("by {of}"),
        (unit, of) => format!("{unit}, by {of}"),
    };
    shown.into_iter().filter_map(|(metric, title, own)| figure(metric, title, &unit(own), lines)).collect()
}

fn figure(metric: &Metric, title: &'static str, unit: &str, lines: &[Line]) -> Option<Figure> {
    let series = lines.iter().zip(STYLES).map(|(line, style)| {
        let runs: Vec<_> = line.runs.iter().map(|records| points(*records, metric)).collect();
        Series { name: line.name.clone(), style: style.to_owned(), points: at_common_steps(runs) }
    });
    Chart { title, unit, series: series.collect(), values: false, reach: &[] }.render()
}

/// A value at a step; `None` if it is not finite.
type Point = (f64, Option<f64>);

/// The values of every run at the steps of all of them, by rising step: between its own steps a run is interpolated, so that all count alike however often
/// each was recorded. Before its first and after its last step a run has no value.
fn at_common_steps(mut runs: Vec<Vec<Point>>) -> Vec<Point> {
    runs.iter_mut().for_each(|run| run.sort_by(|a, b| a.0.total_cmp(&b.0)));
    if let [_] = &runs[..] {
        return runs.pop().unwrap_or_default();
    }
    let mut steps: Vec<f64> = runs.iter().flatten().map(|point| point.0).collect();
    steps.sort_by(f64::total_cmp);
    steps.dedup();
    let mut next = vec![0; runs.len()];
    let mut all = Vec::with_capacity(steps.len() * runs.len());
    for step in steps {
        for (run, next) in runs.iter().zip(&mut next) {
            // The last point at or before the step, and the one behind it.
            while run.get(*next).is_some_and(|point| point.0 <= step) {
                *next += 1;
            }
            let before = next.checked_sub(1).and_then(|at| run.get(at));
            match (before, run.get(*next)) {
                (Some(&(at, value)), _) if at == step => all.push((step, value)),
                (Some(&before), Some(&after)) => all.push((step, between(before, after, step))),
                _ => {}
            }
        }
    }
    all
}

fn between((from, a): Point, (to, b): Point, step: f64) -> Option<f64> {
    let (a, b) = (a?, b?);
    Some(a + (b - a) * (step - from) / (to - from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_run::Metrics;

    #[test]
    fn a_metric_without_values_has_no_chart_and_lines_keep_their_names() {
        let records: Vec<Record> =
            (1..5).map(|step| Record { step, values: Metrics::new().with(&LOSS, 5.0 - step as f64) }).collect();
        let lines = [("a", &records[..]), ("MoCHi, 2 seeds", &records[..1])]
            .map(|(name, records)| Line { name: name.to_owned(), runs: vec![records] });
        let figures = figures(&lines, "");
        assert_eq!(figures.len(), 1);
        assert!(figures[0].svg.contains(">a <") && figures[0].svg.contains(">MoCHi, 2 seeds <"), "{}", figures[0].svg);
        assert!(!figures[0].svg.contains("class=\"band"), "{}", figures[0].svg);
    }

    #[test]
    fn seeds_with_other_steps_count_alike() {
        let often = (0..=10).map(|step| (f64::from(step), Some(1.0))).collect();
        let seldom = vec![(0.0, Some(2.0)), (20.0, Some(4.0)), (30.0, None), (40.0, Some(1.0))];
        let all = at_common_steps(vec![seldom, often]);
        assert_eq!(all.len(), 2 * 11 + 3, "the shorter run ends at its end");
        assert_eq!(all[..2], [(0.0, Some(2.0)), (0.0, Some(1.0))]);
        assert_eq!(
            all[20..],
            [(10.0, Some(3.0)), (10.0, Some(1.0)), (20.0, Some(4.0)), (30.0, None), (40.0, Some(1.0))]
        );
        // Next to a value that is not finite there is none.
        let all = at_common_steps(vec![vec![(0.0, Some(1.0)), (2.0, None)], vec![(1.0, Some(5.0))]]);
        assert_eq!(all, [(0.0, Some(1.0)), (1.0, None), (1.0, Some(5.0)), (2.0, None)]);
        assert!(at_common_steps(vec![vec![], vec![]]).is_empty() && at_common_steps(vec![]).is_empty());
    }

    #[test]
    fn several_seeds_have_a_band() {
        let run = |step_by: u64, loss: f64| -> Vec<Record> {
            (1..40).map(|i| Record { step: i * step_by, values: Metrics::new().with(&LOSS, loss) }).collect()
        };
        let runs = [run(10, 3.0), run(15, 5.0), run(15, 4.0)];
        let line = Line { name: "a, 3 seeds".into(), runs: runs.iter().map(Vec::as_slice).collect() };
        let svg = figures(&[line], "").remove(0).svg;
        assert_eq!((svg.matches("class=\"band").count(), svg.matches("class=\"line l0").count()), (1, 1), "{svg}");
    }
}
