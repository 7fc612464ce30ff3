//! Metrics of several runs or variants over training, a line for each.

use mochi_figures::{Chart, Figure, STYLES, Series};
use mochi_run::metric::contrastive::{ACCURACY_REAL, ALIGNMENT, UNIFORMITY};
use mochi_run::metric::general::LOSS;
use mochi_run::{Metric, Record};

use crate::curves::points;
use crate::name::shortened;

/// Most lines of a chart; more could not be told apart.
pub(crate) const LINES: usize = STYLES.len();

/// One chart for each metric that has values. `lines`: a name and its records, of one run or of several; the first [`LINES`] are drawn. `of`: what the names are
/// values of, if they do not say it.
pub(crate) fn figures(lines: &[(String, Vec<&Record>)], of: &str) -> Vec<Figure> {
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

fn figure(metric: &Metric, title: &'static str, unit: &str, lines: &[(String, Vec<&Record>)]) -> Option<Figure> {
    let series = lines.iter().zip(STYLES).map(|((name, records), style)| {
        let mut points = points(records.iter().copied(), metric);
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Series { name: shortened(name), style: style.to_owned(), points }
    });
    Chart { title, unit, series: series.collect(), values: false, reach: &[] }.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_run::Metrics;

    #[test]
    fn a_metric_without_values_has_no_chart_and_lines_keep_their_names() {
        let records: Vec<Record> =
            (1..5).map(|step| Record { step, values: Metrics::new().with(&LOSS, 5.0 - step as f64) }).collect();
        let lines =
            [("a".to_owned(), records.iter().collect()), ("MoCHi (1024, 1024, 128)".to_owned(), vec![&records[0]])];
        let figures = figures(&lines, "");
        assert_eq!(figures.len(), 1);
        assert!(
            figures[0].svg.contains(">a <") && figures[0].svg.contains(">MoCHi (102…4, 128) <"),
            "{}",
            figures[0].svg
        );
    }
}
