//! The result as Markdown, for an issue, and as JSON.

use serde_json::{Value, json};

use super::assess;
use super::row::{Ended, Finished, Row};
use crate::command;

/// The programs of the comparison, the first of which is ours.
const PROGRAMS: [&str; 4] = ["Mochi", "PyTorch as shipped", "PyTorch tuned", "PyTorch compiled"];
const PRECISIONS: [&str; 3] = ["float32", "tf32", "bf16"];

/// Rows and their commands, before anything is run.
pub(super) fn plan(rows: &[Row]) -> String {
    let cells = rows.iter().enumerate().map(|(at, row)| {
        let lines: Vec<String> = row.tasks.iter().map(|task| code(&task.line())).collect();
        vec![(at + 1).to_string(), row.what.clone(), lines.join("<br>")]
    });
    table(&["", "check", "command"], cells)
}

/// All rows with results, and the comparison of step times.
pub(super) fn markdown(heading: &str, results: &[Finished]) -> String {
    let cells = results.iter().enumerate().map(|(at, row)| {
        let (word, text) = told(&row.ended);
        let seconds = if row.took.is_zero() { String::new() } else { format!("{:.1}", row.took.as_secs_f64()) };
        let lines: Vec<String> = row.lines.iter().map(|line| code(line)).collect();
        vec![(at + 1).to_string(), row.what.clone(), word.to_owned(), text.to_owned(), seconds, lines.join("<br>")]
    });
    let mut text = format!("{heading}\n\n");
    text.push_str(&table(&["", "check", "result", "figure", "s", "command"], cells));
    if let Some(compared) = comparison(results) {
        text.push_str(&format!(
            "\nImages/s and most memory of tensors, ResNet-50 at 224 px, one round. PyTorch as shipped computes convolutions in TF32 and \
             products in float32.\n\n{compared}"
        ));
    }
    text.push_str(&format!("\n{}\n", summary(results)));
    text
}

/// One JSON object.
pub(super) fn json(heading: &str, results: &[Finished]) -> Value {
    let rows: Vec<Value> = results
        .iter()
        .map(|row| {
            let (word, text) = told(&row.ended);
            let measured = row.output.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
            json!({
                "check": row.what, "result": word, "figure": text, "seconds": row.took.as_secs_f64(), "commands": row.lines,
                "last_output": measured,
            })
        })
        .collect();
    json!({ "heading": heading, "rows": rows, "summary": summary(results) })
}

/// `12 passed, 1 failed, 3 skipped in 6 min 12 s`
pub(super) fn summary(results: &[Finished]) -> String {
    let count = |word: &str| results.iter().filter(|row| told(&row.ended).0 == word).count();
    let took = results.iter().map(|row| row.took).sum();
    let (passed, failed, skipped) = (count("ok"), count("FAILED"), count("skipped"));
    format!("{passed} passed, {failed} failed, {skipped} skipped in {}", command::duration(took))
}

/// The word of a result, and its text.
pub(super) fn told(ended: &Ended) -> (&'static str, &str) {
    match ended {
        Ended::Passed(figure) => ("ok", figure),
        Ended::Failed(reason) => ("FAILED", reason),
        Ended::Skipped(reason) => ("skipped", reason),
    }
}

/// Step times by precision and program; `None` without any.
fn comparison(results: &[Finished]) -> Option<String> {
    let passed = |precision: &str, program: &str| {
        let row = results.iter().find(|row| row.timed == Some((precision, program)))?;
        matches!(row.ended, Ended::Passed(_)).then(|| assess::speed(&row.output)).flatten()
    };
    let rows = PRECISIONS.map(|precision| {
        let speeds = PROGRAMS.map(|program| {
            passed(precision, program).map_or_else(|| "-".to_owned(), |(rate, peak)| format!("{rate}, {peak}"))
        });
        [vec![precision.to_owned()], speeds.to_vec()].concat()
    });
    let any = rows.iter().flat_map(|row| &row[1..]).any(|cell| cell != "-");
    let heading: Vec<&str> = ["precision"].into_iter().chain(PROGRAMS).collect();
    any.then(|| table(&heading, rows))
}

/// A Markdown table.
fn table(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(heading.iter().map(|cell| (*cell).to_owned()).collect());
    text.push_str(&line(vec!["---".to_owned(); heading.len()]));
    rows.into_iter().for_each(|row| text.push_str(&line(row.iter().map(|cell| one_line(cell)).collect())));
    text
}

/// A cell's text: no line break and no column separator.
fn one_line(cell: &str) -> String {
    cell.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn code(line: &str) -> String {
    format!("`{line}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn finished(what: &str, ended: Ended, timed: Option<(&'static str, &'static str)>, output: &str) -> Finished {
        let (what, lines, output) = (what.to_owned(), vec!["mochi x".to_owned()], output.to_owned());
        let took = if matches!(ended, Ended::Skipped(_)) { Duration::ZERO } else { Duration::from_millis(1500) };
        Finished { what, lines, ended, took, timed, output }
    }

    #[test]
    fn a_table_can_be_pasted_into_an_issue() {
        let ours = r#"{"images_per_s": 400.4, "peak_bytes": 7100000000}"#;
        let rows = [
            finished("a", Ended::Passed("1 | 2".to_owned()), None, ""),
            finished("b", Ended::Failed("no\nway".to_owned()), None, ""),
            finished("c", Ended::Passed("fast".to_owned()), Some(("bf16", "Mochi")), ours),
            finished("d", Ended::Skipped("the time ran out".to_owned()), Some(("bf16", "PyTorch tuned")), ours),
        ];
        let page = markdown("Mochi on a card", &rows);
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "Mochi on a card",
                "",
                "|  | check | result | figure | s | command |",
                "| --- | --- | --- | --- | --- | --- |"
            ]
        );
        assert_eq!(lines[4], "| 1 | a | ok | 1 \\| 2 | 1.5 | `mochi x` |");
        assert_eq!(lines[5], "| 2 | b | FAILED | no way | 1.5 | `mochi x` |");
        assert_eq!(lines[7], "| 4 | d | skipped | the time ran out |  | `mochi x` |");
        assert!(page.contains("| bf16 | 400, 7.1 GB | - | - | - |\n"), "{page}");
        assert!(page.ends_with("\n2 passed, 1 failed, 1 skipped in 4.5 s\n"), "{page}");
        assert!(!markdown("", &rows[..2]).contains("precision"));
        let object = json("Mochi on a card", &rows);
        assert_eq!(object["rows"][1]["result"], "FAILED");
        assert_eq!(object["rows"][2]["last_output"]["images_per_s"], 400.4);
    }
}
