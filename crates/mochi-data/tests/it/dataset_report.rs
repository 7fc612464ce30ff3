//! Dataset report of a folder with known contents.

use std::path::Path;

use crate::common::pictures::{decoded, jpeg, png, scene, turned, webp};
use mochi_data::dataset_report::{DatasetReport, ReportOptions, Stage, check_dataset, sample};
use mochi_data::{Dataset, Thumbnailer};
use png::{BitDepth, ColorType};
use serde_json::{Value, json};

const W: u32 = 160;
const H: u32 = 120;

fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Twenty files in two classes, three of them bad.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| put(dir.path(), name, bytes);
    let one = jpeg(&scene(1, W, H), W, H, 92);
    put("a/one.jpg", &one);
    put("a/one-again.jpg", &one);
    put("a/one-lossless.png", &png(&decoded(&one).rgb, W, H, ColorType::Rgb, BitDepth::Eight));
    put("a/one-small.jpg", &jpeg(&scene(1, 96, 72), 96, 72, 40));
    let brighter: Vec<u8> = scene(1, W, H).iter().map(|&v| (f32::from(v) * 0.8 + 40.0) as u8).collect();
    put("b/one-brighter.webp", &webp(&brighter, W, H));
    for seed in 2..6 {
        put(&format!("b/other-{seed}.jpg"), &jpeg(&scene(seed, W, H), W, H, 90));
    }
    put("b/tall.jpg", &jpeg(&scene(6, 60, 200), 60, 200, 90));
    put("b/turned.jpg", &turned(&jpeg(&scene(7, W, H), W, H, 90)));
    put("b/named-wrongly.jpg", &png(&scene(8, W, H), W, H, ColorType::Rgb, BitDepth::Eight));
    let gray = |seed| scene(seed, W, H).chunks(3).map(|p| p[0]).collect::<Vec<u8>>();
    put("a/gray.png", &png(&gray(9), W, H, ColorType::Grayscale, BitDepth::Eight));
    let deep: Vec<u8> = gray(10).iter().flat_map(|&v| [v, 77]).collect();
    put("a/gray-16-bit.png", &png(&deep, W, H, ColorType::Grayscale, BitDepth::Sixteen));
    let clear: Vec<u8> = scene(11, W, H).chunks(3).flat_map(|p| [p[0], p[1], p[2], 9]).collect();
    put("a/alpha.png", &png(&clear, W, H, ColorType::Rgba, BitDepth::Eight));
    let blank = png(&vec![200; (W * H) as usize], W, H, ColorType::Grayscale, BitDepth::Eight);
    put("b/blank.png", &blank);
    put("b/blank-other.png", &png(&vec![90; (W * H) as usize], W, H, ColorType::Grayscale, BitDepth::Eight));
    let cut = jpeg(&scene(12, W, H), W, H, 90);
    put("b/cut.jpg", &cut[..cut.len() / 2]);
    put("b/empty.png", b"");
    put("a/words.jpg", b"not a picture at all");
    dir
}

fn report(dataset: &Dataset, threads: usize) -> DatasetReport {
    let options = ReportOptions { view: 100, max_bad_fraction: 0.5, threads };
    let mut last = (0, 0);
    let report = check_dataset(dataset, &options, &mut |stage, done, of| {
        assert!(done <= of);
        match stage {
            Stage::Reading => last.0 = done,
            Stage::Comparing => last.1 = done,
        }
    });
    assert_eq!(last.0, dataset.len());
    report.unwrap()
}

fn names(groups: &Value) -> Vec<Vec<String>> {
    let names = |group: &Value| serde_json::from_value(group["names"].clone()).unwrap();
    groups.as_array().unwrap().iter().map(names).collect()
}

