//! Means between two records, and where the time went.

use std::time::{Duration, Instant};

use mochi_run::StepRecord;

use crate::{StepReport, looks};

/// Numbers that are averaged.
const MEANS: usize = 16;

/// Adds up steps until a record is due.
pub(crate) struct Meter {
    begun: Instant,
    steps: u32,
    images: u64,
    waited: Duration,
    sums: [f64; MEANS],
    present: [u32; MEANS],
}

impl Meter {
    pub fn new() -> Self {
        Self {
            begun: Instant::now(),
            steps: 0,
            images: 0,
            waited: Duration::ZERO,
            sums: [0.0; MEANS],
            present: [0; MEANS],
        }
    }

    /// Adds a step of `images` images that waited `waited` for its data.
    pub fn add(&mut self, report: &StepReport, images: usize, waited: Duration) {
        self.steps += 1;
        self.images += images as u64;
        self.waited += waited;
        let m = &report.measures;
        let [in_queue, in_hardest, pair_either, pair_both, query_mix] = looks::shares(report.look.as_ref());
        let values: [Option<f64>; MEANS] = [
            Some(report.loss),
            Some(m.accuracy_real),
            Some(m.accuracy_with_synthetic),
            Some(m.positive),
            m.hardest,
            m.pair,
            m.query_mix,
            m.synthetic_harder,
            Some(m.effective_negatives),
            Some(m.alignment()),
            m.uniformity,
            in_queue,
            in_hardest,
            pair_either,
            pair_both,
            query_mix,
        ];
        for (i, value) in values.into_iter().enumerate() {
            if let Some(value) = value {
                self.sums[i] += value;
                self.present[i] += 1;
            }
        }
    }

    /// Images a second and the share of time spent waiting for data, since the last record.
    pub fn pace(&self) -> (f64, f64) {
        let seconds = self.begun.elapsed().as_secs_f64().max(1e-9);
        (self.images as f64 / seconds, self.waited.as_secs_f64() / seconds)
    }

    /// Fills the means into a record and starts afresh.
    pub fn record(&mut self, record: StepRecord) -> StepRecord {
        let mean = |i: usize| (self.present[i] > 0).then(|| self.sums[i] / f64::from(self.present[i]));
        let (images_per_s, data_wait_share) = self.pace();
        let record = StepRecord {
            loss: mean(0),
            accuracy_real: mean(1),
            accuracy_with_synthetic: mean(2),
            positive_similarity: mean(3),
            hardest_similarity: mean(4),
            pair_similarity: mean(5),
            query_mix_similarity: mean(6),
            synthetic_harder_share: mean(7),
            effective_negatives: mean(8),
            alignment: mean(9),
            uniformity: mean(10),
            images_per_s: Some(images_per_s),
            data_wait_share: Some(data_wait_share),
            ..looks::fill(record, [mean(11), mean(12), mean(13), mean(14), mean(15)])
        };
        *self = Self::new();
        record
    }
}
