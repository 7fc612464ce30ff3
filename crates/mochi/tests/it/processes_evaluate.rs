//! Evaluation in several processes: the results of one.

use std::process::Command;

use serde_json::Value;

use crate::common::{images, json, launch, mochi, pretrain, said};
use crate::detector::{train, trained};
use crate::processes::{ends, start};

/// The JSON objects of a command, one a line.
fn results(mut command: Command) -> Vec<Value> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn two_processes_evaluate_as_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let (data, run, unseen) = (folder.path().join("data"), folder.path().join("run"), folder.path().join("unseen"));
    images(&data, 5, 16);
    assert!(pretrain(&data, &run, &["epochs=1"]).output().unwrap().status.success());
    images(&unseen, 5, 24);
    for class in 0..5 {
        (0..16).for_each(|i| std::fs::remove_file(unseen.join(format!("class-{class}/deep/{i:03}.png"))).unwrap());
    }
    let evaluate = || {
        let mut command = mochi(&["eval", "all", "--protocols", "knn,linear,few-shot", "--json"]);
        command.arg(&run).arg("--train").arg(&data).arg("--test").arg(&unseen);
        command
    };
    let (one, two) = (results(evaluate()), results(launch(2, &evaluate())));
    assert_eq!((one.len(), two.len()), (3, 3));
    for (one, two) in one.iter().zip(&two) {
        let protocol = &one["protocol"];
        for key in ["protocol", "top1", "top1_interval", "k", "sweep", "episodes", "train_images", "bad_images"] {
            assert_eq!(one[key], two[key], "{key} of {protocol}");
        }
    }
}

/// Other collectives on two ranks would end both without a sentence.
#[test]
fn ranks_that_evaluate_otherwise_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let [data, unseen] = ["data", "unseen"].map(|name| folder.path().join(name));
    images(&data, 2, 6);
    images(&unseen, 2, 9);
    let evaluate = |words: &[&str]| {
        let mut command = mochi(&["eval"]);
        command.args(words).arg("pixels").arg("--train").arg(&data).arg("--test").arg(&unseen);
        command
    };
    let ended = |words: [&[&str]; 2]| ends(start(2, |rank| evaluate(words[rank])));
    for (words, sentence) in [
        (
            [&["knn"][..], &["linear"]],
            "other versions or commands than rank 0: `mochi eval linear` instead of `mochi eval knn`",
        ),
        ([&["knn", "-k", "3"], &["knn", "-k", "4"]], "other options than rank 0: -k 4 instead of -k 3"),
    ] {
        let ended = ended(words);
        assert!(ended.iter().any(|(_, text)| text.contains(&format!("rank 1 has {sentence}"))), "{ended:?}");
        assert!(ended.iter().all(|(status, _)| *status == Some(1)), "{ended:?}");
    }
}

#[test]
fn two_processes_evaluate_a_detector_as_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    trained(place);
    let evaluate = |detections: &str| {
        let mut command = mochi(&["detect", "eval", "--json"]);
        command.arg(place.join("run")).arg("--data").arg(place.join("data"));
        command.arg("--detections").arg(place.join(detections));
        command
    };
    let (one, two) = (results(evaluate("one.json")), results(launch(2, &evaluate("two.json"))));
    assert!(one[0]["images"] == 3 && one == two, "{one:?} {two:?}");
    let read = |name: &str| std::fs::read(place.join(name)).unwrap();
    assert!(read("one.json").len() > 100 && read("one.json") == read("two.json"));
    // A run of two processes records what one process measures of its detector.
    let run = place.join("two");
    let output = launch(2, &train(&place.join("data"), &run, &["data.groups=2", "--json"])).output().unwrap();
    assert_eq!(json(&output)["step"], 3, "{}", said(&output));
    let records = mochi_run::MetricsLog::read(&run.join("metrics.jsonl")).unwrap();
    let recorded = records.last().unwrap().values.get(&mochi_run::metric::detection::AP);
    let mut command = mochi(&["detect", "eval", "--json"]);
    command.arg(&run).arg("--data").arg(place.join("data"));
    assert_eq!(results(command)[0]["AP"].as_f64(), recorded);
}
