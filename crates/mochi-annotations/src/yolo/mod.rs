//! Folders of YOLO: `images/SPLIT/NAME.jpg` with `labels/SPLIT/NAME.txt`, or `SPLIT/images` with `SPLIT/labels` as Roboflow writes it. Without splits
//! (`images/NAME.jpg`, `labels/NAME.txt`) all images are the split `all`.
//!
//! A line is `class cx cy width height` or `class x y x y ...`, a polygon, in fractions of the image. Names of classes are those of `data.yaml`
//! (`names`, a list or a mapping of numbers) or the lines of `classes.txt`.

mod names;

use std::path::{Path, PathBuf};

use crate::annotations::{AnnotatedImage, Annotations, Object};
use crate::classes::{Classes, counted_ids};
use crate::error::AnnotationError;
use crate::gather::gather;
use crate::image::{Fault, header};
use crate::object::{area, check_box, check_polygons};
use crate::problem::{ProblemKind, Problems};
use crate::tree::Tree;

/// The split of a folder without splits.
const ALL: &str = "all";
/// Largest label file in bytes.
const LABEL_BYTES: u64 = 64 << 20;

/// Folders of images and labels of a split.
struct Place {
    images: PathBuf,
    labels: PathBuf,
}

/// The splits with their folders.
fn places(tree: &Tree) -> Result<Vec<(String, Place)>, AnnotationError> {
    let mut places = Vec::new();
    let folders = |parent: &str| -> Result<Vec<String>, AnnotationError> {
        let entries = tree.list(Path::new(parent))?.into_iter().filter(|entry| entry.folder);
        Ok(entries.filter_map(|entry| entry.name.to_str().map(str::to_owned)).collect())
    };
    for split in folders("labels")? {
        let place = Place { images: Path::new("images").join(&split), labels: Path::new("labels").join(&split) };
        if tree.is_folder(&place.images) {
            places.push((split, place));
        }
    }
    for split in folders("")? {
        let place = Place { images: Path::new(&split).join("images"), labels: Path::new(&split).join("labels") };
        if tree.is_folder(&place.images) && tree.is_folder(&place.labels) {
            places.push((split, place));
        }
    }
    let whole = Place { images: PathBuf::from("images"), labels: PathBuf::from("labels") };
    if places.is_empty() && tree.is_folder(&whole.images) && tree.is_folder(&whole.labels) {
        places.push((ALL.to_owned(), whole));
    }
    Ok(places)
}

/// The splits of the dataset by name; empty if it is no YOLO dataset.
pub(crate) fn splits(tree: &Tree) -> Result<Vec<String>, AnnotationError> {
    Ok(places(tree)?.into_iter().map(|(split, _)| split).collect())
}

/// Reads a split that [`splits`] names.
pub(crate) fn read(
    tree: &Tree,
    split: &str,
    given: Option<&[String]>,
    problems: &mut Problems,
) -> Result<Annotations, AnnotationError> {
    let Some((_, place)) = places(tree)?.into_iter().find(|(name, _)| name == split) else {
        return Ok(Annotations::default());
    };
    let (written, names_file) = names::read(tree)?;
    let mut classes = Classes::new(given.unwrap_or_default().iter().cloned());
    // The class of each number in the label files.
    let mut positions = Vec::new();
    for name in &written {
        positions.push(match given {
            Some(_) => classes.position(name),
            None => {
                let (position, new) = classes.add(name);
                if !new {
                    problems.add(ProblemKind::RepeatedClass, names_file, None, name.clone());
                }
                Some(position)
            }
        });
    }
    let is_image = |name: &PathBuf| {
        let extension = name.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        ["jpg", "jpeg", "png", "webp"].contains(&extension.to_lowercase().as_str())
    };
    let files: Vec<PathBuf> = tree.files_below(&place.images)?.into_iter().filter(is_image).collect();
    let mut images =
        gather(files, problems, |name, found| read_image(tree, &place, &name, (&written, &positions), found));
    let mut objects = 0;
    for (at, image) in images.iter_mut().enumerate() {
        image.id = at as u64 + 1;
        for object in &mut image.objects {
            objects += 1;
            object.id = objects;
        }
    }
    let classes = classes.into_names();
    Ok(Annotations { category_ids: counted_ids(classes.len()), classes, images })
}

