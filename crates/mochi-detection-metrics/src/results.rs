//! COCO's result files: `[{"image_id": 42, "category_id": 18, "bbox": [x, y, width, height], "score": 0.9}, ...]`, with
//! `"segmentation": {"size": [height, width], "counts": "..."}` for masks.

use std::collections::HashMap;
use std::path::Path;

use mochi_annotations::{Annotations, Rle};
use mochi_files::{read_capped, write_atomic};
use rayon::prelude::*;
use serde::Serialize;

use crate::detection::{Detection, check};
use crate::error::MetricsError;
use crate::json::{self, ResultRecord};
use crate::masks;

/// One entry as it is written.
#[derive(Serialize)]
struct Entry {
    image_id: u64,
    category_id: u64,
    bbox: [f64; 4],
    score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    segmentation: Option<Segmentation>,
}

#[derive(Serialize)]
struct Segmentation {
    size: [u32; 2],
    counts: String,
}

/// Writes detections as a COCO result file. Numbers are written with all their digits.
///
/// # Errors
/// [`MetricsError::Detection`] for an index out of range or a number that is not finite, [`MetricsError::File`].
pub fn write_results(path: &Path, annotations: &Annotations, detections: &[Detection]) -> Result<(), MetricsError> {
    check(annotations, detections)?;
    let entry = |one: &Detection| Entry {
        image_id: annotations.images[one.image].id,
        category_id: annotations.category_ids[one.class],
        bbox: one.xywh(),
        score: f64::from(one.score),
        segmentation: one
            .mask
            .as_ref()
            .map(|mask| Segmentation { size: [mask.height, mask.width], counts: masks::to_text(mask) }),
    };
    let entries: Vec<Entry> = detections.par_iter().map(entry).collect();
    let text = serde_json::to_vec(&entries).map_err(|error| MetricsError::form(path, "", error.to_string(), REPORT))?;
    Ok(write_atomic(path, &text)?)
}

const REPORT: &str = "this is a defect, please report it";

/// Reads a COCO result file as detections of these images, in the order of the file. Boxes and scores are rounded to float32. An entry
/// without a box gets that around its mask.
///
/// # Errors
/// [`MetricsError::File`]; [`MetricsError::Form`] with the entry if the file is no such file or names an unknown image or class.
pub fn read_results(path: &Path, annotations: &Annotations) -> Result<Vec<Detection>, MetricsError> {
    let bytes = read_capped(path, json::LIMIT)?;
    let records = json::results(path, &bytes)?;
    let images: HashMap<u64, usize> = annotations.images.iter().enumerate().map(|(i, image)| (image.id, i)).collect();
    let classes: HashMap<u64, usize> = annotations.category_ids.iter().enumerate().map(|(i, &id)| (id, i)).collect();
    let read = |(index, record): (usize, ResultRecord<'_>)| {
        detection(record, annotations, &images, &classes).map_err(|detail| {
            let hint = "check whether the results belong to these annotations";
            MetricsError::form(path, json::entry("", index), detail, hint)
        })
    };
    let detections: Vec<Result<Detection, MetricsError>> = records.into_par_iter().enumerate().map(read).collect();
    detections.into_iter().collect()
}

fn detection(
    record: ResultRecord<'_>,
    annotations: &Annotations,
    images: &HashMap<u64, usize>,
    classes: &HashMap<u64, usize>,
) -> Result<Detection, String> {
    let unknown = |what: &str, id: u64| format!("{what} {id} is not among the annotations");
    let image = *images.get(&record.image_id.0).ok_or_else(|| unknown("image_id", record.image_id.0))?;
    let class = *classes.get(&record.category_id.0).ok_or_else(|| unknown("category_id", record.category_id.0))?;
    let annotated = &annotations.images[image];
    let runs = match record.segmentation {
        Some(text) => Some(masks::from_json(text, [annotated.height, annotated.width])?),
        None => None,
    };
    let [x, y, width, height] = match (record.bbox, &runs) {
        (Some(bbox), _) => bbox,
        (None, Some(runs)) => masks::bounds(runs),
        (None, None) => return Err("neither bbox nor segmentation".to_owned()),
    };
    let bounds = [x, y, x + width, y + height].map(|value| value as f32);
    let score = record.score as f32;
    if !(score.is_finite() && bounds.iter().all(|value| value.is_finite())) {
        return Err("a number of bbox or score is too large".to_owned());
    }
    let mask = runs.map(|runs| Rle { height: runs.h, width: runs.w, counts: runs.counts });
    Ok(Detection { image, class, bounds, score, mask })
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
