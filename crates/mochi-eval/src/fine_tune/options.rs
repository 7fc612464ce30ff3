//! Options of fine-tuning, and the labels that they leave.

use crate::EvalError;
use crate::draws::hold_out_tenth;
use crate::subset::{balanced_rows, check_label_fraction};

/// Fraction of the labels below which training takes more epochs.
const FEW_LABELS: f64 = 0.1;

/// Options of [`super::fine_tune`].
#[derive(Debug, Clone, PartialEq)]
pub struct FineTuneOptions {
    /// Epochs of each training; `None`: 30, or 60 for less than 10 % of the labels.
    pub epochs: Option<usize>,
    /// Images per step; fewer labeled images are one batch.
    pub batch: usize,
    /// Learning rates of the backbone, ascending; a single one is used without a sweep.
    pub learning_rates: Vec<f64>,
    /// Fraction of the training images of each class whose labels are used.
    pub label_fraction: f64,
    /// Seed of the labeled and the held-out images, the classifier's weights, the order and the views.
    pub seed: u64,
}

impl Default for FineTuneOptions {
    /// Batch 64, rates 0.001, 0.01 and 0.1, all labels, seed 0.
    fn default() -> Self {
        Self { epochs: None, batch: 64, learning_rates: vec![0.001, 0.01, 0.1], label_fraction: 1.0, seed: 0 }
    }
}

impl FineTuneOptions {
    /// Checks the ranges, before images are read.
    ///
    /// # Errors
    /// [`EvalError::Option`].
    pub fn check_ranges(&self) -> Result<(), EvalError> {
        let wrong = |option, value: String, expected| Err(EvalError::Option { option, value, expected });
        if self.epochs == Some(0) {
            return wrong("epochs", "0".into(), "at least 1");
        }
        if self.batch < 2 {
            return wrong("batch", self.batch.to_string(), "at least 2, for batch statistics");
        }
        if self.learning_rates.is_empty() || !self.learning_rates.is_sorted() {
            return wrong("learning_rates", format!("{:?}", self.learning_rates), "ascending rates, at least one");
        }
        if let Some(rate) = self.learning_rates.iter().find(|r| !(r.is_finite() && **r > 0.0)) {
            return wrong("learning rate", rate.to_string(), "a number above 0");
        }
        check_label_fraction(self.label_fraction)
    }

    /// As [`Self::check_ranges`], and that a sweep has images to hold out from `train_labels`; [`super::fine_tune`] does so too.
    ///
    /// # Errors
    /// [`EvalError::Option`], [`EvalError::NothingToHoldOut`], [`EvalError::TooFewLabels`].
    pub fn check(&self, train_labels: &[u32]) -> Result<(), EvalError> {
        self.check_ranges()?;
        let labels = self.labels(train_labels);
        if self.learning_rates.len() > 1 && hold_out_tenth(&labels.1, self.seed).1.is_empty() {
            return Err(match self.label_fraction < 1.0 {
                true => EvalError::TooFewLabels { percent: 100.0 * self.label_fraction },
                false => EvalError::NothingToHoldOut,
            });
        }
        Ok(())
    }

    pub(super) fn epochs(&self) -> usize {
        self.epochs.unwrap_or(if self.label_fraction < FEW_LABELS { 60 } else { 30 })
    }

    /// The images whose labels are used, ascending, and their labels.
    pub(super) fn labels(&self, all: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let rows = balanced_rows(all, self.label_fraction, self.seed);
        let labels = rows.iter().filter_map(|&row| all.get(row as usize).copied()).collect();
        (rows, labels)
    }
}
