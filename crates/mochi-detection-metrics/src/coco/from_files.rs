//! The problem that a ground-truth file and a results file pose, by the rules of `pycocotools/coco.py` and `COCOeval._prepare`.

use std::collections::HashMap;
use std::path::Path;

use hotcoco::types::Annotation;
use rayon::prelude::*;

use super::problem::{Compared, Problem, all, detection, numbered, object};
use crate::detection::Geometry;
use crate::error::MetricsError;
use crate::json::{self, GroundTruthFile, Id, ImageRecord, ObjectRecord, ResultRecord};
use crate::masks;
use crate::shape::LARGEST;

const TRUTH_HINT: &str = "correct or remove this annotation";
const RESULT_HINT: &str = "check what wrote the results, and whether they belong to this annotation file";

/// Stands for a class that the annotation file lacks.
const UNKNOWN: u64 = u64::MAX;

/// Images and classes by increasing id.
struct Index {
    /// Height and width; 0 where the file has none.
    sizes: Vec<[u32; 2]>,
    images: HashMap<Id, usize>,
    names: Vec<String>,
    classes: HashMap<Id, usize>,
}

/// Poses the problem. Also returns the names of the classes, by increasing id, and notes about what was left out.
///
/// # Errors
/// [`MetricsError::Form`].
pub(super) fn problem(
    (truth_path, truth): (&Path, &[u8]),
    (results_path, results): (&Path, &[u8]),
    geometry: Geometry,
) -> Result<(Problem, Vec<String>, Vec<String>), MetricsError> {
    let (truth, found) = rayon::join(|| json::ground_truth(truth_path, truth), || json::results(results_path, results));
    let (truth, found) = (truth?, found?);
    let index = Index::of(&truth);
    let mut notes = Vec::new();
    let (objects, zero_ids) = objects(truth_path, &truth, &index, geometry, &mut notes)?;
    let detections = detections(results_path, found, &index, geometry, &mut notes)?;
    let (images, classes) = (index.sizes.len(), index.names.len());
    let problem = Problem { geometry, images, classes, objects, detections, zero_ids };
    Ok((problem, index.names, notes))
}

impl Index {
    /// Of several with one id, the last counts.
    fn of(file: &GroundTruthFile<'_>) -> Self {
        let (images, sizes) = by_id(&file.images, |one| one.id, ImageRecord::size);
        let name = |one: &json::CategoryRecord| one.name.clone().unwrap_or_else(|| one.id.0.to_string());
        let (classes, names) = by_id(&file.categories, |one| one.id, name);
        Self { sizes, images, names, classes }
    }

    /// The size of an image for masks.
    fn size(&self, image: usize) -> Result<[u32; 2], String> {
        match self.sizes[image] {
            [0, _] | [_, 0] => Err("the image has no width and height, which masks need".to_owned()),
            size => Ok(size),
        }
    }
}

impl ImageRecord {
    fn size(&self) -> [u32; 2] {
        [self.height, self.width].map(|side| side.and_then(|side| u32::try_from(side.0).ok()).unwrap_or(0))
    }
}

/// Positions by increasing id, and what `value` says of each.
fn by_id<T, V>(records: &[T], id: impl Fn(&T) -> Id, value: impl Fn(&T) -> V) -> (HashMap<Id, usize>, Vec<V>) {
    let last: HashMap<Id, &T> = records.iter().map(|one| (id(one), one)).collect();
    let mut ids: Vec<Id> = last.keys().copied().collect();
    ids.sort_unstable();
    let values = ids.iter().map(|id| value(last[id])).collect();
    (ids.into_iter().zip(0..).collect(), values)
}

fn objects(
    path: &Path,
    file: &GroundTruthFile<'_>,
    index: &Index,
    geometry: Geometry,
    notes: &mut Vec<String>,
) -> Result<(Vec<Annotation>, Vec<u64>), MetricsError> {
    let last: HashMap<Id, usize> = file.annotations.iter().enumerate().map(|(i, one)| (one.id, i)).collect();
    let known =
        |one: &ObjectRecord<'_>| Some((*index.images.get(&one.image_id)?, *index.classes.get(&one.category_id)?));
    // `getAnnIds` lists the ids image by image, `loadAnns` then takes the last object of each id.
    let mut listed: Vec<(usize, usize)> = Vec::with_capacity(file.annotations.len());
    listed.extend(file.annotations.iter().enumerate().filter_map(|(i, one)| Some((known(one)?.0, i))));
    listed.sort_by_key(|&(image, _)| image);
    let objects: Vec<(usize, usize, usize)> = listed
        .iter()
        .map(|&(_, i)| last[&file.annotations[i].id])
        .filter_map(|i| known(&file.annotations[i]).map(|(image, class)| (i, image, class)))
        .collect();
    let pose = |&(i, image, class): &(usize, usize, usize)| {
        let record = &file.annotations[i];
        let compared = compared_object(record, index, image, geometry)
            .map_err(|detail| MetricsError::form(path, json::entry("annotations", i), detail, TRUTH_HINT))?;
        Ok(object(image, class, compared, record.iscrowd.0))
    };
    let posed = all(objects.par_iter().map(pose))?;
    let zero_ids =
        (1..).zip(&objects).filter(|(_, (i, ..))| file.annotations[*i].id.0 == 0).map(|(id, _)| id).collect();
    let unknown = file.annotations.len() - listed.len();
    if unknown > 0 {
        notes.push(format!("annotations of unknown images or classes were left out: {unknown}"));
    }
    let repeated = file.annotations.len() - last.len();
    if repeated > 0 {
        notes.push(format!("annotations with an id that a later one has as well count as the later one: {repeated}"));
    }
    Ok((numbered(posed), zero_ids))
}

