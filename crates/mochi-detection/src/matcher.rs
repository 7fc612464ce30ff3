//! Which ground-truth box each candidate belongs to, and whether it is a positive, a negative, or neither (detectron2 `modeling/matcher.py`).
//!
//! A candidate belongs to the ground truth of its best IoU, the first one in a tie. IoU >= `positive` makes it a positive, < `negative` a
//! negative. With `low_quality` (Faster R-CNN, section 3.1.2 (i)) every candidate that ties the best IoU of some ground truth becomes a positive
//! too, and still belongs to its own best one. A ground truth that touches no candidate therefore turns all candidates without any intersection
//! into positives: such boxes should be removed before.

use crate::boxes::{BoundingBox, iou};

/// The thresholds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matcher {
    /// Below it, a candidate is a negative.
    pub negative: f32,
    /// From it on, a candidate is a positive.
    pub positive: f32,
    /// Whether each ground truth makes the candidates of its best IoU positives.
    pub low_quality: bool,
}

/// What a candidate is to the classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Background.
    Negative,
    /// Not learned from.
    Ignored,
    /// An object.
    Positive,
}

/// A candidate's match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Index of the ground truth of the best IoU; 0 where there is none at all.
    pub truth: usize,
    /// What the candidate is.
    pub label: Label,
}

impl Matcher {
    /// Anchors: 0.3, 0.7, low quality too.
    pub const RPN: Self = Self { negative: 0.3, positive: 0.7, low_quality: true };
    /// Proposals: 0.5.
    pub const ROI: Self = Self { negative: 0.5, positive: 0.5, low_quality: false };

    /// The match of each candidate.
    pub fn assign(&self, truths: &[BoundingBox], candidates: &[BoundingBox]) -> Vec<Match> {
        let mut best = vec![(f32::NEG_INFINITY, 0); candidates.len()];
        let mut best_of_truth = Vec::with_capacity(truths.len());
        for (index, &truth) in truths.iter().enumerate() {
            let mut most = 0.0f32;
            for (&candidate, best) in candidates.iter().zip(&mut best) {
                let value = iou(truth, candidate);
                most = most.max(value);
                if value > best.0 {
                    *best = (value, index);
                }
            }
            best_of_truth.push(most);
        }
        let mut matches: Vec<Match> = best
            .iter()
            .map(|&(value, truth)| {
                let label = match value {
                    _ if value >= self.positive => Label::Positive,
                    _ if value < self.negative => Label::Negative,
                    _ => Label::Ignored,
                };
                Match { truth, label }
            })
            .collect();
        if self.low_quality {
            for (&truth, &most) in truths.iter().zip(&best_of_truth) {
                let ties = candidates.iter().zip(&mut matches).filter(|&(&candidate, _)| iou(truth, candidate) == most);
                ties.for_each(|(_, matched)| matched.label = Label::Positive);
            }
        }
        matches
    }
}
