//! Folders of COCO, as published: `annotations/instances_SPLIT.json` with the images in `SPLIT/`, also in `images/SPLIT/`, `images/` or `JPEGImages/`; and
//! `SPLIT/_annotations.coco.json` beside its images, as Roboflow writes it (detectron2 `data/datasets/coco.py`, `load_coco_json`).
//!
//! Images come by increasing number, categories likewise. Crowds and images without objects are kept. All numbers are float64.

mod json;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::annotations::{AnnotatedImage, Annotations, Object};
use crate::classes::Classes;
use crate::error::AnnotationError;
use crate::gather::gather;
use crate::image::{Fault, header, settle};
use crate::mask::Mask;
use crate::object::{area, check_box, check_polygons, fits};
use crate::problem::{ProblemKind, Problems};
use crate::rle::Rle;
use crate::tree::{Tree, is_safe};

/// Largest annotation file in bytes; COCO's has 450 MB.
const JSON_BYTES: u64 = 4 << 30;
/// Annotation files of a split beside its images.
const BESIDE: &str = "_annotations.coco.json";
/// Begin of the names of annotation files.
const INSTANCES: &str = "instances_";

/// The annotation file of each split.
fn files(tree: &Tree) -> Result<BTreeMap<String, PathBuf>, AnnotationError> {
    let mut files = BTreeMap::new();
    let folder = Path::new("annotations");
    let json = |name: &str| name.strip_suffix(".json").map(str::to_owned);
    let names: Vec<String> = tree
        .list(folder)?
        .into_iter()
        .filter(|entry| !entry.folder)
        .filter_map(|entry| json(entry.name.to_str()?))
        .collect();
    // Captions and key points lie in the same folder: other names count only where none has the usual one.
    let usual = names.iter().any(|name| name.starts_with(INSTANCES));
    for name in names {
        let split = name.strip_prefix(INSTANCES).map_or_else(|| (!usual).then(|| name.clone()), |s| Some(s.to_owned()));
        if let Some(split) = split {
            files.insert(split, folder.join(format!("{name}.json")));
        }
    }
    for entry in tree.list(Path::new(""))?.into_iter().filter(|entry| entry.folder) {
        let file = Path::new(&entry.name).join(BESIDE);
        if let (Some(split), true) = (entry.name.to_str(), tree.is_file(&file)) {
            files.entry(split.to_owned()).or_insert(file);
        }
    }
    Ok(files)
}

/// The splits of the dataset by name; empty if it is no COCO dataset.
pub(crate) fn splits(tree: &Tree) -> Result<Vec<String>, AnnotationError> {
    Ok(files(tree)?.into_keys().collect())
}

/// An image of the file that was found.
struct Listed {
    id: u64,
    name: String,
    declared: Option<(u32, u32)>,
    path: PathBuf,
    objects: Vec<json::Annotation>,
}

/// Reads a split that [`splits`] names.
pub(crate) fn read(
    tree: &Tree,
    split: &str,
    given: Option<&[String]>,
    problems: &mut Problems,
) -> Result<Annotations, AnnotationError> {
    let files = files(tree)?;
    let Some(file) = files.get(split) else { return Ok(Annotations::default()) };
    let bytes = tree.read(file, JSON_BYTES)?;
    let document = json::parse(&bytes)
        .map_err(|detail| AnnotationError::Malformed { path: tree.path(file), detail: detail.to_string() })?;
    let name = file.to_string_lossy().into_owned();
    let categories = Categories::new(&document, given, &name, problems);
    if categories.positions.is_empty() && !document.annotations.is_empty() {
        return Err(AnnotationError::NoCategories { path: tree.path(file) });
    }
    let listed = listed(tree, split, file, document, &name, problems);
    let images = gather(listed, problems, |image, found| read_image(tree, image, &categories, &name, found));
    Ok(Annotations { classes: categories.names, category_ids: categories.ids, images })
}

/// The classes and the position of each category number.
struct Categories {
    names: Vec<String>,
    ids: Vec<u64>,
    positions: HashMap<u64, Result<usize, String>>,
}

