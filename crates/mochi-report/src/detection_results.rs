//! Average precision of a detector, from `eval/detection*.json` as `mochi detect eval` writes them.

use std::fmt::Write as _;

use mochi_run::RunFolder;
use serde_json::Value;

use crate::escape::Escaped;

/// COCO's numbers in their order.
const NUMBERS: [&str; 12] = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"];

/// Whether a result is one of a detector.
pub(crate) fn is_detection(value: &Value) -> bool {
    value.get("protocol").and_then(Value::as_str).is_some_and(|protocol| protocol.starts_with("detection/"))
}

/// Adds the tables of every result; nothing without one.
pub(crate) fn push(page: &mut String, run: &RunFolder) {
    let all = run.read_results().unwrap_or_default();
    let parsed = all.into_iter().filter_map(|(_, text)| serde_json::from_str::<Value>(&text.ok()?).ok());
    for value in parsed.filter(is_detection) {
        push_result(page, &value);
    }
}

fn push_result(page: &mut String, value: &Value) {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let count = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
    let _ = writeln!(
        page,
        "<h2>Average precision on split {}</h2>\n<p class=\"small\">{}, {} images, step {}; COCO's metric in percent.</p>",
        Escaped(text("split")),
        Escaped(text("test")),
        count("images"),
        count("step")
    );
    let masks = value.get("masks");
    page.push_str("<div class=\"wide\"><table><thead><tr><th></th>");
    NUMBERS.iter().for_each(|name| {
        let _ = write!(page, "<th>{name}</th>");
    });
    page.push_str("</tr></thead><tbody>\n");
    for (name, numbers) in [("boxes", Some(value)), ("masks", masks)] {
        let Some(numbers) = numbers else { continue };
        let _ = write!(page, "<tr><td>{name}</td>");
        NUMBERS.iter().for_each(|key| {
            let _ = write!(page, "<td>{}</td>", percent(numbers.get(key)));
        });
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
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
    push_classes(page, value.get("classes"));
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
