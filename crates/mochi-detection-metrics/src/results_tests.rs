use std::path::PathBuf;

use mochi_annotations::AnnotatedImage;

use super::*;

fn annotations() -> Annotations {
    let image = |id: u64| AnnotatedImage {
        id,
        name: format!("{id}.jpg"),
        file: PathBuf::new().into(),
        width: 5,
        height: 4,
        exif_orientation: true,
        objects: Vec::new(),
    };
    Annotations {
        classes: vec!["ant".into(), "bee".into()],
        category_ids: vec![3, 8],
        images: vec![image(0), image(42)],
    }
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    let mask = Rle { height: 4, width: 5, counts: vec![5, 2, 2, 2, 9] };
    let one = Detection { image: 1, class: 1, bounds: [0.1, 1.0, 3.3, 3.7], score: 0.9, mask: Some(mask) };
    let two = Detection { image: 0, class: 0, bounds: [-1.0, 0.0, 2.5, 4.0], score: 0.25, mask: None };
    write_results(&path, &annotations(), &[one.clone(), two.clone()]).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(r#""image_id":42,"category_id":8,"#), "{text}");
    assert!(text.contains(r#""score":0.8999999761581421"#), "{text}");
    assert_eq!(read_results(&path, &annotations()).unwrap(), [one, two]);
    assert!(write_results(&path, &annotations(), &[]).is_ok());
    assert!(read_results(&path, &annotations()).unwrap().is_empty());
}

#[test]
fn a_box_is_derived_from_the_mask() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    let text = r#"[{"image_id": 0, "category_id": 3, "score": 1, "segmentation": {"size": [4, 5], "counts": [5, 2, 2, 2, 9]}}]"#;
    std::fs::write(&path, text).unwrap();
    assert_eq!(read_results(&path, &annotations()).unwrap()[0].bounds, [1.0, 1.0, 3.0, 3.0]);
}

#[test]
fn bad_entries_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    for (entry, part) in [
        (r#"{"image_id": 1, "category_id": 3, "bbox": [0, 0, 1, 1], "score": 1}"#, "image_id 1 is not among"),
        (r#"{"image_id": 0, "category_id": 4, "bbox": [0, 0, 1, 1], "score": 1}"#, "category_id 4 is not among"),
        (r#"{"image_id": 0, "category_id": 3, "score": 1}"#, "neither bbox nor segmentation"),
        (r#"{"image_id": 0, "category_id": 3, "bbox": [0, 0, 1e300, 1], "score": 1}"#, "too large"),
        (r#"{"image_id": 0, "category_id": 3, "bbox": [0, 0, 1, 1], "score": 1e300}"#, "too large"),
    ] {
        std::fs::write(&path, format!("[{entry}]")).unwrap();
        let said = read_results(&path, &annotations()).unwrap_err().to_string();
        assert!(said.contains("r.json, .[0]: ") && said.contains(part), "{said}");
    }
    let nan = Detection { image: 0, class: 0, bounds: [0.0; 4], score: f32::NAN, mask: None };
    for bad in [
        Detection { image: 2, ..nan.clone() },
        Detection { class: 2, ..nan.clone() },
        nan.clone(),
        Detection { score: 1.0, bounds: [0.0, f32::INFINITY, 1.0, 1.0], ..nan },
    ] {
        let said = write_results(&path, &annotations(), &[bad]).unwrap_err().to_string();
        assert!(said.starts_with("detection 0: "), "{said}");
    }
}