fn compared_object(
    record: &ObjectRecord<'_>,
    index: &Index,
    image: usize,
    geometry: Geometry,
) -> Result<Compared, String> {
    let xywh = record.bbox.map(checked).transpose()?;
    let mask_wanted = geometry == Geometry::Mask || (record.area.is_none() && index.size(image).is_ok());
    let runs = match record.segmentation.filter(|_| mask_wanted) {
        Some(text) => Some(masks::from_json(text, index.size(image)?)?),
        None => None,
    };
    let area = record.area.or_else(|| runs.as_ref().map(masks::area)).or_else(|| xywh.map(|[_, _, w, h]| w * h));
    let area = area.ok_or("neither area nor bbox nor segmentation")?;
    match geometry {
        Geometry::Box => Ok(Compared { xywh: Some(xywh.ok_or("has no bbox")?), mask: None, area }),
        Geometry::Mask => {
            let mask = masks::to_segmentation(runs.ok_or("has no segmentation")?);
            Ok(Compared { xywh: None, mask: Some(mask), area })
        }
    }
}

/// Detections as `loadRes` prepares them.
fn detections(
    path: &Path,
    records: Vec<ResultRecord<'_>>,
    index: &Index,
    geometry: Geometry,
    notes: &mut Vec<String>,
) -> Result<Vec<Annotation>, MetricsError> {
    // The first entry decides whether the area is that of the box or of the mask.
    let boxes = geometry == Geometry::Box && records.first().is_some_and(|first| first.bbox.is_some());
    let total = records.len();
    let find = |(i, record): (usize, ResultRecord<'_>)| {
        let error = |detail: String| MetricsError::form(path, json::entry("", i), detail, RESULT_HINT);
        let unknown = || error(format!("image_id {} is not in the annotation file", record.image_id.0));
        let image = *index.images.get(&record.image_id).ok_or_else(unknown)?;
        let Some(&class) = index.classes.get(&record.category_id) else {
            return Ok(Annotation { category_id: UNKNOWN, ..Annotation::default() });
        };
        let compared = compared_detection(&record, index, image, geometry, boxes).map_err(error)?;
        Ok(detection(image, class, compared, record.score))
    };
    let mut found = all(records.into_par_iter().enumerate().map(find))?;
    found.retain(|one| one.category_id != UNKNOWN);
    if found.len() < total {
        notes.push(format!(
            "detections of classes that the annotation file lacks were left out: {}",
            total - found.len()
        ));
    }
    Ok(numbered(found))
}

fn compared_detection(
    record: &ResultRecord<'_>,
    index: &Index,
    image: usize,
    geometry: Geometry,
    boxes: bool,
) -> Result<Compared, String> {
    if geometry == Geometry::Mask {
        let text = record.segmentation.ok_or("has no segmentation")?;
        let (mask, area) = masks::checked_json(text, index.size(image)?)?;
        return Ok(Compared { xywh: None, mask: Some(mask), area });
    }
    let given = record.bbox.map(checked).transpose()?;
    if boxes {
        let xywh = given.ok_or("has no bbox, but the first entry has one")?;
        return Ok(Compared { xywh: Some(xywh), mask: None, area: xywh[2] * xywh[3] });
    }
    let text = record.segmentation.ok_or("has neither bbox nor segmentation")?;
    let runs = masks::from_json(text, index.size(image)?)?;
    let xywh = given.unwrap_or_else(|| masks::bounds(&runs));
    Ok(Compared { xywh: Some(xywh), mask: None, area: masks::area(&runs) })
}

fn checked(xywh: [f64; 4]) -> Result<[f64; 4], String> {
    match xywh.iter().find(|value| value.abs() > LARGEST) {
        Some(value) => Err(format!("bbox contains {value:?}, expected a number of pixels")),
        None => Ok(xywh),
    }
}
