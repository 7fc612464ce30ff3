//! Every kind of problem, provoked alone: the table has a case for each, and each case has no other problem.

use mochi_annotations::ProblemKind::{self, *};
use mochi_annotations::{Format, Rule};
use serde_json::{Value, json};

use crate::folder::{Folder, found, png, turned_jpeg};
use crate::{coco, voc};

/// A kind, the folder that has it once beside one good object, the format, and the file and object that are named.
type Case = (ProblemKind, Folder, Format, &'static str, Option<&'static str>);

/// A VOC folder with the good image `good` and the image `x`, as `change` leaves it.
fn voc_folder(change: impl Fn(&Folder)) -> Folder {
    let folder = Folder::new();
    for id in ["good", "x"] {
        voc::add(&folder, "", id, &voc::object("cat", ["1", "1", "9", "9"], ""));
    }
    change(&folder);
    folder
}

/// A VOC folder with another file.
fn voc_file(name: &str, content: impl AsRef<[u8]>) -> Folder {
    let folder = voc_folder(|_| ());
    folder.write(name, content);
    folder
}

/// A VOC folder whose image `x` has another object.
fn voc_object(name: &str, bounds: [&str; 4]) -> Folder {
    voc_folder(|folder| voc::add(folder, "", "x", &voc::object(name, bounds, "")))
}

