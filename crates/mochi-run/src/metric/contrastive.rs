//! Metrics of contrastive pre-training. K keys are in the queue; each query has N hard negatives, s pair mixes and s' query mixes.

use super::general::LOSS_CHART;
use super::{Chart, Unit};

static PROXY_CHART: Chart =
    Chart { title: "Proxy task: positive ahead of all negatives", unit: "% of queries", from_zero: true };
static SIMILARITY_CHART: Chart = Chart { title: "Similarity to the query", unit: "mean cosine", from_zero: false };
static HARDER_CHART: Chart =
    Chart { title: "Synthetic negatives harder than the hardest real one", unit: "%", from_zero: true };
static EFFECTIVE_CHART: Chart = Chart { title: "Effective number of negatives", unit: "exp(entropy)", from_zero: true };
static WITHOUT_CHART: Chart =
    Chart { title: "Queries whose negatives are all filtered", unit: "% of queries", from_zero: true };
static SPHERE_CHART: Chart = Chart { title: "Alignment and uniformity", unit: "lower is better", from_zero: true };
static FALSE_NEGATIVES_CHART: Chart =
    Chart { title: "False negatives (the query’s own class)", unit: "%", from_zero: true };
static FILL_CHART: Chart = Chart { title: "Queue filled with keys", unit: "%", from_zero: true };
static AGE_CHART: Chart = Chart { title: "Age of the keys in the queue", unit: "steps", from_zero: true };

crate::metrics! {
    /// Chance level of the loss: that of an encoder that maps every image to the same embedding. The mean over queries of ln(1 + K + s + s'), without the keys that filters leave out; ln(V B - 1) for a batch of B images with V views each that are compared with each other.
    LOSS_CHANCE: "loss_chance", Unit::Named("nats"), "train/loss_chance", Mean, chart LOSS_CHART "chance level", terminal "loss" "chance";
    /// Fraction of queries whose positive has a higher similarity than every real negative.
    ACCURACY_REAL: "accuracy_real", Unit::Fraction, "proxy/accuracy_real", Mean, chart PROXY_CHART "real", terminal "accuracy" "";
    /// The same among real and synthetic negatives. Absent without synthetic negatives.
    ACCURACY_WITH_SYNTHETIC: "accuracy_with_synthetic", Unit::Fraction, "proxy/accuracy_with_synthetic", Mean, chart PROXY_CHART "with synthetic", terminal "accuracy" "with synthetic";
    /// Mean similarity of a query and its positive.
    POSITIVE_SIMILARITY: "positive_similarity", Unit::Named("cosine"), "similarity/positive", Mean, chart SIMILARITY_CHART "positive";
    /// Mean similarity of a query and its query mixes.
    QUERY_MIX_SIMILARITY: "query_mix_similarity", Unit::Named("cosine"), "similarity/query_mix", Mean, chart SIMILARITY_CHART "query mixes";
    /// Mean similarity of a query and its pair mixes.
    PAIR_SIMILARITY: "pair_similarity", Unit::Named("cosine"), "similarity/pair", Mean, chart SIMILARITY_CHART "pair mixes";
    /// Mean similarity of a query and its N hard negatives. Absent without synthetic negatives.
    HARDEST_SIMILARITY: "hardest_similarity", Unit::Named("cosine"), "similarity/hardest", Mean, chart SIMILARITY_CHART "N hardest";
    /// Fraction of synthetic negatives with a higher similarity than the query's hardest real negative.
    SYNTHETIC_HARDER_FRACTION: "synthetic_harder_fraction", Unit::Fraction, "hardness/synthetic_harder_fraction", Mean, chart HARDER_CHART "harder";
    /// Effective number of real negatives: exp of the entropy of their softmax probabilities.
    EFFECTIVE_NEGATIVES: "effective_negatives", Unit::Named("negatives"), "hardness/effective_negatives", Mean, chart EFFECTIVE_CHART "effective";
    /// Fraction of queries without a negative, because filters excluded every key. They have no loss and no gradient. Absent without filters.
    WITHOUT_NEGATIVES: "without_negatives", Unit::Fraction, "hardness/without_negatives", Mean, chart WITHOUT_CHART "queries";
    /// Alignment: mean squared distance of query and key over positive pairs of training views, 0 to 4.
    ALIGNMENT: "alignment", Unit::Scalar, "sphere/alignment", Mean, chart SPHERE_CHART "alignment";
    /// Uniformity: log of the mean of exp(-2 d²) over pairs at distance d of the batch, averaged over queries and keys.
    UNIFORMITY: "uniformity", Unit::Scalar, "sphere/uniformity", Mean, chart SPHERE_CHART "uniformity";
    /// Fraction of the queue that holds keys; the rest are random unit vectors.
    QUEUE_FILL: "queue_fill", Unit::Fraction, "queue/fill", Last, chart FILL_CHART "filled", terminal "queue" "filled";
    /// Mean age of the keys in the queue.
    QUEUE_AGE_MEAN_STEPS: "queue_age_mean_steps", Unit::Named("steps"), "queue/age_mean_steps", Last, chart AGE_CHART "mean";
    /// Age of the oldest key in the queue.
    QUEUE_AGE_MAX_STEPS: "queue_age_max_steps", Unit::Named("steps"), "queue/age_max_steps", Max, chart AGE_CHART "oldest";
    /// Age of the oldest key; above 1, the queue holds older keys of a query's own image.
    QUEUE_AGE_MAX_EPOCHS: "queue_age_max_epochs", Unit::Named("epochs"), "queue/age_max_epochs", Max;
    /// Of the N hard negatives: fraction of the query's class. This and the next four: datasets with labels, at periodic diagnostics.
    FALSE_NEGATIVES_IN_HARDEST: "false_negatives_in_hardest", Unit::Fraction, "false_negatives/in_hardest", Mean, chart FALSE_NEGATIVES_CHART "N hardest";
    /// Of the pair mixes: fraction with at least one parent of the query's class.
    FALSE_NEGATIVES_PAIR_EITHER: "false_negatives_pair_either", Unit::Fraction, "false_negatives/pair_either", Mean, chart FALSE_NEGATIVES_CHART "pairs, a parent";
    /// Of the pair mixes: fraction with both parents of the query's class.
    FALSE_NEGATIVES_PAIR_BOTH: "false_negatives_pair_both", Unit::Fraction, "false_negatives/pair_both", Mean, chart FALSE_NEGATIVES_CHART "pairs, both";
    /// Of the query mixes: fraction whose parent is of the query's class.
    FALSE_NEGATIVES_QUERY_MIX: "false_negatives_query_mix", Unit::Fraction, "false_negatives/query_mix", Mean, chart FALSE_NEGATIVES_CHART "query mixes";
    /// Of all negatives: fraction of the query's class.
    FALSE_NEGATIVES_IN_QUEUE: "false_negatives_in_queue", Unit::Fraction, "false_negatives/in_queue", Mean, chart FALSE_NEGATIVES_CHART "all negatives";
}
