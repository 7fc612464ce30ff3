//! VOC folders.

use mochi_annotations::{Format, Mask, ProblemKind, Purpose, ReadOptions, read, splits};

use crate::folder::{Folder, found};

/// An object with its box xmin, ymin, xmax, ymax.
pub fn object(name: &str, bounds: [&str; 4], more: &str) -> String {
    let [x0, y0, x1, y1] = bounds;
    let bounds = format!("<xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>");
    format!("<object><name>{name}</name>{more}<bndbox>{bounds}</bndbox></object>")
}

/// An annotation of an image of 40 x 30 pixels.
pub fn annotation(objects: &str) -> String {
    format!("<annotation><size><width>40</width><height>30</height><depth>3</depth></size>{objects}</annotation>")
}

/// Writes an image with its annotation below a folder.
pub fn add(folder: &Folder, root: &str, id: &str, objects: &str) {
    folder
        .image(&format!("{root}JPEGImages/{id}.png"))
        .write(&format!("{root}Annotations/{id}.xml"), annotation(objects));
}

#[test]
fn boxes_begin_at_zero_and_parts_are_ignored() {
    let folder = Folder::new();
    let part =
        "<part><name>head</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></part>";
    let dog = object("dog", ["1", "2", "11", "22"], part);
    let cat = object("cat", ["3.5", "4.5", "40", "30"], "<difficult>1</difficult>");
    add(&folder, "", "b", &(dog + &cat));
    add(&folder, "", "a", "");
    let read = folder.read(Format::Voc, None).unwrap();
    assert_eq!((read.split.as_str(), read.problems.total()), ("all", 0));
    let data = read.annotations;
    assert_eq!((data.classes, data.category_ids), (vec!["cat".to_owned(), "dog".to_owned()], vec![1, 2]));
    let [a, b] = &data.images[..] else { panic!("{} images", data.images.len()) };
    assert_eq!((a.id, a.name.as_str(), a.objects.len()), (1, "a", 0));
    assert_eq!((b.id, b.name.as_str(), (b.width, b.height), b.exif_orientation), (2, "b", (40, 30), true));
    assert_eq!(b.file.path, folder.at("JPEGImages/b.png"));
    let [dog, cat] = &b.objects[..] else { panic!("{:?}", b.objects) };
    assert_eq!((dog.id, dog.class, dog.bounds, dog.area), (1, 1, [0.0, 1.0, 11.0, 22.0], 231.0));
    assert_eq!((cat.id, cat.class, cat.bounds, cat.area), (2, 0, [2.5, 3.5, 40.0, 30.0], 37.5 * 26.5));
    assert_eq!([dog.difficult, cat.difficult, dog.crowd, cat.crowd], [false, true, false, false]);
    assert_eq!(dog.mask.as_ref().map(Mask::bounds), None);
}

#[test]
fn years_are_joined_and_lists_of_one_class_are_no_splits() {
    let folder = Folder::new();
    let one = object("cat", ["1", "1", "9", "9"], "");
    for (year, id) in [("VOC2012", "first"), ("VOC2007", "second"), ("VOC2007", "other")] {
        let root = format!("VOCdevkit/{year}/");
        add(&folder, &root, id, &one);
        folder.write(&format!("{root}ImageSets/Main/cat_trainval.txt"), "first 1\n");
    }
    folder
        .write("VOCdevkit/VOC2012/ImageSets/Main/trainval.txt", "first\n")
        .write("VOCdevkit/VOC2007/ImageSets/Main/trainval.txt", "\u{feff}second\r\n\r\n")
        .write("VOCdevkit/VOC2007/ImageSets/Main/test.txt", "other");
    let (format, names) = splits(folder.path(), None).unwrap();
    assert_eq!((format, names), (Format::Voc, vec!["test".to_owned(), "trainval".to_owned()]));
    let names = |purpose| {
        let read = read(folder.path(), &ReadOptions { format: None, split: None, purpose, classes: None }).unwrap();
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        let names: Vec<(u64, u64, String)> =
            read.annotations.images.into_iter().map(|image| (image.id, image.objects[0].id, image.name)).collect();
        (read.split, names)
    };
    let second_and_first = vec![(1, 1, "second".to_owned()), (2, 2, "first".to_owned())];
    assert_eq!(names(Purpose::Training), ("trainval".to_owned(), second_and_first));
    assert_eq!(names(Purpose::Evaluation), ("test".to_owned(), vec![(1, 1, "other".to_owned())]));
}

#[test]
fn given_classes_keep_their_order_and_others_are_left_out() {
    let folder = Folder::new();
    let cat = object("cat", ["1", "1", "9", "9"], "");
    add(&folder, "", "a", &(object("yak", ["1", "1", "5", "5"], "") + &cat));
    let classes = ["dog".to_owned(), "cat".to_owned()];
    let read = folder.read_classes(Format::Voc, None, Some(&classes)).unwrap();
    assert_eq!(read.annotations.classes, classes);
    let objects = &read.annotations.images[0].objects;
    assert_eq!(objects.iter().map(|object| (object.id, object.class)).collect::<Vec<_>>(), [(1, 1)]);
    assert_eq!(found(&read), [(ProblemKind::UnknownClass, "Annotations/a.xml", Some("object 1"))]);
}

#[test]
fn the_image_can_have_the_name_in_the_annotation() {
    let folder = Folder::new();
    let object = object("cat", ["1", "1", "9", "9"], "");
    let xml = annotation(&object).replacen("<size>", "<filename>photo.webp.png</filename><size>", 1);
    folder.image("JPEGImages/photo.webp.png").write("Annotations/a.xml", xml);
    let read = folder.read(Format::Voc, None).unwrap();
    assert_eq!(read.annotations.images[0].file.path, folder.at("JPEGImages/photo.webp.png"));
}

#[test]
fn an_object_without_content_and_another_root_are_reported() {
    let folder = Folder::new();
    let cat = object("cat", ["1", "1", "9", "9"], "");
    add(&folder, "", "a", &format!("<object/>{cat}"));
    folder.image("JPEGImages/b.png").write("Annotations/b.xml", "<html><body/></html>");
    let read = folder.read(Format::Voc, None).unwrap();
    let wanted = [
        (ProblemKind::MalformedFile, "Annotations/b.xml", None),
        (ProblemKind::MalformedObject, "Annotations/a.xml", Some("object 1")),
    ];
    assert_eq!(found(&read), wanted);
}
