//! The demo's table of results.

use serde_json::Value;

use crate::failure::{Failure, Outcome};
use crate::table;

/// Features to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Pixels,
    Untrained,
    Trained,
}

impl Subject {
    /// Name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Subject::Pixels => "raw pixels",
            Subject::Untrained => "untrained",
            Subject::Trained => "trained",
        }
    }

    /// Result file in the run's `eval` folder. That of the trained encoder is written by `mochi eval` itself.
    pub(super) fn file_name(self, protocol: &str) -> String {
        match self {
            Subject::Pixels => format!("pixels-{protocol}.json"),
            Subject::Untrained => format!("untrained-{protocol}.json"),
            Subject::Trained => format!("{protocol}.json"),
        }
    }
}

/// One result.
#[derive(Debug)]
pub(super) struct Score {
    protocol: &'static str,
    subject: Subject,
    /// Top-1 accuracy on the test images in percent.
    top1: f64,
}

impl Score {
    /// Reads the JSON object that `mochi eval ... --json` prints.
    pub(super) fn read(protocol: &'static str, subject: Subject, json: &[u8]) -> Outcome<Score> {
        let value: Option<Value> = serde_json::from_slice(json).ok();
        match value.as_ref().and_then(|value| value["top1"].as_f64()) {
            Some(top1) if (0.0..=100.0).contains(&top1) => Ok(Score { protocol, subject, top1 }),
            Some(top1) => Err(Failure::new(format!(
                "`mochi eval {protocol}` printed a top1 of {top1}, which is not a percentage"
            ))),
            None => Err(Failure::new(format!("`mochi eval {protocol} --json` printed no JSON object with a top1"))),
        }
    }
}

fn top1(results: &[Score], protocol: &str, subject: Subject) -> Option<f64> {
    results.iter().find(|score| score.protocol == protocol && score.subject == subject).map(|score| score.top1)
}

/// Table with a row for each protocol and a column for each subject.
pub(super) fn table(results: &[Score]) -> String {
    let subjects = [Subject::Pixels, Subject::Untrained, Subject::Trained];
    let heading = std::iter::once(String::new()).chain(subjects.map(|subject| subject.name().to_owned())).collect();
    let row = |label: &str, protocol: &str| {
        let cell = |subject| top1(results, protocol, subject).map_or("-".to_owned(), |top1| format!("{top1:.2} %"));
        std::iter::once(label.to_owned()).chain(subjects.map(cell)).collect()
    };
    table::aligned(&[heading, row("k-NN", "knn"), row("linear probe", "linear")])
}

/// One sentence for each protocol that compares the trained encoder with the baselines.
pub(super) fn comparison(results: &[Score]) -> String {
    let mut lines = String::new();
    for (label, protocol) in [("k-NN", "knn"), ("the linear probe", "linear")] {
        let of = |subject| top1(results, protocol, subject);
        let (Some(pixels), Some(untrained), Some(trained)) =
            (of(Subject::Pixels), of(Subject::Untrained), of(Subject::Trained))
        else {
            continue;
        };
        lines.push_str(&format!(
            "By {label}, the trained encoder is {} the untrained one and {} raw pixels.\n",
            ahead(trained - untrained),
            ahead(trained - pixels)
        ));
    }
    lines
}

/// Text for a difference of two percentages.
fn ahead(points: f64) -> String {
    if points >= 0.0 { format!("{points:.2} points ahead of") } else { format!("{:.2} points behind", -points) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_out_is_said_either_way() {
        let read = |protocol, subject, json: &str| Score::read(protocol, subject, json.as_bytes()).expect("a result");
        let results = [
            read("knn", Subject::Pixels, r#"{"top1": 85.0}"#),
            read("knn", Subject::Untrained, r#"{"top1": 80.0}"#),
            read("knn", Subject::Trained, r#"{"top1": 83.75}"#),
        ];
        assert_eq!(
            table(&results),
            "               raw pixels   untrained   trained\n\
             k-NN              85.00 %     80.00 %   83.75 %\n\
             linear probe            -           -         -\n"
        );
        assert_eq!(
            comparison(&results),
            "By k-NN, the trained encoder is 3.75 points ahead of the untrained one and 1.25 points behind raw pixels.\n"
        );
    }

    #[test]
    fn what_is_no_percentage_is_refused() {
        let refused =
            |json: &str| Score::read("knn", Subject::Pixels, json.as_bytes()).expect_err("refused").to_string();
        assert!(refused(r#"{"top1": 850.2}"#).contains("not a percentage"));
        assert!(refused("nothing").contains("no JSON object"));
    }
}
