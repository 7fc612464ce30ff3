//! Folders of PASCAL VOC, as published: `Annotations/ID.xml`, `JPEGImages/ID.jpg` and `ImageSets/Main/SPLIT.txt`.
//!
//! The dataset's folder is such a folder, or holds several (`VOC2007`, `VOC2012`, also below `VOCdevkit`), whose splits of the same name are joined in
//! the order of their names. Coordinates are those of `detectron2/data/datasets/pascal_voc.py`: floats, `xmin` and `ymin` minus 1.

mod xml;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use crate::annotations::{AnnotatedImage, Annotations, Object};
use crate::classes::{Classes, counted_ids};
use crate::error::AnnotationError;
use crate::gather::gather;
use crate::image::{Fault, header, settle};
use crate::object::{check_box, fits};
use crate::problem::{ProblemKind, Problems};
use crate::tree::{Tree, is_safe};

/// The split of a folder without `ImageSets`: every annotation.
pub(crate) const ALL: &str = "all";
/// Largest annotation file and largest list of a split, in bytes.
const XML_BYTES: u64 = 16 << 20;
const LIST_BYTES: u64 = 256 << 20;
/// Extensions of images, most frequent first.
const EXTENSIONS: [&str; 7] = ["jpg", "jpeg", "png", "webp", "JPG", "JPEG", "PNG"];

/// The folders with `Annotations`: the dataset's own, or those in it and in `VOCdevkit`.
fn roots(tree: &Tree) -> Result<Vec<PathBuf>, AnnotationError> {
    let is_root = |folder: &PathBuf| tree.is_folder(&folder.join("Annotations"));
    let own = PathBuf::new();
    if is_root(&own) {
        return Ok(vec![own]);
    }
    let mut roots = Vec::new();
    for parent in ["", "VOCdevkit"].map(Path::new) {
        let folders = tree.list(parent)?.into_iter().filter(|entry| entry.folder);
        roots.extend(folders.map(|entry| parent.join(entry.name)).filter(is_root));
    }
    Ok(roots)
}

/// The lists of splits of one folder: names without `.txt`. Lists of one class (`cat_train.txt` beside `train.txt`) are left out.
fn lists(tree: &Tree, root: &Path) -> Result<BTreeSet<String>, AnnotationError> {
    let files = tree.list(&root.join("ImageSets/Main"))?.into_iter().filter(|entry| !entry.folder);
    let names: BTreeSet<String> =
        files.filter_map(|entry| Some(entry.name.to_str()?.strip_suffix(".txt")?.to_owned())).collect();
    let of_class = |name: &String| name.rsplit_once('_').is_some_and(|(_, split)| names.contains(split));
    Ok(names.iter().filter(|name| !of_class(name)).cloned().collect())
}

/// The splits of the dataset by name; empty if it is no VOC dataset.
pub(crate) fn splits(tree: &Tree) -> Result<Vec<String>, AnnotationError> {
    let roots = roots(tree)?;
    let mut splits = BTreeSet::new();
    for root in &roots {
        splits.append(&mut lists(tree, root)?);
    }
    if splits.is_empty() && !roots.is_empty() {
        splits.insert(ALL.to_owned());
    }
    Ok(splits.into_iter().collect())
}

/// An image of the split: its folder and id.
struct Listed {
    root: PathBuf,
    id: String,
}

/// An image with its objects, whose classes are names.
struct Read {
    image: AnnotatedImage,
    file: String,
    classes: Vec<(usize, String)>,
}

/// Reads a split that [`splits`] names.
pub(crate) fn read(
    tree: &Tree,
    split: &str,
    given: Option<&[String]>,
    problems: &mut Problems,
) -> Result<Annotations, AnnotationError> {
    let listed = listed(tree, split, problems)?;
    let read = gather(listed, problems, |image, found| read_image(tree, &image, found));
    let classes = match given {
        Some(names) => Classes::new(names.iter().cloned()),
        None => {
            let names: BTreeSet<&str> =
                read.iter().flat_map(|read| &read.classes).map(|(_, name)| name.as_str()).collect();
            Classes::new(names)
        }
    };
    let (mut images, mut objects) = (Vec::with_capacity(read.len()), 0);
    for Read { mut image, file, classes: names } in read {
        image.id = images.len() as u64 + 1;
        let mut names = names.into_iter();
        image.objects.retain_mut(|object| {
            let Some((position, name)) = names.next() else { return false };
            let Some(class) = classes.position(&name) else {
                problems.add(ProblemKind::UnknownClass, &file, Some(label(position)), format!("class {name}"));
                return false;
            };
            objects += 1;
            (object.id, object.class) = (objects, class);
            true
        });
        images.push(image);
    }
    let classes = classes.into_names();
    Ok(Annotations { category_ids: counted_ids(classes.len()), classes, images })
}

fn label(position: usize) -> String {
    format!("object {}", position + 1)
}

