use super::*;

fn said(error: MetricsError) -> String {
    format!("{error} ({})", error.hint().unwrap_or_default())
}

fn result_error(text: &str) -> String {
    said(results(Path::new("r.json"), text.as_bytes()).err().unwrap())
}

fn truth_error(text: &str) -> String {
    said(ground_truth(Path::new("g.json"), text.as_bytes()).err().unwrap())
}

const GOOD: &str = r#"{"image_id": 1, "category_id": 2, "bbox": [0, 0, 1, 1], "score": 1}"#;

#[test]
fn errors_name_the_entry() {
    for (bad, part) in [
        (r#"{"image_id": 1, "category_id": 2, "score": NaN}"#, "r.json, .[1]: expected value"),
        (r#"{"image_id": 1, "category_id": 2, "score": "0.5"}"#, "r.json, .[1]: invalid type: string"),
        (r#"{"image_id": 1, "category_id": 2}"#, "r.json, .[1]: missing field `score`"),
        (r#"{"image_id": -1, "category_id": 2, "score": 1}"#, "expected a whole number of at least 0 as id"),
        (r#"{"image_id": 1.5, "category_id": 2, "score": 1}"#, "floating point `1.5`"),
        (r#"{"image_id": "a", "category_id": 2, "score": 1}"#, "string \"a\""),
        (r#"{"image_id": 1, "category_id": 2, "bbox": [1, 2, 3], "score": 1}"#, ".[1]: invalid length 3"),
        (r#"{"image_id": 1, "category_id": 2, "score": 1e999}"#, ".[1]: number out of range"),
        ("7", ".[1]: invalid type: integer `7`"),
        ("", ".[1]: trailing comma"),
    ] {
        let said = result_error(&format!("[{GOOD}, {bad}]"));
        assert!(said.contains(part), "{bad}: {said}");
    }
    assert!(result_error("{}").starts_with("r.json: invalid type: map, expected a list"));
    assert!(result_error("").starts_with("r.json: it is not JSON: EOF"));
    assert!(result_error("[] x").starts_with("r.json: it is not JSON: trailing characters"));
    assert!(truth_error("name = \"plan\"").starts_with("g.json: it is not JSON: expected"), "a TOML file");
    assert!(result_error(&format!("[{GOOD}")).contains(".[1]: EOF"));
    let truth = |annotation: &str| {
        truth_error(&format!(
            r#"{{"images": [{{"id": 1}}], "categories": [{{"id": 1}}], "annotations": [{annotation}]}}"#
        ))
    };
    assert!(truth(r#"{"id": 1, "image_id": 1}"#).contains("g.json, .annotations[0]: missing field `category_id`"));
    let crowd = truth(r#"{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 2}"#);
    assert!(crowd.contains("expected 0 or 1 for iscrowd"), "{crowd}");
    assert!(truth_error(r#"{"images": [{"id": 1}, {}]}"#).contains("g.json, .images[1]: missing field `id`"));
    assert!(truth_error(r#"{"images": [], "categories": []}"#).starts_with("g.json: has no list `annotations`"));
    assert!(truth_error("[]").starts_with("g.json: invalid type: sequence"));
}

#[test]
fn deep_nesting_is_no_danger() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    // In a value that is not needed it is skipped, elsewhere it is an error.
    let text = format!(
        r#"{{"info": {0}, "images": [{{"id": 1, "more": {0}}}], "categories": [], "annotations": []}}"#,
        deep(100_000)
    );
    assert_eq!(ground_truth(Path::new("g"), text.as_bytes()).unwrap().images.len(), 1);
    assert!(result_error(&format!("[{}]", deep(100_000))).starts_with("r.json, .[0]: "));
    let masked = format!(r#"[{{"image_id": 1, "category_id": 2, "score": 1, "segmentation": {}}}]"#, deep(100_000));
    let records = results(Path::new("r"), masked.as_bytes()).unwrap();
    assert!(crate::masks::from_json(records[0].segmentation.unwrap(), [4, 4]).is_err());
}

#[test]
fn whole_floats_and_unknown_keys_are_read() {
    let text = r#"[{"image_id": 7.0, "category_id": 2, "score": 1, "iscrowd": "no", "segmentation": null}]"#;
    let records = results(Path::new("r"), text.as_bytes()).unwrap();
    assert_eq!((records[0].image_id, records[0].bbox, records[0].segmentation.is_none()), (Id(7), None, true));
    let text = r#"{"images": [], "categories": [{"id": 3, "name": "ant"}],
        "annotations": [{"id": 0, "image_id": 1, "category_id": 3, "iscrowd": true, "area": 2, "keypoints": [1]}]}"#;
    let truth = ground_truth(Path::new("g"), text.as_bytes()).unwrap();
    assert_eq!(truth.annotations[0].iscrowd, Flag(true));
    assert_eq!(truth.categories[0].name.as_deref(), Some("ant"));
}
