//! pycocotools' treatment of an object with id 0.
//!
//! pycocotools notes the id of the object that a detection matches and takes 0 for "none" (`cocoeval.py`, `dtm`). An object with id 0
//! therefore uses up a detection, which counts as false, and the object counts as missed. `hotcoco` does not follow this, so the classes
//! of such objects are counted again here. Official numbers contain the defect, and files that count from 0 are common.

use std::sync::Arc;

use hotcoco::error::Error;
use hotcoco::metrics::counts::{PrCurveScratch, precision_recall_curve_of_order_into};
use hotcoco::params::IouType;
use hotcoco::{COCO, COCOeval, detection::EvalImg};

use super::arrays::{Arrays, CAPS, RECALLS, THRESHOLDS};

/// Counts the classes of the objects `zero_ids` again.
pub(super) fn correct(
    arrays: &mut Arrays,
    truth: &Arc<COCO>,
    found: &Arc<COCO>,
    kind: IouType,
    zero_ids: &[u64],
) -> Result<(), Error> {
    let mut classes: Vec<u64> = zero_ids.iter().filter_map(|&id| Some(truth.get_ann(id)?.category_id)).collect();
    classes.sort_unstable();
    classes.dedup();
    for class in classes {
        let mut evaluation = COCOeval::new(truth.clone(), found.clone(), kind);
        evaluation.params.cat_ids = vec![class];
        evaluation.evaluate()?;
        let recalls = evaluation.params.rec_thrs.clone();
        for (area, range) in evaluation.params.area_ranges.iter().map(|area| area.range).enumerate() {
            let mut images: Vec<&EvalImg> =
                evaluation.eval_imgs().iter().flatten().filter(|one| one.area_rng == range).collect();
            images.sort_by_key(|one| one.image_id);
            let outside = |id: u64| {
                found.get_ann(id).and_then(|one| one.area).is_some_and(|area| area < range[0] || area > range[1])
            };
            for (cap, &most) in CAPS.iter().enumerate() {
                let ranked = Ranked::of(&images, most, zero_ids, outside);
                ranked.write(arrays, class as usize, area, cap, &recalls);
            }
        }
    }
    Ok(())
}

/// The detections of a class in all images, in the order of the images.
struct Ranked {
    scores: Vec<f64>,
    /// Positions, best score first.
    order: Vec<usize>,
    /// Per threshold: matched, ignored.
    flags: [(Vec<bool>, Vec<bool>); THRESHOLDS],
    objects: usize,
}

impl Ranked {
    fn of(images: &[&EvalImg], most: usize, zero_ids: &[u64], outside: impl Fn(u64) -> bool) -> Self {
        let mut all = Ranked { scores: Vec::new(), order: Vec::new(), flags: Default::default(), objects: 0 };
        for image in images {
            all.objects += image.gt_ignore.iter().filter(|&&ignored| !ignored).count();
            for (i, &id) in image.dt_ids.iter().enumerate().take(most) {
                all.scores.push(image.dt_scores[i]);
                for (t, (matched, ignored)) in all.flags.iter_mut().enumerate() {
                    let lost = image.dt_matched[(t, i)] && zero_ids.contains(&image.dt_matches[(t, i)]);
                    matched.push(image.dt_matched[(t, i)] && !lost);
                    ignored.push(image.dt_ignore[(t, i)] || (lost && outside(id)));
                }
            }
        }
        all.order = (0..all.scores.len()).collect();
        // Adding 0 makes -0 equal to 0, as it is in NumPy.
        all.order.sort_by(|&a, &b| (all.scores[b] + 0.0).total_cmp(&(all.scores[a] + 0.0)));
        all
    }

    fn write(&self, arrays: &mut Arrays, class: usize, area: usize, cap: usize, recalls: &[f64]) {
        if self.objects == 0 {
            return;
        }
        let (mut scratch, mut curve) = (PrCurveScratch::default(), Vec::new());
        for (t, (matched, ignored)) in self.flags.iter().enumerate() {
            let order = self.order.iter().copied();
            let (matched, ignored) = (matched.as_slice(), Some(ignored.as_slice()));
            let reached = precision_recall_curve_of_order_into(
                order,
                matched,
                ignored,
                self.objects,
                recalls,
                &mut scratch,
                &mut curve,
            );
            let at = arrays.recall_at(t, class, area, cap);
            arrays.recall[at] = reached;
            for recall in 0..RECALLS {
                let at = arrays.at(t, recall, class, area, cap);
                let point = curve.iter().find(|point| point.0 == recall);
                arrays.precision[at] = point.map_or(0.0, |point| point.1);
                arrays.scores[at] = point.map_or(0.0, |point| self.scores[self.order[point.2]]);
            }
        }
    }
}