impl Categories {
    fn new(document: &json::Document, given: Option<&[String]>, file: &str, problems: &mut Problems) -> Self {
        let mut written: BTreeMap<u64, String> = BTreeMap::new();
        for (position, category) in document.categories.iter().enumerate() {
            match json::category(category) {
                Ok(category) => {
                    written.entry(category.id).or_insert(category.name);
                }
                Err(detail) => {
                    let place = Some(format!("category {}", position + 1));
                    problems.add(ProblemKind::MalformedObject, file, place, detail);
                }
            }
        }
        let mut classes = Classes::new(given.unwrap_or_default().iter().cloned());
        let mut positions = HashMap::new();
        let mut ids: Vec<Option<u64>> = given.unwrap_or_default().iter().map(|_| None).collect();
        for (id, name) in written {
            let position = match given {
                Some(_) => classes.position(&name),
                None => {
                    let (position, new) = classes.add(&name);
                    if !new {
                        problems.add(ProblemKind::RepeatedClass, file, Some(format!("category {id}")), name.clone());
                    }
                    Some(position)
                }
            };
            if let Some(position) = position {
                if ids.len() <= position {
                    ids.resize(position + 1, None);
                }
                ids[position].get_or_insert(id);
            }
            positions.insert(id, position.ok_or(name));
        }
        let names = classes.into_names();
        ids.resize(names.len(), None);
        // Numbers for given classes that the file does not have.
        let used: BTreeSet<u64> = positions.keys().copied().collect();
        let mut free = (1..).filter(|id| !used.contains(id));
        let ids = ids.into_iter().map(|id| id.or_else(|| free.next()).unwrap_or(0)).collect();
        Self { names, ids, positions }
    }
}

/// The images by number, each with its annotations in the order of the file.
fn listed(
    tree: &Tree,
    split: &str,
    file: &Path,
    document: json::Document,
    name: &str,
    problems: &mut Problems,
) -> Vec<Listed> {
    let folders: Vec<PathBuf> = match file.file_name().is_some_and(|name| name == BESIDE) {
        true => vec![PathBuf::from(split)],
        false => {
            [split.to_owned(), format!("images/{split}"), "images".to_owned(), "JPEGImages".to_owned(), String::new()]
                .map(PathBuf::from)
                .to_vec()
        }
    };
    let mut images: BTreeMap<u64, Listed> = BTreeMap::new();
    // Images that are not used, whose annotations are no problem of their own.
    let mut left_out = HashSet::new();
    for (position, image) in document.images.iter().enumerate() {
        let place = |id: Option<u64>| {
            Some(id.map_or_else(|| format!("image {} of the list", position + 1), |id| format!("image {id}")))
        };
        let image = match json::image(image) {
            Ok(image) => image,
            Err(detail) => {
                problems.add(ProblemKind::MalformedImage, name, place(None), detail);
                continue;
            }
        };
        if images.contains_key(&image.id) || left_out.contains(&image.id) {
            problems.add(ProblemKind::RepeatedImage, name, place(Some(image.id)), image.file_name);
            continue;
        }
        if !is_safe(&image.file_name) {
            problems.add(ProblemKind::UnsafeName, name, place(Some(image.id)), image.file_name);
            left_out.insert(image.id);
            continue;
        }
        let found = folders.iter().map(|folder| folder.join(&image.file_name)).find(|path| tree.is_file(path));
        let Some(path) = found else {
            problems.add(ProblemKind::MissingImage, &image.file_name, place(Some(image.id)), "");
            left_out.insert(image.id);
            continue;
        };
        let declared = image.width.zip(image.height);
        images.insert(image.id, Listed { id: image.id, name: image.file_name, declared, path, objects: Vec::new() });
    }
    let (mut ids, mut largest) = (HashSet::new(), 0);
    let mut renumbered = Vec::new();
    for (position, annotation) in document.annotations.iter().enumerate() {
        let mut annotation = match json::annotation(annotation) {
            Ok(annotation) => annotation,
            Err(detail) => {
                let place = Some(format!("annotation {} of the list", position + 1));
                problems.add(ProblemKind::MalformedObject, name, place, detail);
                continue;
            }
        };
        let image_id = annotation.image_id;
        annotation.position = position;
        let Some(image) = images.get_mut(&image_id) else {
            if !left_out.contains(&image_id) {
                problems.add(ProblemKind::UnknownImage, name, Some(annotation.label()), format!("image {image_id}"));
            }
            continue;
        };
        match annotation.id {
            Some(id) if ids.insert(id) => largest = largest.max(id),
            Some(id) => {
                problems.add(ProblemKind::RepeatedObject, name, Some(annotation.label()), format!("annotation {id}"));
                renumbered.push((image_id, image.objects.len()));
            }
            None => renumbered.push((image_id, image.objects.len())),
        }
        image.objects.push(annotation);
    }
    for (image, at) in renumbered {
        largest += 1;
        if let Some(annotation) = images.get_mut(&image).and_then(|image| image.objects.get_mut(at)) {
            annotation.id = Some(largest);
        }
    }
    images.into_values().collect()
}