/// A COCO folder whose annotation 1 is good, with other annotations.
fn coco_annotation(annotation: Value) -> Folder {
    let mut all = vec![json!({"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 5]})];
    all.push(annotation);
    coco::folder(&coco::document(json!(all)))
}

/// Annotation 2 with a mask.
fn coco_mask(segmentation: Value) -> Folder {
    coco_annotation(
        json!({"id": 2, "image_id": 1, "category_id": 2, "bbox": [0, 0, 4, 5], "segmentation": segmentation}),
    )
}

/// A COCO folder with another image in the list.
fn coco_image(image: Value) -> Folder {
    let mut document = coco::document(json!([{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 5]}]));
    document["images"].as_array_mut().unwrap().push(image);
    let folder = coco::folder(&document);
    folder.image("train/b.png");
    folder
}

const VOC: &str = "Annotations/x.xml";
const JSON: &str = "annotations/instances_train.json";

fn cases() -> Vec<Case> {
    let second = Some("annotation 2");
    let list = |lines: &str| voc_file("ImageSets/Main/train.txt", lines);
    let size = |size: &str| {
        let object = voc::object("cat", ["1", "1", "9", "9"], "");
        let xml = format!("<annotation>{size}{object}</annotation>");
        voc_file(VOC, xml)
    };
    let unlabelled = Folder::new();
    unlabelled.image("images/a.png").image("images/b.png").write("classes.txt", "cat");
    unlabelled.write("labels/a.txt", "0 0.5 0.5 1 1");
    let turned = size("<size><width>30</width><height>40</height></size>");
    std::fs::remove_file(turned.at("JPEGImages/x.png")).unwrap();
    turned.write("JPEGImages/x.jpg", turned_jpeg(30, 40));
    let two_cats = {
        let mut document = coco::document(json!([{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 5]}]));
        document["categories"][1]["name"] = json!("cat");
        coco::folder(&document)
    };
    let square = [1, 1, 9, 1, 9, 9, 1, 9];
    vec![
        (
            MissingImage,
            voc_folder(|folder| std::fs::remove_file(folder.at("JPEGImages/x.png")).unwrap()),
            Format::Voc,
            VOC,
            None,
        ),
        (
            MissingImage,
            coco_image(json!({"id": 2, "file_name": "no.png", "width": 40, "height": 30})),
            Format::Coco,
            "no.png",
            Some("image 2"),
        ),
        (UnreadableImage, voc_file("JPEGImages/x.png", "words"), Format::Voc, VOC, None),
        (UnreadableImage, voc_file("JPEGImages/x.png", png(100_000, 100_000)), Format::Voc, VOC, None),
        (MissingAnnotation, list("good\nabsent\n"), Format::Voc, "Annotations/absent.xml", None),
        (MalformedFile, voc_file(VOC, "<annotation>"), Format::Voc, VOC, None),
        (MalformedImage, coco_image(json!({"id": 2, "width": 40})), Format::Coco, JSON, Some("image 2 of the list")),
        (RepeatedImage, list("good\nx\ngood\n"), Format::Voc, "ImageSets/Main/train.txt", Some("line 3")),
        (
            RepeatedImage,
            coco_image(json!({"id": 1, "file_name": "b.png", "width": 40, "height": 30})),
            Format::Coco,
            JSON,
            Some("image 1"),
        ),
        (UnsafeName, list("../x\ngood\n"), Format::Voc, "ImageSets/Main/train.txt", Some("line 1")),
        (UnsafeName, coco_image(json!({"id": 2, "file_name": "/etc/a.png"})), Format::Coco, JSON, Some("image 2")),
        (SizeConflict, size("<size><width>41</width><height>30</height></size>"), Format::Voc, VOC, None),
        (MalformedObject, voc_object("cat", ["1", "one", "9", "9"]), Format::Voc, VOC, Some("object 1")),
        (MalformedObject, voc_object("", ["1", "1", "9", "9"]), Format::Voc, VOC, Some("object 1")),
        (
            MalformedObject,
            coco_annotation(json!({"id": 2, "image_id": 1, "category_id": 1})),
            Format::Coco,
            JSON,
            Some("annotation 2 of the list"),
        ),
        (
            UnknownImage,
            coco_annotation(json!({"id": 2, "image_id": 5, "category_id": 1, "bbox": [0, 0, 4, 5]})),
            Format::Coco,
            JSON,
            second,
        ),
        (
            UnknownClass,
            coco_annotation(json!({"id": 2, "image_id": 1, "category_id": 3, "bbox": [0, 0, 4, 5]})),
            Format::Coco,
            JSON,
            second,
        ),
        (InvalidNumber, voc_object("cat", ["1", "nan", "9", "9"]), Format::Voc, VOC, Some("object 1")),
        (InvalidNumber, coco_mask(json!([[1, 1, 5, 1, 5, 1e9]])), Format::Coco, JSON, second),
        (EmptyBox, voc_object("cat", ["9", "1", "8", "9"]), Format::Voc, VOC, Some("object 1")),
        (OutsideBox, voc_object("cat", ["41", "1", "50", "9"]), Format::Voc, VOC, Some("object 1")),
        (InvalidPolygon, coco_mask(json!([[1, 1, 5, 5]])), Format::Coco, JSON, second),
        (InvalidRle, coco_mask(json!({"size": [30, 40], "counts": [1, 2]})), Format::Coco, JSON, second),
        (InvalidRle, coco_mask(json!({"size": [30, 40], "counts": "words"})), Format::Coco, JSON, second),
        (RleSize, coco_mask(json!({"size": [40, 30], "counts": [1200]})), Format::Coco, JSON, second),
        (BoxBeyondEdge, voc_object("cat", ["1", "1", "42", "9"]), Format::Voc, VOC, Some("object 1")),
        (DroppedPolygon, coco_mask(json!([[1, 1, 5, 5], square])), Format::Coco, JSON, second),
        (
            RepeatedBox,
            coco_annotation(json!({"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 5]})),
            Format::Coco,
            JSON,
            second,
        ),
        (
            RepeatedObject,
            coco_annotation(json!({"id": 1, "image_id": 1, "category_id": 2, "bbox": [0, 0, 4, 5]})),
            Format::Coco,
            JSON,
            Some("annotation 1"),
        ),
        (RepeatedClass, two_cats, Format::Coco, JSON, Some("category 2")),
        (NoSize, size(""), Format::Voc, VOC, None),
        (SwappedSize, size("<size><width>30</width><height>40</height></size>"), Format::Voc, VOC, None),
        (StoredOrientation, turned, Format::Voc, VOC, None),
        (NoLabelFile, unlabelled, Format::Yolo, "images/b.png", None),
    ]
}

#[test]
fn every_kind_is_found_alone_and_named_by_file_and_object() {
    let cases = cases();
    for kind in ProblemKind::ALL {
        assert!(cases.iter().any(|case| case.0 == *kind), "no case has {kind:?}");
    }
    for (kind, folder, format, file, object) in cases {
        let read = folder.read(format, None).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert_eq!(found(&read), [(kind, file, object)], "{:?}", read.problems);
        let left_out = |rule| u64::from(kind.rule() == rule);
        assert_eq!(read.problems.count_of(Rule::SkipImage), left_out(Rule::SkipImage));
        assert_eq!(read.problems.count_of(Rule::SkipObject), left_out(Rule::SkipObject));
    }
}

#[test]
fn what_is_left_out_is_absent_and_what_is_kept_is_there() {
    for (kind, folder, format, ..) in cases() {
        let data = folder.read(format, None).unwrap().annotations;
        let objects: usize = data.images.iter().map(|image| image.objects.len()).sum();
        let wanted = match (kind.rule(), format, kind) {
            // Only the good image is left, with its object; the VOC list of a repeated image has another.
            (Rule::SkipImage, Format::Voc, RepeatedImage) => (2, 2),
            (Rule::SkipImage, ..) => (1, 1),
            (Rule::SkipObject, Format::Voc, _) => (2, 1),
            (Rule::SkipObject, ..) => (1, 1),
            (Rule::Keep, Format::Voc, _) => (2, 2),
            (Rule::Keep, Format::Coco, RepeatedClass) => (1, 1),
            (Rule::Keep, Format::Coco, _) => (1, 2),
            (Rule::Keep, Format::Yolo, _) => (2, 1),
        };
        assert_eq!((data.images.len(), objects), wanted, "{kind:?}");
    }
}

#[test]
fn a_turned_image_is_displayed_upright_unless_its_objects_were_drawn_on_the_stored_pixels() {
    for (kind, folder, ..) in cases().into_iter().filter(|case| matches!(case.0, StoredOrientation | SwappedSize)) {
        let data = folder.read(Format::Voc, None).unwrap().annotations;
        let image = &data.images[1];
        let wanted = if kind == StoredOrientation { (30, 40, false) } else { (40, 30, true) };
        assert_eq!((image.width, image.height, image.exif_orientation), wanted, "{kind:?}");
    }
}
