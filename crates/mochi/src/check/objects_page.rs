//! The page of a dataset with objects: which numbers and images it shows.

use std::path::Path;

use mochi_annotations::{AnnotatedImage, Dataset, Object, Statistics};
use mochi_data::{Thumbnail, Thumbnailer};
use mochi_report::{Bars, DrawnObject, Encoding, Image, ObjectImage, ObjectsPage, ProblemRow};
use mochi_term::Progress;
use mochi_text::counted;

use super::objects_table::{place, rows, rule};

/// Images on the page, at most.
const IMAGES: usize = 24;
/// Number of classes up to which all are shown; of more, the largest and the smallest.
const CLASSES: usize = 40;
/// Longest side of an image in pixels: twice its size on the page, for high-density screens.
const SIDE: u32 = 480;
/// Problems of a kind that are named, at most.
const NAMED: usize = 10;

/// The page of a dataset.
pub fn page(folder: &Path, dataset: &Dataset, statistics: &Statistics, progress: &Progress) -> ObjectsPage {
    let name = std::path::absolute(folder).ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let problems = dataset.problems.by_kind().map(|(kind, found)| ProblemRow {
        explanation: kind.explanation().to_owned(),
        rule: rule(kind.rule()).to_owned(),
        count: found.count,
        examples: found.examples.iter().take(NAMED).map(|problem| (place(problem), problem.detail.clone())).collect(),
    });
    let sizes = statistics.sizes;
    let sizes = [("small", sizes.small), ("medium", sizes.medium), ("large", sizes.large)];
    let mut classes: Vec<(String, usize)> =
        statistics.classes.iter().map(|class| (class.name.clone(), class.objects)).collect();
    classes.sort_by_key(|class| std::cmp::Reverse(class.1));
    let mut bars = vec![Bars {
        title: "Objects by area, limits 32 × 32 and 96 × 96 pixels".into(),
        bars: sizes.map(|(name, count)| (name.to_owned(), count)).to_vec(),
    }];
    if classes.len() <= CLASSES {
        bars.insert(0, Bars { title: "Objects per class".into(), bars: classes });
    } else {
        let smallest = classes.split_off(classes.len() - CLASSES / 2);
        classes.truncate(CLASSES / 2);
        bars.insert(0, Bars { title: "Objects of the smallest classes".into(), bars: smallest });
        bars.insert(0, Bars { title: "Objects of the largest classes".into(), bars: classes });
    }
    let summary = format!(
        "{}: {}, split {}, {}, {}",
        folder.display(),
        dataset.format,
        dataset.split,
        counted(statistics.images, "image"),
        counted(statistics.objects, "object")
    );
    ObjectsPage {
        name: name.unwrap_or_else(|| folder.display().to_string()),
        summary,
        facts: rows(dataset, statistics).into_iter().map(|(term, value)| (term.to_owned(), value)).collect(),
        problems: problems.collect(),
        bars,
        classes: dataset.annotations.classes.clone(),
        images: images(dataset, progress),
    }
}

/// Images with objects, evenly spread over the dataset.
fn images(dataset: &Dataset, progress: &Progress) -> Vec<ObjectImage> {
    let data = &dataset.annotations;
    let with_objects: Vec<&AnnotatedImage> = data.images.iter().filter(|image| !image.objects.is_empty()).collect();
    let count = with_objects.len().min(IMAGES);
    let mut maker = Thumbnailer::default();
    let mut task = progress.task("images", count as u64);
    let mut shown = Vec::new();
    for number in 0..count {
        let image = with_objects[number * with_objects.len() / count];
        // A damaged image has no picture.
        if let Ok(Thumbnail { jpeg, width, height, .. }) = maker.make_annotated(image, SIDE) {
            let name = image.name.clone();
            shown.push(ObjectImage {
                image: Image { bytes: jpeg, encoding: Encoding::Jpeg, width, height, name },
                size: (image.width, image.height),
                objects: image.objects.iter().map(|object| drawn(object, &data.classes)).collect(),
            });
        }
        task.advance(1);
    }
    task.finish();
    shown
}

fn drawn(object: &Object, classes: &[String]) -> DrawnObject {
    let mut label = classes.get(object.class).cloned().unwrap_or_default();
    for (applies, word) in [(object.crowd, " (crowd)"), (object.difficult, " (difficult)")] {
        if applies {
            label.push_str(word);
        }
    }
    DrawnObject {
        bounds: object.bounds,
        class: object.class,
        label,
        outline: object.mask.as_ref().map(mochi_annotations::Mask::outline).unwrap_or_default(),
        dashed: object.crowd || object.difficult,
    }
}
