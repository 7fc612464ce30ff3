//! Evaluation results of a run, `eval/*.json`: one JSON object per file, as `mochi eval --json` prints it, with `protocol` and with `top1`
//! in percent. `subject` is what was evaluated: `trained` (or absent), `untrained` or `raw pixels`.

use mochi_figures::grouped;
use mochi_run::RunFolder;
use mochi_text::counted;
use serde_json::Value;

/// One result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evaluation {
    /// Name and version of the protocol, the published recipe if one was followed, the data set if it is not the usual one.
    pub(crate) protocol: String,
    pub(crate) subject: String,
    /// In percent.
    pub(crate) top1: f64,
    /// Top-5, settings of the protocol, number of test images.
    pub(crate) details: String,
}

/// All results under `eval/`, and why some could not be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Results {
    pub(crate) evaluations: Vec<Evaluation>,
    pub(crate) unread: Vec<String>,
}

/// Reads the results of a run in the order of their names; a run without any has none.
pub(crate) fn read(run: &RunFolder) -> Results {
    let mut results = Results::default();
    let all = match run.read_results() {
        Ok(all) => all,
        Err(error) => {
            results.unread.push(format!("eval: {error}"));
            return results;
        }
    };
    for (stem, text) in all {
        let text = text.map_err(|error| error.to_string());
        let value = text.and_then(|text| serde_json::from_str::<Value>(&text).map_err(|error| error.to_string()));
        // Average precision has a table of its own.
        if value.as_ref().is_ok_and(crate::detection_results::is_detection) {
            continue;
        }
        match value.and_then(|value| evaluation(&value, &stem).ok_or_else(|| "it has no `top1`".to_owned())) {
            Ok(evaluation) => results.evaluations.push(evaluation),
            Err(reason) => results.unread.push(format!("eval/{stem}.json: {reason}")),
        }
    }
    results
}

fn evaluation(value: &Value, stem: &str) -> Option<Evaluation> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| value.get(key).and_then(Value::as_f64);
    let mut protocol = text("protocol").unwrap_or_else(|| stem.to_owned());
    if let Some(recipe) = text("recipe") {
        protocol = format!("{protocol}, {recipe}");
    }
    if let Some(fraction) = number("label_fraction") {
        protocol = format!("{protocol}, {} % of labels", 100.0 * fraction);
    }
    if let Some(dataset) = text("dataset") {
        protocol = format!("{protocol}, on {dataset}");
    }
    let limit = |index: usize| value.get("top1_interval")?.get(index)?.as_f64();
    let details = [
        limit(0).zip(limit(1)).map(|(low, high)| format!("[{low:.2}, {high:.2}]")),
        number("top5").map(|top5| format!("top-5 {top5:.2}")),
        number("k").map(|k| format!("k {k}")),
        number("ways").zip(number("shots")).map(|(ways, shots)| format!("{ways}-way {shots}-shot")),
        number("temperature").map(|temperature| format!("t {temperature}")),
        number("learning_rate").map(|rate| format!("lr {rate}")),
        value.get("test_images").and_then(Value::as_u64).map(|images| counted(grouped(images), "image")),
    ];
    Some(Evaluation {
        protocol,
        subject: text("subject").unwrap_or_else(|| "trained".to_owned()),
        top1: number("top1")?,
        details: details.into_iter().flatten().collect::<Vec<_>>().join(", "),
    })
}

impl Results {
    /// Names of a column or row in the order of their first appearance.
    fn distinct(&self, of: impl Fn(&Evaluation) -> &str) -> Vec<&str> {
        let mut seen: Vec<&str> = Vec::new();
        for evaluation in &self.evaluations {
            let name = of(evaluation);
            if !seen.contains(&name) {
                seen.push(name);
            }
        }
        seen
    }

    /// Protocols, the columns of the table.
    pub(crate) fn protocols(&self) -> Vec<&str> {
        self.distinct(|evaluation| &evaluation.protocol)
    }

    /// Subjects, the rows of the table: pixels, untrained, trained, then others.
    pub(crate) fn subjects(&self) -> Vec<&str> {
        let mut names = self.distinct(|evaluation| &evaluation.subject);
        let order = ["raw pixels", "untrained", "trained"];
        names.sort_by_key(|name| order.iter().position(|known| known == name).unwrap_or(order.len()));
        names
    }

    /// The result of a cell.
    pub(crate) fn find(&self, protocol: &str, subject: &str) -> Option<&Evaluation> {
        self.evaluations.iter().find(|evaluation| evaluation.protocol == protocol && evaluation.subject == subject)
    }
}