fn read_image(
    tree: &Tree,
    listed: Listed,
    categories: &Categories,
    file: &str,
    problems: &mut Problems,
) -> Option<AnnotatedImage> {
    let boxes: Vec<[f64; 4]> = listed.objects.iter().map(json::Annotation::bounds).collect();
    let mut skip = |(kind, detail): Fault| problems.add(kind, &listed.name, None, detail);
    let header = header(tree, &listed.path).map_err(&mut skip).ok()?;
    let all_fit = |w, h| boxes.iter().all(|&bounds| fits(bounds, w, h));
    let (size, fault) = settle(listed.declared, &header, all_fit).map_err(&mut skip).ok()?;
    if let Some(fault) = fault {
        skip(fault);
    }
    let mut objects: Vec<Object> = Vec::with_capacity(boxes.len());
    for (annotation, bounds) in listed.objects.into_iter().zip(boxes) {
        let label = annotation.label();
        let mut report = |(kind, detail): Fault| problems.add(kind, file, Some(label.clone()), detail);
        let class = match categories.positions.get(&annotation.category_id) {
            Some(Ok(class)) => *class,
            Some(Err(name)) => {
                report((ProblemKind::UnknownClass, format!("class {name}")));
                continue;
            }
            None => {
                report((ProblemKind::UnknownClass, format!("category {}", annotation.category_id)));
                continue;
            }
        };
        let checked = check_box(bounds, size.width, size.height).and_then(|fault| {
            let (mask, other) = mask(annotation.segmentation, size.width, size.height)?;
            Ok((mask, [fault, other]))
        });
        let (mask, faults) = match checked {
            Ok(checked) => checked,
            Err(fault) => {
                report(fault);
                continue;
            }
        };
        faults.into_iter().flatten().for_each(&mut report);
        let given = annotation.area.filter(|area| area.is_finite() && *area >= 0.0);
        let object = Object {
            id: annotation.id.unwrap_or(0),
            class,
            bounds,
            area: given.unwrap_or_else(|| area(bounds, mask.as_ref(), size.width, size.height)),
            mask,
            crowd: annotation.crowd,
            difficult: false,
        };
        let same = |other: &Object| other.class == class && other.bounds == bounds && other.mask == object.mask;
        if objects.iter().any(same) {
            report((ProblemKind::RepeatedBox, String::new()));
        }
        objects.push(object);
    }
    Some(AnnotatedImage {
        id: listed.id,
        name: listed.name,
        file: tree.image(&listed.path),
        width: size.width,
        height: size.height,
        exif_orientation: size.exif_orientation,
        objects,
    })
}

/// The mask of an annotation, and what is to be reported about it.
fn mask(
    segmentation: Option<json::Segmentation>,
    width: u32,
    height: u32,
) -> Result<(Option<Mask>, Option<Fault>), Fault> {
    let (counts, size) = match segmentation {
        None => return Ok((None, None)),
        // Datasets of boxes have an empty list.
        Some(json::Segmentation::Polygons(polygons)) if polygons.is_empty() => return Ok((None, None)),
        Some(json::Segmentation::Polygons(polygons)) => {
            return check_polygons(polygons).map(|(mask, fault)| (Some(mask), fault));
        }
        Some(json::Segmentation::Runs { counts, size }) => (counts, size),
    };
    if size != [height, width] {
        let detail = format!("mask of {} x {} in an image of {width} x {height}", size[1], size[0]);
        return Err((ProblemKind::RleSize, detail));
    }
    let rle = match counts {
        json::Counts::Numbers(counts) => Rle::new(height, width, counts),
        json::Counts::Text(text) => Rle::from_compressed(&text, height, width),
    };
    rle.map(|rle| (Some(Mask::Rle(rle)), None)).map_err(|error| (ProblemKind::InvalidRle, error.to_string()))
}
