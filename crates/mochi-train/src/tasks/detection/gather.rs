//! Detections of several ranks in the order of one process.
//!
//! They go to rank 0 as bytes: JSON, with numbers as their bits and masks in COCO's compressed form, so that none changes.

use mochi_annotations::Rle;
use mochi_data::BadImage;
use mochi_detection_metrics::Detection;
use mochi_tensor::Group;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// A detection on its way.
#[derive(Serialize, Deserialize)]
struct Sent {
    image: usize,
    class: usize,
    bounds: [u32; 4],
    score: u32,
    /// Height, width and run lengths.
    mask: Option<(u32, u32, String)>,
}

impl From<&Detection> for Sent {
    fn from(one: &Detection) -> Self {
        let mask = one.mask.as_ref().map(|mask| (mask.height, mask.width, mask.to_compressed()));
        let bounds = one.bounds.map(f32::to_bits);
        Self { image: one.image, class: one.class, bounds, score: one.score.to_bits(), mask }
    }
}

impl TryFrom<Sent> for Detection {
    type Error = TrainError;

    fn try_from(sent: Sent) -> Result<Self, TrainError> {
        let mask = sent.mask.map(|(height, width, text)| Rle::from_compressed(&text, height, width));
        let mask = mask.transpose().map_err(|error| TrainError::Internal(format!("the mask of a rank: {error}")))?;
        let bounds = sent.bounds.map(f32::from_bits);
        Ok(Self { image: sent.image, class: sent.class, bounds, score: f32::from_bits(sent.score), mask })
    }
}

/// The detections and bad images of all ranks, image by image, on rank 0; none on the others. Detections of one image stay in their order.
pub(super) fn to_first(
    detections: &[Detection],
    bad: &[BadImage],
    group: &Group,
) -> Result<(Vec<Detection>, Vec<BadImage>), TrainError> {
    let unreadable = |error: serde_json::Error| TrainError::Internal(format!("the detections of a rank: {error}"));
    let sent: Vec<Sent> = detections.iter().map(Sent::from).collect();
    let bytes = serde_json::to_vec(&(sent, bad)).map_err(unreadable)?;
    let (mut all, mut all_bad) = (Vec::new(), Vec::new());
    for bytes in group.gather_bytes(&bytes, "gathering detections")? {
        let (sent, bad): (Vec<Sent>, Vec<BadImage>) = serde_json::from_slice(&bytes).map_err(unreadable)?;
        let detections = sent.into_iter().map(Detection::try_from).collect::<Result<Vec<_>, _>>()?;
        all.extend(detections);
        all_bad.extend(bad);
    }
    all.sort_by_key(|one| one.image);
    all_bad.sort_by_key(|bad| bad.index);
    Ok((all, all_bad))
}
