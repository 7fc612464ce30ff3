//! Which curves of a run stand together on one chart.

use mochi_run::StepRecord;

use crate::chart::Chart;
use crate::series::Series;

/// The charts of a run, in reading order.
pub(crate) fn charts(records: &[StepRecord]) -> Vec<Chart> {
    let curve = |name, style, scale: f64, value: fn(&StepRecord) -> Option<f64>| {
        let point = |record: &StepRecord| {
            (record.step as f64, value(record).filter(|value| value.is_finite()).map(|value| value * scale))
        };
        Series { name, style, points: records.iter().map(point).collect() }
    };
    vec![
        Chart {
            title: "Loss beside a blind guess",
            unit: "nats",
            reach: &[0.0],
            series: vec![curve("loss", "l0", 1.0, |r| r.loss), curve("ln(1+K+s+s′)", "l4", 1.0, |r| r.loss_ceiling)],
        },
        Chart {
            title: "Proxy task: key ahead of all negatives",
            unit: "% of queries",
            reach: &[0.0],
            series: vec![
                curve("real", "l0", 100.0, |r| r.accuracy_real),
                curve("with synthetic", "l1", 100.0, |r| r.accuracy_with_synthetic),
            ],
        },
        Chart {
            title: "Similarity to the query",
            unit: "mean cosine",
            reach: &[],
            series: vec![
                curve("positive", "l0", 1.0, |r| r.positive_similarity),
                curve("query mixes", "l1", 1.0, |r| r.query_mix_similarity),
                curve("pair mixes", "l2", 1.0, |r| r.pair_similarity),
                curve("N hardest", "l3", 1.0, |r| r.hardest_similarity),
            ],
        },
        Chart {
            title: "Synthetic points ahead of the hardest real one",
            unit: "%",
            reach: &[0.0],
            series: vec![curve("harder", "l0", 100.0, |r| r.synthetic_harder_share)],
        },
        Chart {
            title: "Negatives that share the probability",
            unit: "exp(entropy)",
            reach: &[0.0],
            series: vec![curve("effective", "l0", 1.0, |r| r.effective_negatives)],
        },
        Chart {
            title: "Learning rate",
            unit: "",
            reach: &[0.0],
            series: vec![curve("rate", "l0", 1.0, |r| r.learning_rate)],
        },
        Chart {
            title: "Speed",
            unit: "images a second",
            reach: &[0.0],
            series: vec![curve("images/s", "l0", 1.0, |r| r.images_per_s)],
        },
        Chart {
            title: "Waiting for data, queue fill",
            unit: "%",
            reach: &[0.0],
            series: vec![
                curve("waiting for data", "l1", 100.0, |r| r.data_wait_share),
                curve("queue filled", "l4", 100.0, |r| r.queue_fill),
            ],
        },
    ]
}
