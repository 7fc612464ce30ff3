//! Metrics of a contrastive step, from what the loss, the queue and the periodic diagnostics measured.

use mochi_contrast::{Diagnostics, Measures, Queue, queue_age};
use mochi_run::Metrics;
use mochi_run::metric::contrastive::{
    ACCURACY_REAL, ACCURACY_WITH_SYNTHETIC, ALIGNMENT, EFFECTIVE_NEGATIVES, FALSE_NEGATIVES_IN_HARDEST,
    FALSE_NEGATIVES_IN_QUEUE, FALSE_NEGATIVES_PAIR_BOTH, FALSE_NEGATIVES_PAIR_EITHER, FALSE_NEGATIVES_QUERY_MIX,
    HARDEST_SIMILARITY, LOSS_CHANCE, PAIR_SIMILARITY, POSITIVE_SIMILARITY, QUERY_MIX_SIMILARITY, QUEUE_AGE_MAX_EPOCHS,
    QUEUE_AGE_MAX_STEPS, QUEUE_AGE_MEAN_STEPS, QUEUE_FILL, SYNTHETIC_HARDER_FRACTION, UNIFORMITY, WITHOUT_NEGATIVES,
};
use mochi_run::metric::general::LOSS;

/// Metrics of the loss; those of synthetic negatives and of filters are absent without any.
pub(crate) fn of_loss(loss: f64, chance: f64, m: &Measures, has_filters: bool) -> Metrics {
    Metrics::new()
        .with(&LOSS, loss)
        .with(&LOSS_CHANCE, chance)
        .with(&ACCURACY_REAL, m.accuracy_real)
        .with(&ACCURACY_WITH_SYNTHETIC, m.synthetic_harder.map(|_| m.accuracy_with_synthetic))
        .with(&POSITIVE_SIMILARITY, m.positive)
        .with(&HARDEST_SIMILARITY, m.hardest)
        .with(&PAIR_SIMILARITY, m.pair)
        .with(&QUERY_MIX_SIMILARITY, m.query_mix)
        .with(&SYNTHETIC_HARDER_FRACTION, m.synthetic_harder)
        .with(&EFFECTIVE_NEGATIVES, m.effective_negatives)
        .with(&WITHOUT_NEGATIVES, has_filters.then_some(m.without_negatives))
        .with(&ALIGNMENT, m.alignment())
        .with(&UNIFORMITY, m.uniformity)
}

/// Metrics of a queue to which a step added `entered` keys, of a run with `steps_per_epoch` steps per epoch.
pub(crate) fn of_queue(queue: &Queue, entered: usize, steps_per_epoch: u64) -> Metrics {
    let age = queue_age(queue.filled(), entered);
    let oldest = age.map(|age| age.max as f64);
    Metrics::new()
        .with(&QUEUE_FILL, queue.filled() as f64 / queue.len().max(1) as f64)
        .with(&QUEUE_AGE_MEAN_STEPS, age.map(|age| age.mean))
        .with(&QUEUE_AGE_MAX_STEPS, oldest)
        .with(&QUEUE_AGE_MAX_EPOCHS, oldest.map(|steps| steps / steps_per_epoch.max(1) as f64))
}

/// Metrics of the periodic diagnostics.
pub(crate) fn of_diagnostics(diagnostics: &Diagnostics) -> Metrics {
    let found = diagnostics.false_negatives.unwrap_or_default();
    Metrics::new()
        .with(&FALSE_NEGATIVES_IN_QUEUE, found.candidates)
        .with(&FALSE_NEGATIVES_IN_HARDEST, found.hardest)
        .with(&FALSE_NEGATIVES_PAIR_EITHER, found.pair_either)
        .with(&FALSE_NEGATIVES_PAIR_BOTH, found.pair_both)
        .with(&FALSE_NEGATIVES_QUERY_MIX, found.query_mix)
}
