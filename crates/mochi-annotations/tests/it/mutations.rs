//! Damaged files: cut at every byte, and with bytes changed at random. Nothing panics, and what is read can be used.

use mochi_annotations::{AnnotationError, Dataset, Format, Rle};
use mochi_random::Philox;
use serde_json::json;

use crate::folder::Folder;
use crate::{coco, voc};

/// Files with changed bytes for each format.
const CHANGED: u32 = 700;

/// A folder, the file in it that is damaged, and its content.
fn datasets() -> Vec<(Format, Folder, &'static str, Vec<u8>)> {
    let voc_folder = Folder::new();
    let objects = voc::object("cat &amp; dog", ["1", "2.5", "39", "29"], "<difficult>1</difficult>")
        + &voc::object("<![CDATA[yak]]>", ["4", "2", "9", "9"], "<!-- a --><part><name>head</name></part>");
    let xml = format!("<?xml version=\"1.0\"?>{}", voc::annotation(&objects));
    voc_folder.image("JPEGImages/a.png");

    let rle = Rle::new(30, 40, vec![32, 4, 26, 4, 1134]).unwrap();
    let json = coco::document(json!([
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 5], "segmentation": [[1, 1, 9, 1, 9, 9.5]], "area": 2},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [0, 0, 4, 5], "iscrowd": 1, "segmentation": {"size": [30, 40], "counts": [32, 4, 1164]}},
        {"id": 3, "image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "segmentation": {"size": [30, 40], "counts": rle.to_compressed()}},
    ]));
    let coco_folder = coco::folder(&json);

    let label_folder = Folder::new();
    label_folder.image("images/a.png").write("classes.txt", "cat\ndog");
    let labels = "0 0.5 0.5 0.25 0.125\n1 1e-1 0.1 0.9 0.1 0.9 0.9\n\n1 0.2 0.2 0.1 0.1\n";
    let names_folder = Folder::new();
    names_folder.image("images/a.png").write("labels/a.txt", labels);
    let names = "train: ../a\nnc: 2\nnames:\n  0: cat\n  1: 'd: \"o\" g'\nother: [a, {b: c}]\n";
    vec![
        (Format::Voc, voc_folder, "Annotations/a.xml", xml.into_bytes()),
        (Format::Coco, coco_folder, "annotations/instances_train.json", json.to_string().into_bytes()),
        (Format::Yolo, label_folder, "labels/a.txt", labels.into()),
        (Format::Yolo, names_folder, "data.yaml", names.into()),
    ]
}

/// What a reader promises about everything that it returns.
fn check(read: Result<Dataset, AnnotationError>, content: &[u8]) -> bool {
    let shown = || String::from_utf8_lossy(content);
    let data = match read {
        Ok(read) => read.annotations,
        Err(error) => {
            assert!(!error.to_string().is_empty() && error.hint().is_some(), "{error:?}: {}", shown());
            return false;
        }
    };
    assert_eq!(data.classes.len(), data.category_ids.len());
    for image in &data.images {
        for object in &image.objects {
            let [x0, y0, x1, y1] = object.bounds;
            assert!(object.class < data.classes.len(), "{}", shown());
            assert!(object.bounds.iter().all(|side| side.is_finite()) && object.area.is_finite(), "{}", shown());
            assert!(x0 < x1 && y0 < y1 && x1 > 0.0 && y1 > 0.0, "{}", shown());
            assert!(x0 < f64::from(image.width) && y0 < f64::from(image.height), "{}", shown());
            let mask = object.mask.iter();
            mask.for_each(|mask| assert_eq!(mask.to_rle(40, 30).to_rows().len(), 1200, "{}", shown()));
        }
    }
    data.fingerprint();
    true
}

#[test]
fn files_cut_at_every_byte() {
    for (format, folder, file, content) in datasets() {
        let objects = |read: &Dataset| read.annotations.images.iter().map(|image| image.objects.len()).sum::<usize>();
        folder.write(file, &content);
        let whole = folder.read(format, None).unwrap();
        assert!(whole.problems.is_empty() && objects(&whole) > 1, "{file}: {:?}", whole.problems);
        for cut in 0..content.len() {
            folder.write(file, &content[..cut]);
            let read = check(folder.read(format, None), &content[..cut]);
            // A part of a list of lines is a list of lines; XML and JSON end with what they began with.
            assert!(!read || format == Format::Yolo, "{file} cut at {cut}");
        }
    }
}

#[test]
fn files_with_changed_bytes() {
    let draws = Philox::new(7, 1);
    for (number, (format, folder, file, content)) in datasets().into_iter().enumerate() {
        let mut read = 0;
        for case in 0..CHANGED {
            let mut changed = content.clone();
            let words = |item| draws.words([number as u32, case, item, 0]);
            for item in 0..1 + words(0)[0] % 4 {
                let [place, byte, kind, from] = words(item + 1);
                let place = place as usize % changed.len();
                // Half of the new bytes are bytes of the file: they have a meaning in it.
                let byte = if kind & 1 == 0 { byte as u8 } else { content[from as usize % content.len()] };
                match kind >> 1 & 3 {
                    0 if changed.len() > 1 => drop(changed.remove(place)),
                    1 => changed.insert(place, byte),
                    _ => changed[place] = byte,
                }
            }
            folder.write(file, &changed);
            read += u32::from(check(folder.read(format, None), &changed));
        }
        assert!(read > 0 && read < CHANGED, "{file}: {read} of {CHANGED} were read");
    }
}

#[test]
fn deeply_nested_files_end() {
    let deep = |open: &str| open.repeat(50_000);
    for (format, folder, file, _) in datasets() {
        let content = match format {
            Format::Voc => deep("<annotation>"),
            Format::Coco => format!("{{\"images\": [{}", deep("[")),
            Format::Yolo => format!("names: {}", deep("[")),
        };
        folder.write(file, &content);
        assert!(!check(folder.read(format, None), b"deep"), "{file}");
        if format == Format::Coco {
            let content = format!("{{\"images\": [{}{}]}}", deep("["), "]".repeat(50_000));
            folder.write(file, content);
            assert!(!check(folder.read(format, None), b"deep"), "{file}");
        }
    }
}
