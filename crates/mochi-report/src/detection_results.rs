//! Average precision of a detector, from `eval/detection*.json` as `mochi detect eval` writes them.

use std::fmt::Write as _;

use crate::frame::push_figures;
use mochi_figures::{Axis, Escaped, Figure, Plot, Scale, TOP};
use mochi_run::RunFolder;
use serde_json::Value;

use crate::matching::LEGEND_GAP;
use crate::table;

/// Most classes of a confusion that a page shows.
const CONFUSED: usize = 40;

/// COCO's numbers in their order.
const NUMBERS: [&str; 12] = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"];

/// Whether a result is one of a detector.
pub(crate) fn is_detection(value: &Value) -> bool {
    value.get("protocol").and_then(Value::as_str).is_some_and(|protocol| protocol.starts_with("detection/"))
}

/// Adds the tables of every result; nothing without one.
pub(crate) fn push(page: &mut String, run: &RunFolder) {
    let all = run.read_results().unwrap_or_default();
    for value in all.into_iter().filter_map(|result| result.value.ok()).filter(is_detection) {
        push_result(page, &value);
    }
}

fn push_result(page: &mut String, value: &Value) {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let count = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
    let _ = writeln!(
        page,
        "<h2>Average precision on split {}</h2>\n<p class=\"small\">{}, {} images, step {}; COCO's metric in percent, with 95 % intervals over images.</p>",
        Escaped(text("split")),
        Escaped(text("test")),
        count("images"),
        count("step")
    );
    let masks = value.get("masks");
    let head: Vec<&str> = std::iter::once("").chain(NUMBERS).collect();
    let rows = [("boxes", Some(value)), ("masks", masks)].into_iter().filter_map(|(name, numbers)| {
        let numbers = numbers?;
        let cell = |key| match interval(numbers, key) {
            Some(limits) => format!("{}<br><span class=\"small\">{limits}</span>", percent(numbers.get(key))),
            None => percent(numbers.get(key)),
        };
        Some(std::iter::once(name.to_owned()).chain(NUMBERS.map(cell)).collect())
    });
    table::push(page, &head, rows);
    if let Some(voc) = value.get("voc") {
        let number = |key: &str| percent(voc.get(key));
        let _ = writeln!(
            page,
            "<p>PASCAL VOC's metric: AP {}, AP50 {}, AP75 {}.</p>",
            number("AP"),
            number("AP50"),
            number("AP75")
        );
    }
    let figures: Vec<Figure> = precision_recall(value).into_iter().collect();
    push_figures(page, "Precision and recall", &figures);
    push_classes(page, value.get("classes"));
    push_errors(page, value.get("errors"));
    push_confusion(page, value.get("confusion"));
    let places = [
        ("False detections with the best scores", "false_detections"),
        ("The largest missed objects", "missed_objects"),
    ];
    places.into_iter().for_each(|(title, key)| push_mistakes(page, title, value.get(key)));
}

/// The 95 % interval of a number.
fn interval(numbers: &Value, key: &str) -> Option<String> {
    match numbers.get("intervals")?.get(key)?.as_array()?.as_slice() {
        [low, high] => Some(format!("{:.1} to {:.1}", 100.0 * low.as_f64()?, 100.0 * high.as_f64()?)),
        _ => None,
    }
}

/// Mean precision over the classes at each recall, at IoU 0.50 and 0.75.
fn precision_recall(value: &Value) -> Option<Figure> {
    let curves = value.get("precision_at_recall")?;
    let percent = || Scale::linear(&Axis::rounded(0.0, 100.0, 5));
    let mut plot = Plot::new("Mean over the classes", "precision in %", "recall in %", percent(), percent());
    for (i, (style, name, key)) in [("l0", "IoU 0.50", "iou50"), ("l1", "IoU 0.75", "iou75")].into_iter().enumerate() {
        let values = curves.get(key)?.as_array()?;
        let last = values.len().saturating_sub(1).max(1) as f64;
        let points = values.iter().enumerate().filter_map(|(at, value)| Some((at as f64, value.as_f64()?)));
        plot.line(style, points.map(|(at, precision)| (100.0 * at / last, 100.0 * precision)));
        plot.legend(style, TOP + 8.0 + LEGEND_GAP * i as f64, name);
    }
    Some(plot.finish())
}

fn push_errors(page: &mut String, errors: Option<&Value>) {
    let Some(errors) = errors.and_then(Value::as_array) else { return };
    page.push_str(
        "<h3>Kinds of errors</h3>\n<p class=\"small\">At IoU 0.5 (TIDE, Bolya et al. 2020). Cost: by how many points AP50 rises if all errors of the kind are repaired.</p>\n",
    );
    let rows = errors.iter().map(|error| {
        let text = |key: &str| table::text(error.get(key).and_then(Value::as_str).unwrap_or_default());
        let count = error.get("count").and_then(Value::as_u64).unwrap_or(0);
        let meaning = format!("<span class=\"small\">{}</span>", text("meaning"));
        vec![text("kind"), count.to_string(), percent(error.get("cost")), meaning]
    });
    table::push(page, &["", "number", "cost", "meaning"], rows);
}

