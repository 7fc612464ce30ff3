//! Which curves of a run stand together on one chart.

use mochi_run::StepRecord;

use crate::chart::Chart;
use crate::series::Series;

/// The charts of a run, in reading order: how the loss fares, and (after the matching probabilities) the state of queue and
/// machine.
pub(crate) fn charts(records: &[StepRecord]) -> (Vec<Chart>, Vec<Chart>) {
    let curve = |name, style, scale: f64, value: fn(&StepRecord) -> Option<f64>| {
        let point = |record: &StepRecord| {
            (record.step as f64, value(record).filter(|value| value.is_finite()).map(|value| value * scale))
        };
        Series { name, style, points: records.iter().map(point).collect() }
    };
    // Taken now and then: the records between have no such number, which is no gap.
    let looks = |name, style, value: fn(&StepRecord) -> Option<f64>| {
        let all = curve(name, style, 100.0, value);
        Series { points: all.points.into_iter().filter(|(_, value)| value.is_some()).collect(), ..all }
    };
    let learning = vec![
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
            title: "Alignment and uniformity",
            unit: "lower is better",
            reach: &[0.0],
            series: vec![
                curve("alignment", "l0", 1.0, |r| r.alignment),
                curve("uniformity", "l1", 1.0, |r| r.uniformity),
            ],
        },
    ];
    let state = vec![
        Chart {
            title: "Negatives of the query’s own class",
            unit: "%",
            reach: &[0.0],
            series: vec![
                looks("pairs, a parent", "l1", |r| r.false_negatives_pair_either),
                looks("pairs, both", "l2", |r| r.false_negatives_pair_both),
                looks("query mixes", "l3", |r| r.false_negatives_query_mix),
                looks("N hardest", "l0", |r| r.false_negatives_in_hardest),
                looks("whole queue", "l4", |r| r.false_negatives_in_queue),
            ],
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
        Chart {
            title: "Age of the queue’s keys",
            unit: "steps",
            reach: &[0.0],
            series: vec![
                curve("oldest", "l4", 1.0, |r| r.queue_age_max_steps),
                curve("mean", "l0", 1.0, |r| r.queue_age_mean_steps),
            ],
        },
    ];
    (learning, state)
}
