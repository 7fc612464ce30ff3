//! One measurement of a run: the line of `metrics.jsonl`, the scalars of TensorBoard, the points of the report.

use serde::{Deserialize, Serialize};

/// What was measured at a step. Everything but the step may be absent: a plain MoCo run has no synthetic points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepRecord {
    /// Steps done, from 1.
    pub step: u64,
    /// Epoch, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Images seen since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<u64>,
    /// Mean InfoNCE loss of the batch, nats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Loss of a blind guess, ln(1 + K + s + s'), nats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_ceiling: Option<f64>,
    /// Learning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Images a second since the last record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images_per_s: Option<f64>,
    /// Share of the time spent waiting for data, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_wait_share: Option<f64>,
    /// Share of the queue that holds real keys, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_fill: Option<f64>,
    /// Share of queries whose key beats every real negative, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_real: Option<f64>,
    /// Share of queries whose key beats every real and synthetic negative, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_with_synthetic: Option<f64>,
    /// Mean cosine similarity of query and key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positive_similarity: Option<f64>,
    /// Mean cosine similarity of query and its N hardest negatives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardest_similarity: Option<f64>,
    /// Mean cosine similarity of query and pair mixes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair_similarity: Option<f64>,
    /// Mean cosine similarity of query and query mixes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_mix_similarity: Option<f64>,
    /// Share of synthetic points harder than the hardest real negative, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synthetic_harder_share: Option<f64>,
    /// Negatives that share the probability, exp of the entropy of their matching probabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_negatives: Option<f64>,
    /// E |q - k|² over the positive pairs of the batch, 0 to 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<f64>,
    /// log E exp(-2 |x - y|²) over pairs of the batch, mean of queries and keys; lower is more even.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uniformity: Option<f64>,
    /// Mean age of the queue's keys, in steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_age_mean_steps: Option<f64>,
    /// Age of the queue's oldest key, in steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_age_max_steps: Option<f64>,
    /// The same in epochs: above 1, images meet older keys of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_age_max_epochs: Option<f64>,
    /// Share of all negatives that are of the query's class, 0 to 1. This and the four after it: data sets with labels, and only records with a
    /// closer look since the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_negatives_in_queue: Option<f64>,
    /// Share of the N hardest negatives that are of the query's class, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_negatives_in_hardest: Option<f64>,
    /// Share of pair mixes with at least one parent of the query's class, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_negatives_pair_either: Option<f64>,
    /// Share of pair mixes with both parents of the query's class, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_negatives_pair_both: Option<f64>,
    /// Share of query mixes whose parent is of the query's class, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_negatives_query_mix: Option<f64>,
    /// Seconds of training since the start, over all resumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
}

impl StepRecord {
    /// Every number that is there with its TensorBoard tag, in the order of the fields.
    pub fn scalars(&self) -> impl Iterator<Item = (&'static str, f64)> {
        [
            ("train/loss", self.loss),
            ("train/loss_ceiling", self.loss_ceiling),
            ("train/learning_rate", self.learning_rate),
            ("train/epoch", self.epoch.map(|epoch| epoch as f64)),
            ("speed/images_per_s", self.images_per_s),
            ("speed/data_wait_share", self.data_wait_share),
            ("queue/fill", self.queue_fill),
            ("proxy/accuracy_real", self.accuracy_real),
            ("proxy/accuracy_with_synthetic", self.accuracy_with_synthetic),
            ("similarity/positive", self.positive_similarity),
            ("similarity/hardest", self.hardest_similarity),
            ("similarity/pair", self.pair_similarity),
            ("similarity/query_mix", self.query_mix_similarity),
            ("hardness/synthetic_harder_share", self.synthetic_harder_share),
            ("hardness/effective_negatives", self.effective_negatives),
            ("sphere/alignment", self.alignment),
            ("sphere/uniformity", self.uniformity),
            ("queue/age_mean_steps", self.queue_age_mean_steps),
            ("queue/age_max_steps", self.queue_age_max_steps),
            ("queue/age_max_epochs", self.queue_age_max_epochs),
            ("false_negatives/in_queue", self.false_negatives_in_queue),
            ("false_negatives/in_hardest", self.false_negatives_in_hardest),
            ("false_negatives/pair_either", self.false_negatives_pair_either),
            ("false_negatives/pair_both", self.false_negatives_pair_both),
            ("false_negatives/query_mix", self.false_negatives_query_mix),
        ]
        .into_iter()
        .filter_map(|(tag, value)| Some((tag, value?)))
    }
}