#[test]
fn the_report_contains_everything_known() {
    let dir = folder();
    let report = report(&crate::common::open(dir.path()), 2);
    let mut found = serde_json::to_value(&report).unwrap();
    let fields = found.as_object_mut().unwrap();
    let speed = fields.remove("speed").unwrap();
    assert!(speed["threads"] == 2 && speed["decoded_per_s_per_thread"].as_f64().unwrap() > 0.0, "{speed}");
    let duplicates = fields.remove("duplicates").unwrap();
    let issues = fields.remove("issues").unwrap();
    let channels = fields.remove("channels").unwrap();
    let mut sizes = fields.remove("sizes").unwrap();
    let mut bad = fields.remove("bad").unwrap();
    assert_eq!(
        found,
        json!({
            "kind": "image folder", "images": 20, "readable": 17,
            "formats": {"JPEG": 9, "PNG": 7, "WebP": 1},
            "color_types": {"rgb": 12, "rgb_alpha": 1, "grayscale": 4},
            "bits": {"8": 16, "16": 1},
            "grayscale_images": 4, "exif_rotated": 1, "wrong_extension": 1, "skipped": {"by_extension": {}, "hidden": 0},
            "classes": {
                "count": 2, "images": {"min": 7, "median": 8, "max": 10},
                "list": [{"name": "a", "images": 8, "bad": 1}, {"name": "b", "images": 12, "bad": 2}]
            },
            "warnings": [], "ok": true,
        })
    );

    let list = bad.as_object_mut().unwrap().remove("list").unwrap();
    let reason = |at: usize| (list[at]["name"].as_str().unwrap(), list[at]["reason"].as_str().unwrap());
    assert_eq!(
        [0, 1, 2].map(reason),
        [("a/words.jpg", "corrupt"), ("b/cut.jpg", "truncated"), ("b/empty.png", "empty")]
    );
    let by_reason = json!({"empty": 1, "truncated": 1, "corrupt": 1});
    assert_eq!(bad, json!({"count": 3, "fraction": 0.15, "limit": 0.5, "allowed": 10, "by_reason": by_reason}));

    let (total, files) = {
        let fields = sizes.as_object_mut().unwrap();
        (fields.remove("total_bytes").unwrap(), fields.remove("file_bytes").unwrap())
    };
    let good = |path: &Path| std::fs::metadata(dir.path().join(path)).unwrap().len();
    let lengths: Vec<u64> = ["a/one.jpg", "a/one-again.jpg"].map(|name| good(name.as_ref())).to_vec();
    assert!(lengths[0] == lengths[1] && total.as_u64() > files["max"].as_u64());
    assert_eq!(
        sizes,
        json!({
            "width": {"min": 60, "median": 160, "max": 160}, "height": {"min": 72, "median": 120, "max": 200},
            "short_side": {"min": 60, "median": 120, "max": 120},
            "pixels": {"min": 6912, "median": 19200, "max": 19200},
            "view": 100, "smaller_than_view": 2,
            "short_sides": [
                {"label": "48–63", "from": 48.0, "to": 64.0, "count": 1},
                {"label": "64–95", "from": 64.0, "to": 96.0, "count": 1},
                {"label": "96–127", "from": 96.0, "to": 128.0, "count": 15}
            ],
            "aspect_ratios": [
                {"label": "< 1:3", "from": 0.0, "to": 1.0 / 3.0, "count": 1},
                {"label": "1:3", "from": 1.0 / 3.0, "to": 0.5, "count": 0},
                {"label": "9:16", "from": 0.5, "to": 0.61, "count": 0},
                {"label": "2:3", "from": 0.61, "to": 0.705, "count": 0},
                {"label": "3:4", "from": 0.705, "to": 0.87, "count": 0},
                {"label": "square", "from": 0.87, "to": 1.0 / 0.87, "count": 0},
                {"label": "4:3", "from": 1.0 / 0.87, "to": 1.0 / 0.705, "count": 16}
            ]
        })
    );
    assert!(channels["mean"][0].as_f64().unwrap() > 0.3 && channels["std"][2].as_f64().unwrap() > 0.05, "{channels}");

    assert_eq!(names(&duplicates["exact"]), [["a/one-again.jpg", "a/one-lossless.png", "a/one.jpg"]]);
    assert_eq!(duplicates["exact"][0]["same_bytes"], false);
    // Of the three identical images only the first is compared. No others are near duplicates, and the blank images are not compared.
    assert_eq!(names(&duplicates["near"]), [["a/one-again.jpg", "a/one-small.jpg", "b/one-brighter.webp"]]);
    assert_eq!(duplicates["near"][0]["across_classes"], true);
    let counts = ["redundant_exact", "redundant_near", "near_bits", "hash_bits", "low_detail"]
        .map(|key| duplicates[key].clone());
    assert_eq!(counts.map(|count| count.as_u64().unwrap()), [2, 2, 31, 256, 2]);

    let severities: Vec<&str> = issues.as_array().unwrap().iter().map(|f| f["severity"].as_str().unwrap()).collect();
    assert_eq!(severities, ["warning", "warning", "note", "note", "note", "note", "note"], "{issues:#}");
}

