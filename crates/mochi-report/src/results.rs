//! Evaluation results of a run, `eval/*.json`: one JSON object per file, as `mochi eval --json` prints it, with `protocol` and with `top1`
//! in percent. `subject` is what was evaluated: `trained` (or absent), `untrained` or `raw pixels`.
//!
//! The standard result of a protocol has the protocol's name, `knn.json`. With other options than the defaults the name has them, `knn-k-20-t-0.1.json`, and the
//! result has a column of its own, "knn/2, k 20, t 0.1"; so has the result of an earlier step than the newest checkpoint, "knn/2, step 776".

use mochi_figures::grouped;
use mochi_run::{Protocol, RunError, RunFolder, StoredResult};
use mochi_text::counted;
use serde_json::Value;

/// One result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evaluation {
    /// Name and version of the protocol, the published recipe if one was followed, options that are not the defaults, the data set if it is not the
    /// usual one.
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

/// Reads the results of a run in the order of their names, so that the standard result of a protocol is before those with other options; a run without
/// any has none.
pub(crate) fn read(run: &RunFolder) -> Results {
    let mut results = Results::default();
    let mut all = match run.read_results() {
        Ok(all) => all,
        Err(error) => {
            results.unread.push(format!("eval: {error}"));
            return results;
        }
    };
    // Names of files are in another order: "knn-k-20.json", "knn.json".
    all.sort_by(|a, b| a.name.cmp(&b.name));
    for StoredResult { name: stem, value, outdated } in all {
        let value = value.map_err(|error| match error {
            // The name of the file is in front of every reason.
            RunError::BadResult { source, .. } => source.to_string(),
            error => error.to_string(),
        });
        // Average precision has a table of its own.
        if value.as_ref().is_ok_and(crate::detection_results::is_detection) {
            continue;
        }
        match value.and_then(|value| evaluation(&value, &stem).ok_or_else(|| "it has no `top1`".to_owned())) {
            Ok(mut evaluation) => {
                if let Some(step) = outdated {
                    evaluation.protocol = format!("{}, step {step}", evaluation.protocol);
                }
                // Whatever made it, such as a copy of a file: no result hides another one.
                if results.find(&evaluation.protocol, &evaluation.subject).is_some() {
                    evaluation.protocol = format!("{} ({stem})", evaluation.protocol);
                }
                results.evaluations.push(evaluation);
            }
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
    let dataset = text("dataset");
    if let Some(options) = options(stem, dataset.as_deref()) {
        protocol = format!("{protocol}, {options}");
    }
    if let Some(dataset) = dataset {
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

/// The options that the name of a result has beside those of the protocol and the data set, "k 20, t 0.1" or "3-way 1-shot"; `None` for a standard result.
fn options(stem: &str, dataset: Option<&str>) -> Option<String> {
    let own = dataset.and_then(|dataset| stem.strip_suffix(&format!("-on-{dataset}"))).unwrap_or(stem);
    if Protocol::find(own).is_some() {
        return None;
    }
    let after = |protocol: Protocol| own.strip_prefix(protocol.name())?.strip_prefix('-');
    // Names of protocols begin with those of others: the longest one counts.
    let words: Vec<&str> =
        Protocol::ALL.into_iter().filter_map(after).min_by_key(|rest| rest.len())?.split('-').collect();
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) && word.parse::<f64>().is_ok();
    // A fraction of the labels is named already.
    let words = match &words[..] {
        [number, "percent", rest @ ..] if is_number(number) => rest,
        all => all,
    };
    if words.first().is_some_and(|first| is_number(first)) {
        return Some(words.chunks(2).map(|pair| pair.join("-")).collect::<Vec<_>>().join(" "));
    }
    let named = words
        .split_inclusive(|word| is_number(word))
        .filter(|option| option.last().is_some_and(|last| is_number(last)));
    let named: Vec<String> = named.map(|option| option.join(" ")).collect();
    (!named.is_empty()).then(|| named.join(", "))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_are_not_the_defaults_are_read_from_the_name() {
        for (stem, dataset, wanted) in [
            ("knn", None, None),
            ("knn-on-tin-50", Some("tin-50"), None),
            ("knn-k-20-t-0.1", None, Some("k 20, t 0.1")),
            ("knn-k-20-t-0.1-on-tin-50", Some("tin-50"), Some("k 20, t 0.1")),
            ("knn-embedding", None, None),
            ("knn-step-776", None, Some("step 776")),
            ("linear-10-percent-step-776-on-tin-50", Some("tin-50"), Some("step 776")),
            ("linear-in100", None, None),
            ("linear-10-percent", None, None),
            ("linear-12.5-percent", None, None),
            ("linear-12.5-percent-seed-3", None, Some("seed 3")),
            ("linear-10-percent-epochs-5-learning-rate-0.02", None, Some("epochs 5, learning rate 0.02")),
            ("few-shot-3-way-1-shot", None, Some("3-way 1-shot")),
            ("fine-tune-1-percent-batch-32-seed-3", None, Some("batch 32, seed 3")),
            ("somebody's", None, None),
            ("knn-", None, None),
        ] {
            assert_eq!(options(stem, dataset).as_deref(), wanted, "{stem}");
        }
    }

    /// Report: `knn-k-20-t-0.1.json` is before `knn.json` in the order of files, and hid it.
    #[test]
    fn the_standard_result_is_shown_and_each_other_one_beside_it() {
        let base = tempfile::tempdir().unwrap();
        let run = RunFolder::create(base.path()).unwrap();
        run.write_config("").unwrap();
        for (stem, protocol, top1) in [
            ("few-shot-3-way-1-shot", "few-shot/1", 1.0),
            ("few-shot", "few-shot/1", 2.0),
            ("fine-tune-epochs-5", "fine-tune/1", 3.0),
            ("fine-tune", "fine-tune/1", 4.0),
            ("knn", "knn/2", 5.0),
            ("knn-copy", "knn/2", 6.0),
            ("knn-k-20-t-0.1", "knn/2", 7.0),
            ("linear-learning-rate-0.3", "linear-cached/1", 8.0),
        ] {
            run.write_result(stem, &serde_json::json!({"protocol": protocol, "top1": top1})).unwrap();
        }
        let results = read(&RunFolder::read(base.path()).unwrap());
        let shown: Vec<_> =
            results.protocols().into_iter().map(|name| (name, results.find(name, "trained").unwrap().top1)).collect();
        let wanted = [
            ("few-shot/1", 2.0),
            ("few-shot/1, 3-way 1-shot", 1.0),
            ("fine-tune/1", 4.0),
            ("fine-tune/1, epochs 5", 3.0),
            ("knn/2", 5.0),
            ("knn/2 (knn-copy)", 6.0),
            ("knn/2, k 20, t 0.1", 7.0),
            ("linear-cached/1, learning rate 0.3", 8.0),
        ];
        assert_eq!(shown, wanted);
    }

    /// Report: after a run was resumed, the result of its earlier step was shown as that of the run.
    #[test]
    fn the_result_of_an_earlier_step_is_shown_with_its_step() {
        let base = tempfile::tempdir().unwrap();
        let run = RunFolder::create(base.path()).unwrap();
        run.write_config("").unwrap();
        run.write_result("knn", &serde_json::json!({"protocol": "knn/2", "top1": 1.0, "step": 8})).unwrap();
        std::fs::create_dir_all(base.path().join("checkpoints/step-9")).unwrap();
        assert_eq!(read(&RunFolder::read(base.path()).unwrap()).protocols(), ["knn/2, step 8"]);
    }
}
