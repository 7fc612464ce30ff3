//! Precision, recall and scores over all thresholds, recalls, classes, areas and numbers of detections: `COCOeval.eval`.

/// IoU thresholds 0.50, 0.55, ..., 0.95.
pub(super) const THRESHOLDS: usize = 10;
/// Recalls 0.00, 0.01, ..., 1.00.
pub(super) const RECALLS: usize = 101;
/// All, small, medium, large.
pub(super) const AREAS: usize = 4;
/// At most 1, 10, 100 detections per image and class.
pub(super) const CAPS: [usize; 3] = [1, 10, 100];

/// pycocotools' `precision`, `recall` and `scores`; -1 where undefined.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrays {
    pub classes: usize,
    /// [`THRESHOLDS`] x [`RECALLS`] x classes x [`AREAS`] x [`CAPS`].
    pub precision: Vec<f64>,
    /// [`THRESHOLDS`] x classes x [`AREAS`] x [`CAPS`].
    pub recall: Vec<f64>,
    /// As `precision`: the score from which on detections count at this recall.
    pub scores: Vec<f64>,
}

impl Arrays {
    /// The lengths of `precision`, `recall` and `scores`.
    pub(super) fn lengths(classes: usize) -> [usize; 3] {
        let recall = THRESHOLDS * classes * AREAS * CAPS.len();
        [recall * RECALLS, recall, recall * RECALLS]
    }

    /// The position in `precision` and `scores`.
    pub(super) fn at(&self, threshold: usize, recall: usize, class: usize, area: usize, cap: usize) -> usize {
        (((threshold * RECALLS + recall) * self.classes + class) * AREAS + area) * CAPS.len() + cap
    }

    /// The position in `recall`.
    pub(super) fn recall_at(&self, threshold: usize, class: usize, area: usize, cap: usize) -> usize {
        ((threshold * self.classes + class) * AREAS + area) * CAPS.len() + cap
    }
}
