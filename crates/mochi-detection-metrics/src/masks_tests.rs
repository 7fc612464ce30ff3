use super::*;

const SIZE: [u32; 2] = [4, 5];

fn json(text: &str) -> Result<Runs, String> {
    from_json(&RawValue::from_string(text.to_owned()).unwrap(), SIZE)
}

#[test]
fn the_same_mask_in_every_form() {
    // Columns 1 and 2, rows 1 and 2.
    let counts = vec![5, 2, 2, 2, 9];
    let rle = Rle { height: 4, width: 5, counts: counts.clone() };
    for text in [
        "[[1, 1, 1, 3, 3, 3, 3, 1]]".to_owned(),
        "[[1, 1, 2, 2]]".to_owned(),
        r#"{"size": [4, 5], "counts": [5, 2, 2, 2, 9]}"#.to_owned(),
        format!(r#"{{"size": [4, 5], "counts": "{}"}}"#, to_text(&rle)),
    ] {
        assert_eq!(json(&text).unwrap().counts, counts, "{text}");
    }
    assert_eq!(from_mask(&Mask::Rle(rle.clone()), SIZE).unwrap().counts, counts);
    let runs = from_rle(&rle, SIZE).unwrap();
    assert_eq!((area(&runs), bounds(&runs)), (4.0, [1.0, 1.0, 2.0, 2.0]));
}

#[test]
fn bad_masks_are_refused() {
    for (text, part) in [
        ("[]", "has no polygon"),
        ("[[1, 1, 2, 2, 3]]", "polygon of 5 numbers"),
        ("[[1, 1, 2, 2, 3, 3], [1, 2]]", "polygon of 2 numbers"),
        ("[[1, 1, 2, 2], [1, 2, 3, 4, 5, 6]]", "expected 4 numbers as in the first"),
        ("[[1, 1, 2, 1e300, 3, 3]]", "coordinate 1e300"),
        ("[1, 1, 2, 2, 3, 3]", "neither a list of polygons"),
        ("true", "neither a list of polygons"),
        (r#"{"size": [4, 5]}"#, "missing field `counts`"),
        (r#"{"size": [4, 5], "counts": [5, 2]}"#, "cover 7 pixels, but the mask has 20"),
        (r#"{"size": [4, 5], "counts": [5, -2]}"#, "neither a list of polygons"),
        (r#"{"size": [4, 5], "counts": [4294967295, 4294967295]}"#, "cover 8589934590 pixels"),
        (r#"{"size": [5, 4], "counts": [20]}"#, "mask of 4 x 5 pixels in an image of 5 x 4"),
        (r#"{"size": [4, 5], "counts": "52"}"#, "cover 7 pixels"),
        (r#"{"size": [4, 5], "counts": "!!"}"#, "run lengths cannot be read"),
        (r#"{"size": [4, 5], "counts": "oooooooooooooooooooooooooo"}"#, "run lengths cannot be read"),
        (r#"{"size": [4, 5], "counts": "\u00ff"}"#, "run lengths"),
        (r#"{"size": [4, 5], "counts": ""}"#, "cover 0 pixels"),
    ] {
        let said = json(text).unwrap_err();
        assert!(said.contains(part), "{text}: {said}");
    }
    let huge = RawValue::from_string(r#"{"size": [100000, 100000], "counts": [1, 1]}"#.to_owned()).unwrap();
    assert!(from_json(&huge, [100_000, 100_000]).unwrap_err().contains("at most 4294967295"));
    let polygon = RawValue::from_string("[[0, 0, 9, 9, 9, 0]]".to_owned()).unwrap();
    assert!(from_json(&polygon, [100_000, 100_000]).unwrap_err().contains("exceed"));
    assert!(from_json(&polygon, [0, 0]).is_ok_and(|runs| area(&runs) == 0.0));
}
