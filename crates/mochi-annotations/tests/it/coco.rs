//! COCO folders.

use mochi_annotations::{Dataset, Format, Mask, ProblemKind, Rle};
use serde_json::{Value, json};

use crate::folder::{Folder, found};

/// A file with one image `a.png` (number 1) and the categories cat (1) and dog (2).
pub fn document(annotations: Value) -> Value {
    json!({
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": annotations,
    })
}

/// A folder with the annotation file of the split `train` and the image `a.png`.
pub fn folder(document: &Value) -> Folder {
    let folder = Folder::new();
    folder.image("train/a.png").write("annotations/instances_train.json", document.to_string());
    folder
}

fn read(document: &Value) -> Dataset {
    folder(document).read(Format::Coco, None).unwrap()
}

#[test]
fn numbers_are_sorted_and_images_without_objects_are_kept() {
    let file = json!({
        "info": {"year": 2014},
        "images": [
            {"id": 900, "file_name": "c.png", "width": 40, "height": 30},
            {"id": 7, "file_name": "b.png", "width": 40, "height": 30},
            {"id": 30, "file_name": "a.png", "width": 40, "height": 30},
        ],
        "categories": [{"id": 90, "name": "dog"}, {"id": 3, "name": "cat", "supercategory": "animal"}, {"id": 8, "name": "yak"}],
        "annotations": [
            {"id": 12, "image_id": 900, "category_id": 90, "bbox": [1.5, 2, 10, 20.25], "area": 77.5, "iscrowd": 0},
            {"id": 5, "image_id": 30, "category_id": 3, "bbox": [0, 0, 4, 5]},
            {"id": 3, "image_id": 900, "category_id": 3, "bbox": [2, 2, 6, 6], "segmentation": [[2, 2, 8, 2, 8, 8, 2, 8]]},
        ],
    });
    let folder = folder(&file);
    folder.image("train/b.png").image("train/c.png");
    let read = folder.read(Format::Coco, None).unwrap();
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    let data = read.annotations;
    assert_eq!(data.classes, ["cat", "yak", "dog"]);
    assert_eq!(data.category_ids, [3, 8, 90]);
    let images: Vec<(u64, &str, usize)> =
        data.images.iter().map(|image| (image.id, image.name.as_str(), image.objects.len())).collect();
    assert_eq!(images, [(7, "b.png", 0), (30, "a.png", 1), (900, "c.png", 2)]);
    let [dog, cat] = &data.images[2].objects[..] else { panic!() };
    assert_eq!((dog.id, dog.class, dog.bounds, dog.area), (12, 2, [1.5, 2.0, 11.5, 22.25], 77.5));
    assert_eq!((cat.id, cat.class, cat.bounds, cat.area), (3, 0, [2.0, 2.0, 8.0, 8.0], 36.0));
    assert_eq!(cat.mask, Some(Mask::Polygons(vec![vec![2.0, 2.0, 8.0, 2.0, 8.0, 8.0, 2.0, 8.0]])));
    assert_eq!(data.images[1].objects[0].area, 20.0);
    assert_eq!(data.clone().for_training().images.len(), 2);
    assert_ne!(data.fingerprint(), data.for_training().fingerprint());
}

#[test]
fn crowds_have_run_lengths_compressed_or_not() {
    // Columns 1 to 3, rows 2 to 5.
    let rows: Vec<bool> = (0..40 * 30).map(|at| (1..4).contains(&(at % 40)) && (2..6).contains(&(at / 40))).collect();
    let rle = Rle::from_rows(&rows, 30, 40).unwrap();
    assert_eq!(rle.counts, [32, 4, 26, 4, 26, 4, 1104]);
    let crowd = |id: u32, counts: Value| {
        json!({"id": id, "image_id": 1, "category_id": id, "bbox": [1, 2, 3, 4], "iscrowd": 1,
            "segmentation": {"size": [30, 40], "counts": counts}})
    };
    let read = read(&document(json!([crowd(1, json!(rle.counts)), crowd(2, json!(rle.to_compressed()))])));
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    let objects = &read.annotations.images[0].objects;
    assert_eq!(objects.len(), 2);
    for object in objects {
        assert_eq!((&object.mask, object.area, object.crowd), (&Some(Mask::Rle(rle.clone())), 12.0, true));
    }
    assert!(read.annotations.for_training().images.is_empty());
}

#[test]
fn given_classes_have_the_files_numbers_or_unused_ones() {
    let file = document(json!([
        {"id": 1, "image_id": 1, "category_id": 2, "bbox": [0, 0, 4, 5]},
        {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 5]},
        {"id": 3, "image_id": 1, "category_id": 77, "bbox": [0, 0, 4, 5]},
    ]));
    let classes = ["yak".to_owned(), "dog".to_owned()];
    let read = folder(&file).read_classes(Format::Coco, None, Some(&classes)).unwrap();
    assert_eq!((&read.annotations.classes[..], &read.annotations.category_ids[..]), (&classes[..], &[3, 2][..]));
    let objects = &read.annotations.images[0].objects;
    assert_eq!(objects.iter().map(|object| (object.id, object.class)).collect::<Vec<_>>(), [(1, 1)]);
    let file = "annotations/instances_train.json";
    let unknown = |place| (ProblemKind::UnknownClass, file, Some(place));
    assert_eq!(found(&read), [unknown("annotation 2"), unknown("annotation 3")]);
}

#[test]
fn repeated_and_absent_numbers_get_the_next_free_ones() {
    let read = read(&document(json!([
        {"id": 4, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 5]},
        {"id": 4, "image_id": 1, "category_id": 1, "bbox": [1, 0, 4, 5]},
        {"image_id": 1, "category_id": 1, "bbox": [2, 0, 4, 5]},
        {"id": 9, "image_id": 1, "category_id": 1, "bbox": [3, 0, 4, 5], "segmentation": [], "iscrowd": false},
    ])));
    let ids: Vec<u64> = read.annotations.images[0].objects.iter().map(|object| object.id).collect();
    assert_eq!(ids, [4, 10, 11, 9]);
    assert_eq!(found(&read).len(), 1);
    assert_eq!(read.problems.count(ProblemKind::RepeatedObject), 1);
}

#[test]
fn images_lie_in_any_of_the_usual_folders() {
    let file = document(json!([{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 5]}])).to_string();
    for place in ["val2017", "images/val2017", "images", "JPEGImages", ""] {
        let (folder, image) = (Folder::new(), std::path::Path::new(place).join("a.png"));
        folder.image(image.to_str().unwrap()).write("annotations/instances_val2017.json", &file);
        // Other files of the same folder are no splits.
        folder.write("annotations/captions_val2017.json", "{}");
        let read = folder.read(Format::Coco, Some("val2017")).unwrap();
        assert_eq!(read.annotations.images[0].file.path, folder.path().join(image), "{place}");
    }
    let folder = Folder::new();
    folder.image("valid/a.png").write("valid/_annotations.coco.json", &file);
    assert_eq!(folder.read(Format::Coco, Some("valid")).unwrap().annotations.images.len(), 1);
}