fn listed(tree: &Tree, split: &str, problems: &mut Problems) -> Result<Vec<Listed>, AnnotationError> {
    let (mut listed, mut seen) = (Vec::new(), HashSet::new());
    let roots = roots(tree)?;
    let lists: Vec<PathBuf> = roots.iter().map(|root| root.join(format!("ImageSets/Main/{split}.txt"))).collect();
    let has_lists = lists.iter().any(|list| tree.is_file(list));
    for (root, list) in roots.into_iter().zip(lists) {
        let (file, ids) = if !has_lists {
            let files = tree.list(&root.join("Annotations"))?.into_iter().filter(|entry| !entry.folder);
            let ids = files.filter_map(|entry| Some(entry.name.to_str()?.strip_suffix(".xml")?.to_owned())).collect();
            (root.join("Annotations"), ids)
        } else if tree.is_file(&list) {
            (list.clone(), ids(tree, &list)?)
        } else {
            continue;
        };
        for (line, id) in ids.into_iter().enumerate() {
            let line = || Some(format!("line {}", line + 1));
            if id.is_empty() {
                continue;
            }
            if !is_safe(&id) {
                problems.add(ProblemKind::UnsafeName, &file.to_string_lossy(), line(), format!("image {id}"));
            } else if !seen.insert((root.clone(), id.clone())) {
                problems.add(ProblemKind::RepeatedImage, &file.to_string_lossy(), line(), format!("image {id}"));
            } else {
                listed.push(Listed { root: root.clone(), id });
            }
        }
    }
    Ok(listed)
}

/// The lines of a list.
fn ids(tree: &Tree, list: &Path) -> Result<Vec<String>, AnnotationError> {
    let bytes = tree.read(list, LIST_BYTES)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| AnnotationError::Malformed {
        path: tree.path(list),
        detail: format!("byte {} is not UTF-8", error.valid_up_to()),
    })?;
    Ok(text.trim_start_matches('\u{feff}').lines().map(|line| line.trim().to_owned()).collect())
}

fn read_image(tree: &Tree, listed: &Listed, problems: &mut Problems) -> Option<Read> {
    let name = listed.root.join("Annotations").join(format!("{}.xml", listed.id));
    let file = name.to_string_lossy().into_owned();
    let mut skip = |(kind, detail): Fault| problems.add(kind, &file, None, detail);
    let bytes = match tree.read(&name, XML_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            let missing = error.kind() == Some(std::io::ErrorKind::NotFound);
            let kind = if missing { ProblemKind::MissingAnnotation } else { ProblemKind::MalformedFile };
            skip((kind, error.to_string()));
            return None;
        }
    };
    let annotation = match xml::parse(&bytes) {
        Ok(annotation) => annotation,
        Err(detail) => {
            skip((ProblemKind::MalformedFile, detail));
            return None;
        }
    };
    let Some(image) = find_image(tree, listed, annotation.filename.as_deref()) else {
        skip((ProblemKind::MissingImage, format!("no image named {} in JPEGImages", listed.id)));
        return None;
    };
    let header = header(tree, &image).map_err(&mut skip).ok()?;
    let side = |text: &Option<String>| text.as_ref()?.parse().ok();
    let declared = side(&annotation.width).zip(side(&annotation.height));
    let boxes: Vec<Option<[f64; 4]>> = annotation.objects.iter().map(bounds).collect();
    let all_fit = |w, h| boxes.iter().flatten().all(|&bounds| fits(bounds, w, h));
    let (size, fault) = settle(declared, &header, all_fit).map_err(&mut skip).ok()?;
    if let Some(fault) = fault {
        skip(fault);
    }

    let (mut objects, mut classes) = (Vec::new(), Vec::new());
    for (position, (raw, bounds)) in annotation.objects.into_iter().zip(boxes).enumerate() {
        let mut report = |(kind, detail): Fault| problems.add(kind, &file, Some(label(position)), detail);
        let (Some(name), Some(bounds)) = (raw.name.as_ref().filter(|name| !name.is_empty()), bounds) else {
            let what = if bounds.is_none() { "four numbers in bndbox" } else { "a name" };
            report((ProblemKind::MalformedObject, format!("expected {what}, got {raw:?}")));
            continue;
        };
        match check_box(bounds, size.width, size.height) {
            Ok(fault) => fault.into_iter().for_each(report),
            Err(fault) => {
                report(fault);
                continue;
            }
        }
        classes.push((position, name.clone()));
        objects.push(Object {
            id: 0,
            class: 0,
            bounds,
            mask: None,
            area: (bounds[2] - bounds[0]) * (bounds[3] - bounds[1]),
            crowd: false,
            difficult: raw.difficult.as_deref() == Some("1"),
        });
    }
    let image = AnnotatedImage {
        id: 0,
        name: listed.id.clone(),
        file: tree.image(&image),
        width: size.width,
        height: size.height,
        exif_orientation: size.exif_orientation,
        objects,
    };
    Some(Read { image, file, classes })
}

/// `xmin - 1`, `ymin - 1`, `xmax`, `ymax`.
fn bounds(object: &xml::RawObject) -> Option<[f64; 4]> {
    let number = |side: usize| object.bounds[side].as_ref()?.parse::<f64>().ok();
    Some([number(0)? - 1.0, number(1)? - 1.0, number(2)?, number(3)?])
}

/// The image of an id, or the one that the annotation names.
fn find_image(tree: &Tree, listed: &Listed, filename: Option<&str>) -> Option<PathBuf> {
    let folder = listed.root.join("JPEGImages");
    let by_id = EXTENSIONS.iter().map(|extension| folder.join(format!("{}.{extension}", listed.id)));
    let named = filename.filter(|name| is_safe(name)).map(|name| folder.join(name));
    by_id.chain(named).find(|name| tree.is_file(name))
}