fn read_image(
    tree: &Tree,
    place: &Place,
    name: &Path,
    (written, positions): (&[String], &[Option<usize>]),
    problems: &mut Problems,
) -> Option<AnnotatedImage> {
    let path = place.images.join(name);
    let label = place.labels.join(name).with_extension("txt");
    let file = label.to_string_lossy().into_owned();
    let header = match header(tree, &path) {
        Ok(header) => header,
        Err((kind, detail)) => {
            problems.add(kind, &path.to_string_lossy(), None, detail);
            return None;
        }
    };
    let (width, height) = header.displayed();
    let mut objects: Vec<Object> = Vec::new();
    if !tree.is_file(&label) {
        problems.add(ProblemKind::NoLabelFile, &path.to_string_lossy(), None, "");
    } else {
        let malformed = |detail: String, problems: &mut Problems| {
            problems.add(ProblemKind::MalformedFile, &file, None, detail);
            None
        };
        let bytes = match tree.read(&label, LABEL_BYTES) {
            Ok(bytes) => bytes,
            Err(error) => return malformed(error.to_string(), problems),
        };
        let Ok(text) = std::str::from_utf8(&bytes) else { return malformed("it is not UTF-8".to_owned(), problems) };
        let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
        for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let mut report =
                |(kind, detail): Fault| problems.add(kind, &file, Some(format!("line {}", number + 1)), detail);
            match object(line, (width, height), written, positions) {
                Ok((object, faults)) => {
                    faults.into_iter().flatten().for_each(&mut report);
                    let same = |other: &Object| {
                        other.class == object.class && other.bounds == object.bounds && other.mask == object.mask
                    };
                    if objects.iter().any(same) {
                        report((ProblemKind::RepeatedBox, String::new()));
                    }
                    objects.push(object);
                }
                Err(fault) => report(fault),
            }
        }
    }
    let name = name.to_string_lossy().into_owned();
    Some(AnnotatedImage { id: 0, name, file: tree.image(&path), width, height, exif_orientation: true, objects })
}

/// The object of a line, and what is to be reported about it.
fn object(
    line: &str,
    (width, height): (u32, u32),
    written: &[String],
    positions: &[Option<usize>],
) -> Result<(Object, [Option<Fault>; 2]), Fault> {
    let malformed = |detail: &str| (ProblemKind::MalformedObject, format!("{detail}: {line}"));
    let mut words = line.split_whitespace();
    let class = words.next().and_then(|word| word.parse::<f64>().ok());
    let class = class.filter(|class| class.fract() == 0.0 && (0.0..1e9).contains(class));
    let class = class.ok_or_else(|| malformed("expected the number of a class"))? as usize;
    let numbers: Option<Vec<f64>> = words.map(|word| word.parse().ok()).collect();
    let numbers = numbers.ok_or_else(|| malformed("expected numbers"))?;
    let position = match positions.get(class) {
        Some(Some(position)) => *position,
        Some(None) => return Err((ProblemKind::UnknownClass, format!("class {}", written[class]))),
        None => return Err((ProblemKind::UnknownClass, format!("class number {class} of {}", positions.len()))),
    };
    let (w, h) = (f64::from(width), f64::from(height));
    let (bounds, polygon) = match numbers[..] {
        [cx, cy, bw, bh] => {
            ([(cx - bw / 2.0) * w, (cy - bh / 2.0) * h, (cx + bw / 2.0) * w, (cy + bh / 2.0) * h], None)
        }
        _ if numbers.len() >= 6 && numbers.len().is_multiple_of(2) => {
            let points: Vec<f64> = numbers.chunks_exact(2).flat_map(|point| [point[0] * w, point[1] * h]).collect();
            let side = |first: usize| {
                let values = points.iter().skip(first).step_by(2).copied();
                (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max))
            };
            let ((x0, x1), (y0, y1)) = (side(0), side(1));
            ([x0, y0, x1, y1], Some(points))
        }
        _ => return Err(malformed("expected four numbers of a box or the points of a polygon")),
    };
    let fault = check_box(bounds, width, height)?;
    let (mask, other) = match polygon {
        Some(points) => check_polygons(vec![points]).map(|(mask, fault)| (Some(mask), fault))?,
        None => (None, None),
    };
    let area = area(bounds, mask.as_ref(), width, height);
    Ok((Object { id: 0, class: position, bounds, mask, area, crowd: false, difficult: false }, [fault, other]))
}
