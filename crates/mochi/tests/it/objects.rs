//! `mochi check --format` on folders with known objects.

use std::path::Path;

use serde_json::json;

use crate::common::{images, json, run, said};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Three images of 24 px in a COCO folder: two with objects, one of which is left out, and one without.
fn dataset(folder: &Path) {
    images(folder, 1, 3);
    std::fs::rename(folder.join("class-0/deep"), folder.join("train")).unwrap();
    std::fs::create_dir(folder.join("annotations")).unwrap();
    let image = |id: u32| json!({"id": id, "file_name": format!("{:03}.png", id - 1), "width": 24, "height": 24});
    let document = json!({
        "images": [image(1), image(2), image(3)],
        "categories": [{"id": 3, "name": "cat <b>"}, {"id": 7, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 3, "bbox": [2, 2, 10, 10], "segmentation": [[2, 2, 12, 2, 12, 12]], "area": 50},
            {"id": 2, "image_id": 1, "category_id": 7, "bbox": [2, 2, 10, 10], "iscrowd": 1, "area": 1024,
                "segmentation": {"size": [24, 24], "counts": [50, 4, 522]}},
            {"id": 3, "image_id": 2, "category_id": 7, "bbox": [4, 4, 10, 10], "area": 9216},
            {"id": 4, "image_id": 2, "category_id": 7, "bbox": [4, 4, 0, 10]},
        ],
    });
    std::fs::write(folder.join("annotations/instances_train.json"), document.to_string()).unwrap();
}

#[test]
fn objects_are_counted_and_problems_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    dataset(&data);
    let found = json(&run(&["check", text(&data), "--format", "coco", "--json"]));
    for (key, wanted) in
        [("images", 3), ("empty_images", 1), ("objects", 3), ("masks", 2), ("crowds", 1), ("difficult", 0)]
    {
        assert_eq!(found[key], wanted, "{key}");
    }
    assert_eq!((&found["format"], &found["split"], &found["page"]), (&json!("coco"), &json!("train"), &json!(null)));
    assert_eq!(found["sizes"], json!({"small": 1, "medium": 1, "large": 1}));
    assert_eq!(found["classes"][1], json!({"name": "dog", "objects": 2, "images": 2}));
    assert_eq!((&found["images_left_out"], &found["objects_left_out"]), (&json!(0), &json!(1)));
    let problems = found["problems"].as_array().unwrap();
    assert_eq!(
        (problems.len(), &problems[0]["kind"], &problems[0]["rule"]),
        (1, &json!("empty-box"), &json!("skip-object"))
    );
    assert_eq!(problems[0]["examples"][0]["object"], "annotation 4");

    let output = run(&["check", text(&data), "--format", "coco", "--split", "train"]);
    let table = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{}", said(&output));
    for words in [
        "objects          3; 1 left out",
        "dog      2        66.7 %  2",
        "1: the width or height of the box is zero or negative (object left out)",
        "annotations/instances_train.json, annotation 4: box (4, 4, 4, 14)",
    ] {
        assert!(table.contains(words), "{words} is not in: {table}");
    }
}

#[test]
fn the_page_shows_images_with_their_objects() {
    let folder = tempfile::tempdir().unwrap();
    let (data, page) = (folder.path().join("data"), folder.path().join("page.html"));
    dataset(&data);
    let output = run(&["check", text(&data), "--format", "coco", "--out", text(&page)]);
    assert!(output.status.success(), "{}", said(&output));
    let html = std::fs::read_to_string(&page).unwrap();
    assert_eq!(html.matches("<figure>").count(), 2);
    assert_eq!(html.matches("<rect class=\"box\"").count(), 3);
    assert!(
        html.contains("<path d=\"M2 2L12 2L12 12Z\"/>") && html.contains("<path d=\"M2 2L3 2L3 6L2 6Z\"/>"),
        "{html}"
    );
    assert!(html.contains("dog (crowd)") && html.contains("cat &lt;b&gt;") && !html.contains("cat <b>"));
    // A page replaces an earlier page.
    assert!(run(&["check", text(&data), "--format", "coco", "--out", text(&page)]).status.success());
}

#[test]
fn what_cannot_be_trained_on_is_refused_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    dataset(&data);
    for words in [
        &["check", text(&data), "--format", "voc"][..],
        &["check", text(&data), "--format", "coco", "--split", "val"],
        &["check", text(&data), "--format", "coco", "--also", text(&data)],
        &["check", text(&data), "--format", "coco", "--out", "page.png"],
    ] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(said(&output).contains("error: ") && said(&output).contains("hint: "), "{}", said(&output));
        assert!(output.stdout.is_empty());
    }
    for words in [&["check", text(&data), "--format", "tiff"][..], &["check", text(&data), "--split", "train"]] {
        assert_eq!(run(words).status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn check_of_objects_decodes_the_images() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    dataset(&data);
    let image = data.join("train/001.png");
    let whole = std::fs::read(&image).unwrap();
    std::fs::write(&image, &whole[..80]).unwrap();
    // One never ends a run.
    let found = json(&run(&["check", text(&data), "--format", "coco", "--json"]));
    assert_eq!(
        (found["bad_images"].as_array().unwrap().len(), &found["bad_images"][0]["name"]),
        (1, &json!("001.png"))
    );
    std::fs::write(data.join("train/000.png"), &whole[..80]).unwrap();
    let output = run(&["check", text(&data), "--format", "coco"]);
    let table = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(table.contains("bad images: 2") && table.contains("  000.png: "), "{table}");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("2 of 3 images are bad; a run allows one, or 1 %") && said.contains("hint: "), "{said}");
}

#[test]
fn a_coco_file_without_categories_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    dataset(&data);
    let file = data.join("annotations/instances_train.json");
    let mut document: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    document.as_object_mut().unwrap().remove("categories");
    std::fs::write(&file, document.to_string()).unwrap();
    let text = said(&run(&["check", text(&data), "--format", "coco"]));
    assert!(text.contains("has no usable entry in `categories`") && text.contains("hint: add `"), "{text}");
}
