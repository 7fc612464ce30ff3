//! The charts of a run's metrics, as the table of metrics (`mochi_run::metric`) groups them.

use mochi_figures::{Chart, STYLES, Series};
use mochi_run::{Metric, Record, metric};

/// One chart for each chart of the table, in the order of the table; those without values are left out when drawn.
pub(crate) fn charts(records: &[Record]) -> Vec<Chart<'static>> {
    let mut charts: Vec<Chart> = Vec::new();
    for metric in metric::all() {
        let Some((chart, name)) = metric.chart else { continue };
        let at = charts.iter().position(|known| known.title == chart.title).unwrap_or_else(|| {
            let reach: &[f64] = if chart.from_zero { &[0.0] } else { &[] };
            charts.push(Chart { title: chart.title, unit: chart.unit, reach, values: true, series: Vec::new() });
            charts.len() - 1
        });
        let style = STYLES[charts[at].series.len() % STYLES.len()].to_owned();
        charts[at].series.push(Series { name: name.to_owned(), style, points: points(records, metric) });
    }
    charts
}

/// The values of a metric. A record without the metric is no point: it was not measured there. A value that is not finite breaks the line.
pub(crate) fn points<'a>(records: impl IntoIterator<Item = &'a Record>, metric: &Metric) -> Vec<(f64, Option<f64>)> {
    let point = |record: &Record| {
        let value = record.values.get(metric)?;
        Some((record.step as f64, value.is_finite().then(|| value * metric.unit.scale())))
    };
    records.into_iter().filter_map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_run::Metrics;
    use mochi_run::metric::{contrastive, general};

    #[test]
    fn a_metric_is_drawn_where_it_was_measured() {
        let record = |step, values| Record { step, values };
        let rare = &contrastive::FALSE_NEGATIVES_IN_QUEUE;
        let records = [
            record(10, Metrics::new().with(&general::LOSS, 2.0).with(rare, 0.25)),
            record(20, Metrics::new().with(&general::LOSS, f64::NAN)),
            record(30, Metrics::new().with(&general::LOSS, 1.0).with(rare, 0.5)),
        ];
        assert_eq!(points(&records, &general::LOSS), [(10.0, Some(2.0)), (20.0, None), (30.0, Some(1.0))]);
        assert_eq!(points(&records, rare), [(10.0, Some(25.0)), (30.0, Some(50.0))], "in per cent, without gaps");
    }

    #[test]
    fn every_chart_of_the_table_is_there_once_with_styles_that_differ() {
        let charts = charts(&[]);
        let drawn = metric::all().filter(|metric| metric.chart.is_some()).count();
        assert_eq!(charts.iter().map(|chart| chart.series.len()).sum::<usize>(), drawn);
        for chart in &charts {
            assert!(chart.series.len() <= STYLES.len(), "{} has too many lines to tell apart", chart.title);
        }
    }
}
