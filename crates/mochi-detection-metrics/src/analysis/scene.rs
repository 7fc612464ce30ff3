//! One image: which detection finds which object.

use hotcoco::primitives::greedy::{GtMasks, greedy_match_masked};
use hotcoco::primitives::sim::{bbox_iou_flat, mask_iou_flat};
use mochi_annotations::Annotations;

use crate::detection::{Detection, Geometry};
use crate::error::MetricsError;
use crate::shape::{self, Shape};

/// The IoU from which on a detection finds an object.
pub(super) const FOUND: f64 = 0.5;

/// As in COCO, at most so many detections of a class count in an image.
const MOST: usize = 100;

/// An object of the image.
pub(super) struct Seen {
    /// Its position in the image.
    pub object: usize,
    pub class: usize,
    /// A crowd or a difficult object: finding it is neither right nor wrong.
    pub ignored: bool,
}

/// The detections and objects of an image, and what was found.
pub(super) struct Scene {
    pub image: usize,
    /// Positions of the detections in the whole list, best score first, then in their order.
    pub found: Vec<usize>,
    /// The objects, those that count first.
    pub objects: Vec<Seen>,
    /// IoU of every detection (row) with every object; with a crowd, the fraction of the detection inside it.
    overlaps: Vec<f64>,
    /// Per detection, the object of its class that it finds.
    pub finds: Vec<Option<usize>>,
    /// Per object, whether it is found.
    pub taken: Vec<bool>,
}

impl Scene {
    /// Compares the detections `indices` with the objects of an image by COCO's rules at IoU 0.5: best first, each finds the object of its
    /// class that it overlaps most and that is still free; crowds and difficult objects only if there is none, and these stay free.
    ///
    /// # Errors
    /// [`MetricsError::Object`], [`MetricsError::Detection`].
    pub(super) fn of(
        annotations: &Annotations,
        detections: &[Detection],
        image: usize,
        indices: &[usize],
        geometry: Geometry,
    ) -> Result<Self, MetricsError> {
        let classes = annotations.classes.len();
        let found = best_first(detections, indices, classes);
        let annotated = &annotations.images[image];
        let seen = annotated.objects.iter().enumerate().map(|(object, one)| Seen {
            object,
            class: one.class,
            ignored: one.crowd || one.difficult,
        });
        let (mut objects, ignored): (Vec<Seen>, Vec<Seen>) = seen.partition(|one| !one.ignored);
        let counted = objects.len();
        objects.extend(ignored);

        let shape_of = |seen: &Seen| {
            shape::of_object(&annotated.objects[seen.object], annotated, geometry, classes)
                .map_err(|detail| MetricsError::Object { image: annotated.name.clone(), object: seen.object, detail })
        };
        let truth = objects.iter().map(shape_of).collect::<Result<Vec<Shape>, MetricsError>>()?;
        let shape_of = |&index: &usize| {
            shape::of_detection(&detections[index], annotated, geometry)
                .map_err(|detail| MetricsError::Detection { index, detail })
        };
        let mine = found.iter().map(shape_of).collect::<Result<Vec<Shape>, MetricsError>>()?;
        let crowds: Vec<bool> = objects.iter().map(|seen| annotated.objects[seen.object].crowd).collect();
        let overlaps = overlaps(mine, truth, &crowds);

        let mut same_class = overlaps.clone();
        for (i, overlap) in same_class.iter_mut().enumerate() {
            if detections[found[i / objects.len()]].class != objects[i % objects.len()].class {
                *overlap = 0.0;
            }
        }
        let stays_free: Vec<bool> = objects.iter().map(|seen| seen.ignored).collect();
        let masks = GtMasks { rematchable: Some(&stays_free), ..GtMasks::default() };
        let matches = greedy_match_masked(&same_class, found.len(), objects.len(), counted, masks, &[FOUND]);
        let (finds, taken) = (matches.dt_gt.row(0).to_vec(), matches.gt_matched.row(0).to_vec());
        Ok(Self { image, found, objects, overlaps, finds, taken })
    }

    /// The IoU of a detection with every object.
    pub(super) fn overlaps(&self, detection: usize) -> &[f64] {
        let width = self.objects.len();
        &self.overlaps[detection * width..(detection + 1) * width]
    }

    /// The object that a detection overlaps most among those that count and that `wanted` accepts; the first of equals.
    pub(super) fn nearest(&self, detection: usize, wanted: impl Fn(usize) -> bool) -> Option<(usize, f64)> {
        let mut best: Option<(usize, f64)> = None;
        for (i, &overlap) in self.overlaps(detection).iter().enumerate() {
            if !self.objects[i].ignored && overlap > best.map_or(0.0, |(_, most)| most) && wanted(i) {
                best = Some((i, overlap));
            }
        }
        best
    }
}

fn best_first(detections: &[Detection], indices: &[usize], classes: usize) -> Vec<usize> {
    let mut found = indices.to_vec();
    // Adding 0 makes -0 equal to 0.
    found.sort_by(|&a, &b| (detections[b].score + 0.0).total_cmp(&(detections[a].score + 0.0)));
    let mut number = vec![0; classes];
    found.retain(|&index| {
        let number = &mut number[detections[index].class];
        *number += 1;
        *number <= MOST
    });
    found
}

fn overlaps(found: Vec<Shape>, truth: Vec<Shape>, crowds: &[bool]) -> Vec<f64> {
    let boxes = |shapes: &[Shape]| shapes.iter().filter_map(|shape| shape.xywh).collect::<Vec<_>>();
    let (found_boxes, truth_boxes) = (boxes(&found), boxes(&truth));
    if found_boxes.len() == found.len() && truth_boxes.len() == truth.len() {
        return bbox_iou_flat(&found_boxes, &truth_boxes, crowds);
    }
    let runs = |shapes: Vec<Shape>| shapes.into_iter().filter_map(|shape| shape.runs).collect::<Vec<_>>();
    mask_iou_flat(&runs(found), &runs(truth), crowds)
}
