//! YOLO folders.

use mochi_annotations::{Format, Mask, ProblemKind};

use crate::folder::{Folder, found};

#[test]
fn boxes_and_polygons_are_fractions_of_the_image() {
    let folder = Folder::new();
    folder
        .write("data.yaml", "train: ../train/images\nnc: 2\nnames: ['cat', dog]\n")
        .image("images/train/b.png")
        .image("images/train/deep/a.png")
        .write("labels/train/b.txt", "1 0.5 0.5 0.5 0.4\r\n\r\n0.0 0.25 0.2 0.75 0.2 0.75 0.6 0.25 0.6\n")
        .write("labels/train/deep/a.txt", "");
    let read = folder.read(Format::Yolo, None).unwrap();
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    let data = read.annotations;
    assert_eq!((&data.classes[..], &data.category_ids[..]), (&["cat".to_owned(), "dog".to_owned()][..], &[1, 2][..]));
    let images: Vec<(u64, &str, usize)> =
        data.images.iter().map(|image| (image.id, image.name.as_str(), image.objects.len())).collect();
    assert_eq!(images, [(1, "b.png", 2), (2, "deep/a.png", 0)]);
    let [dog, cat] = &data.images[0].objects[..] else { panic!() };
    assert_eq!((dog.id, dog.class, dog.bounds, dog.area, &dog.mask), (1, 1, [10.0, 9.0, 30.0, 21.0], 240.0, &None));
    assert_eq!((cat.id, cat.class, cat.bounds, cat.area), (2, 0, [10.0, 6.0, 30.0, 18.0], 240.0));
    assert_eq!(cat.mask, Some(Mask::Polygons(vec![vec![10.0, 6.0, 30.0, 6.0, 30.0, 18.0, 10.0, 18.0]])));
}

#[test]
fn names_are_a_mapping_or_lines_and_splits_come_first_or_last() {
    for (names, content) in [
        ("data.yaml", "names:\n  0: cat\n  1: dog\n"),
        ("classes.txt", "cat\ndog\n\n"),
        ("labels/classes.txt", "cat\r\ndog"),
        ("obj.names", "\u{feff}cat\ndog\n"),
    ] {
        for (split, images, labels) in [
            (Some("val"), "val/images", "val/labels"),
            (Some("val"), "images/val", "labels/val"),
            (None, "images", "labels"),
        ] {
            let folder = Folder::new();
            folder.image(&format!("{images}/a.png")).write(&format!("{labels}/a.txt"), "1 0.5 0.5 1 1");
            folder.write(names, content);
            let read = folder.read(Format::Yolo, split).unwrap();
            assert_eq!(read.annotations.classes, ["cat", "dog"], "{names} {images}");
            assert_eq!(read.annotations.images[0].objects[0].bounds, [0.0, 0.0, 40.0, 30.0], "{names} {images}");
            assert_eq!((read.split.as_str(), read.problems.total()), (split.unwrap_or("all"), 0));
        }
    }
}

#[test]
fn given_classes_are_found_by_name() {
    let folder = Folder::new();
    folder
        .image("images/a.png")
        .write("labels/a.txt", "1 0.5 0.5 1 1\n0 0.5 0.5 1 1\n")
        .write("classes.txt", "cat\ndog");
    let classes = ["dog".to_owned(), "yak".to_owned()];
    let read = folder.read_classes(Format::Yolo, None, Some(&classes)).unwrap();
    assert_eq!(read.annotations.classes, classes);
    assert_eq!(read.annotations.images[0].objects.iter().map(|object| object.class).collect::<Vec<_>>(), [0]);
    assert_eq!(found(&read), [(ProblemKind::UnknownClass, "labels/a.txt", Some("line 2"))]);
}

#[test]
fn a_repeated_name_is_reported_in_its_file() {
    for (names, content) in [("data.yml", "names: [cat, dog, cat]"), ("classes.txt", "cat\ndog\ncat")] {
        let folder = Folder::new();
        folder.image("images/a.png").write("labels/a.txt", "2 0.5 0.5 1 1\n").write(names, content);
        let read = folder.read(Format::Yolo, None).unwrap();
        assert_eq!(read.annotations.images[0].objects[0].class, 0);
        assert_eq!(found(&read), [(ProblemKind::RepeatedClass, names, None)]);
    }
}