/// Rows: true classes; columns: found classes.
fn push_confusion(page: &mut String, confusion: Option<&Value>) {
    let Some(confusion) = confusion else { return };
    let classes: Vec<&str> =
        confusion.get("classes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let counts: Vec<u64> =
        confusion.get("counts").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_u64).collect();
    let side = classes.len() + 1;
    if classes.is_empty() || classes.len() > CONFUSED || counts.len() != side * side {
        return;
    }
    let score = confusion.get("minimum_score").and_then(Value::as_f64).unwrap_or(0.0);
    let _ = writeln!(
        page,
        "<details><summary>Confusion of classes</summary><p class=\"small\">Objects by their class (rows) and the class that was found (columns), from score {score} on.</p><div class=\"wide\"><table><thead><tr><th></th>"
    );
    for class in classes.iter().chain(&["not found"]) {
        let _ = write!(page, "<th>{}</th>", Escaped(class));
    }
    page.push_str("</tr></thead><tbody>\n");
    for (class, row) in classes.iter().chain(&["background"]).zip(counts.chunks(side)) {
        let _ = write!(page, "<tr><td>{}</td>", Escaped(class));
        row.iter().for_each(|count| {
            let _ = write!(page, "<td>{count}</td>");
        });
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div></details>\n");
}

fn push_mistakes(page: &mut String, title: &str, mistakes: Option<&Value>) {
    let Some(mistakes) = mistakes.and_then(Value::as_array).filter(|all| !all.is_empty()) else { return };
    let _ = writeln!(
        page,
        "<details><summary>{title}</summary><table><thead><tr><th>image</th><th>class</th><th>score</th><th>box</th><th>kind</th></tr></thead><tbody>"
    );
    for one in mistakes {
        let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default();
        let sides = one.get("box").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_f64);
        let bounds = sides.map(|side| format!("{side:.0}")).collect::<Vec<_>>().join(", ");
        let score = one.get("score").and_then(Value::as_f64).map(|score| format!("{score:.2}")).unwrap_or_default();
        let _ = writeln!(
            page,
            "<tr><td><code>{}</code></td><td>{}</td><td>{score}</td><td>{bounds}</td><td>{}</td></tr>",
            Escaped(text("image")),
            Escaped(text("class")),
            Escaped(text("kind"))
        );
    }
    page.push_str("</tbody></table></details>\n");
}

fn push_classes(page: &mut String, classes: Option<&Value>) {
    let Some(classes) = classes.and_then(Value::as_array) else { return };
    page.push_str("<details><summary>By class</summary><table><thead><tr><th>class</th><th>AP</th><th>AP50</th></tr></thead><tbody>\n");
    for class in classes {
        let name = class.get("name").and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            Escaped(name),
            percent(class.get("AP")),
            percent(class.get("AP50"))
        );
    }
    page.push_str("</tbody></table></details>\n");
}

fn percent(value: Option<&Value>) -> String {
    value.and_then(Value::as_f64).map_or_else(|| "–".to_owned(), |value| format!("{:.2}", 100.0 * value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_has_tables_and_a_figure_and_is_escaped() {
        let value = serde_json::json!({
            "protocol": "detection/1", "split": "<test>", "AP": 0.25, "AP50": 0.5, "images": 7, "step": 9,
            "masks": {"AP": 0.125}, "voc": {"AP": 0.1, "AP50": 0.2, "AP75": null},
            "classes": [{"name": "c<d", "AP": 0.3, "AP50": null}],
            "errors": [{"kind": "missed", "meaning": "an object without a detection", "count": 3, "cost": 0.04}],
            "confusion": {"classes": ["c<d"], "minimum_score": 0.5, "counts": [5, 1, 2, 0]},
            "false_detections": [{"image": "a&b", "class": "c<d", "score": 0.9, "box": [1.0, 2.0, 3.0, 4.4], "kind": "both"}],
            "missed_objects": [],
            "precision_at_recall": {"iou50": [1.0, 0.5], "iou75": [0.5, 0.0]},
        });
        assert!(is_detection(&value));
        let mut page = String::new();
        push_result(&mut page, &value);
        for text in ["&lt;test&gt;", "25.00", "12.50", "AP75 –", "c&lt;d", "4.00", "a&amp;b", "1, 2, 3, 4", "<svg"] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!page.contains("largest missed"));
        assert!(!is_detection(&serde_json::json!({"protocol": "knn/2"})));
        // Whatever a file holds.
        push_result(&mut page, &serde_json::json!({"confusion": {"classes": ["a"], "counts": [1]}, "errors": 3}));
    }
}