#[test]
fn identical_files_are_distinguished_from_identical_pixels() {
    let dir = tempfile::tempdir().unwrap();
    let one = jpeg(&scene(1, W, H), W, H, 92);
    put(dir.path(), "one.jpg", &one);
    put(dir.path(), "two.jpg", &one);
    let duplicates = report(&crate::common::open(dir.path()), 1).duplicates;
    assert!(duplicates.exact[0].same_bytes && !duplicates.exact[0].across_classes);
    assert_eq!((duplicates.exact.len(), duplicates.near.len()), (1, 0));
}

#[test]
fn the_result_does_not_depend_on_threads() {
    let dir = folder();
    let dataset = crate::common::open(dir.path());
    let without_speed = |threads| {
        let mut value = serde_json::to_value(report(&dataset, threads)).unwrap();
        value.as_object_mut().unwrap().remove("speed");
        value.to_string()
    };
    let one = without_speed(1);
    for threads in [2, 3, 7] {
        assert_eq!(one, without_speed(threads), "{threads} threads");
    }
}

#[test]
fn too_many_bad_files_are_an_error() {
    let dir = folder();
    let dataset = crate::common::open(dir.path());
    let check = |max_bad_fraction| {
        let options = ReportOptions { view: 8, max_bad_fraction, threads: 1 };
        check_dataset(&dataset, &options, &mut |_, _, _| ()).unwrap()
    };
    // 3 of 20: as the loader counts, 0.15 x 20 may be bad.
    assert!(check(0.15).ok && !check(0.14).ok && !check(0.0).ok);
    assert!(check(0.01).issues[0].message.contains("3 of 20 images are bad"), "{:?}", check(0.01).issues);
}

#[test]
fn a_contact_sheet_shows_every_class_and_no_bad_file() {
    let dir = folder();
    let dataset = crate::common::open(dir.path());
    let bad: Vec<usize> = report(&dataset, 1).bad.list.iter().map(|bad| bad.index).collect();
    let good = |image: usize| !bad.contains(&image);
    let sections = sample(&dataset, &good, 8);
    let brief: Vec<_> = sections.iter().map(|s| (s.class.as_deref(), s.of, s.images.len())).collect();
    assert_eq!(brief, [(Some("a"), 7, 4), (Some("b"), 10, 4)]);
    assert_eq!(sections, sample(&dataset, &good, 8));
    let mut thumbnailer = Thumbnailer::default();
    for &image in sections.iter().flat_map(|section| &section.images) {
        let thumbnail = thumbnailer.make(&dataset, image, 40).unwrap();
        assert_eq!(thumbnail.width.max(thumbnail.height), 40);
        assert_eq!(decoded(&thumbnail.jpeg).width, thumbnail.width);
    }
    assert!(thumbnailer.make(&dataset, bad[0], 40).is_err());
}

#[test]
fn raw_pixels_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let idx = |head: &[u8], body: &[u8]| [head, body].concat();
    let picture = |seed| scene(seed, 28, 28).chunks(3).map(|p| p[0]).collect::<Vec<u8>>();
    let pixels = [picture(1), picture(2), picture(1)].concat();
    put(dir.path(), "train-images-idx3-ubyte", &idx(&[0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 28], &pixels));
    put(dir.path(), "train-labels-idx1-ubyte", &idx(&[0, 0, 8, 1, 0, 0, 0, 3], &[0, 1, 1]));
    let report = report(&crate::common::open(dir.path()), 1);
    assert_eq!(report.formats.into_iter().collect::<Vec<_>>(), [("IDX", 3)]);
    assert_eq!((report.grayscale_images, report.sizes.unwrap().file_bytes), (3, None));
    assert_eq!(report.duplicates.exact[0].images, [0, 2]);
    assert!(report.duplicates.exact[0].across_classes && report.speed.decoded_per_s_per_thread.is_none());
}
