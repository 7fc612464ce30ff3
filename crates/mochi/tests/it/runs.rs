//! `mochi runs`, and `mochi report` of what is no single run, through the binary.

use std::path::Path;
use std::process::Output;

use crate::common::{images, json, pretrain, run, said};

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn runs(arguments: &[&str]) -> Output {
    run(&[&["runs"], arguments].concat())
}

#[test]
fn runs_are_listed_compared_and_selected() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    images(&data, 2, 10);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let all = folder.path().join("runs");
    let [a, b] = ["a", "deep/b"].map(|name| all.join(name));
    for (path, pairs) in [(&a, "negatives.pairs=0"), (&b, "negatives.pairs=16")] {
        assert!(pretrain(&data, path, &["epochs=0", pairs]).output().unwrap().status.success());
    }
    for (path, top1) in [(&a, 40.0), (&b, 42.5)] {
        std::fs::create_dir_all(path.join("eval")).unwrap();
        std::fs::write(path.join("eval/knn.json"), format!("{{\"top1\": {top1}}}")).unwrap();
    }
    let all = text(&all);

    let listed = stdout(&runs(&["ls", &all]));
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    assert!(
        lines[0].starts_with("path ") && lines[0].contains("knn ") && lines[0].ends_with("negatives.pairs"),
        "{listed}"
    );
    assert!(lines[2].starts_with("deep/b ") && lines[2].contains("42.50 ") && lines[2].ends_with(" 16"), "{listed}");
    assert_eq!(
        stdout(&runs(&["ls", &all, "--where", "negatives.pairs>0", "--columns", "knn"])),
        "path    knn\ndeep/b  42.50\n"
    );
    let sorted = json(&runs(&["ls", &all, "--sort", "knn", "--json"]));
    assert_eq!((sorted[0]["path"].as_str(), sorted[1]["knn"].as_f64()), (Some("deep/b"), Some(40.0)));

    assert_eq!(stdout(&runs(&["best", &all])), format!("{}\n", b.display()));
    assert_eq!(stdout(&runs(&["best", &all, "--where", "knn < 41"])), format!("{}\n", a.display()));
    let difference = json(&runs(&["diff", &text(&a), &text(&b), "--json"]));
    assert_eq!(difference, serde_json::json!({"knn": [40.0, 42.5], "negatives.pairs": [0, 16]}));
    assert!(sorted[0]["seed"].is_i64() && sorted[0]["moco.temperature"].is_f64(), "whole numbers stay whole");
    let shown = stdout(&runs(&["show", &text(&b)]));
    assert!(shown.contains("knn                42.50\n") && shown.contains("= 16  # command line\n"), "{shown}");

    let refused = |arguments: &[&str], part: &str| {
        let output = runs(arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(part) && said(&output).contains("\nhint: "), "{}", said(&output));
    };
    refused(&["ls", &all, "--where", "negatives.pair>0"], "did you mean `negatives.pairs`?");
    refused(&["ls", &all, "--where", "knn >"], "invalid expression `knn >`: near \")\": syntax error\n");
    refused(&["best", &all, "--by", "linear"], "has a value of linear");
    refused(&["show", &all], "is not a run");

    std::fs::write(a.join("config.toml"), "format = ").unwrap();
    let listed = runs(&["ls", &all]);
    assert!(said(&listed).contains("a is left out: ") && stdout(&listed).lines().count() == 2, "{}", said(&listed));
}

/// Report: the errors named what is wrong and not what to type.
#[test]
fn a_report_that_cannot_be_written_says_what_to_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir_all(folder.path().join("study/cells")).unwrap();
    let data =
        "[data]\nimages = \"a\"\ntrain = \"b\"\ntest = \"c\"\n[[axis]]\nkey = \"moco.queue\"\nvalues = [64, 128]\n";
    for (plan, text) in [("plan.toml", data), ("study/plan.toml", data), ("study/base.toml", ""), ("photo.html", "x")] {
        std::fs::write(folder.path().join(plan), text).unwrap();
    }
    let (plan, study) = (path("plan.toml"), path("study"));
    for (arguments, what, hint) in [
        (
            vec![plan.as_str()],
            "plan.toml is not in runs/plan, its default folder",
            format!("`mochi report` takes that folder; `mochi ablate {plan}` trains a study"),
        ),
        (
            vec!["a", &study],
            "is a study, and only runs are compared on one page",
            format!("`mochi report {study}` writes the page of the study; its runs are the folders in cells/"),
        ),
        (vec![&study, "--out", &path("photo.html")], "is not an earlier result", "give --out another name".to_owned()),
    ] {
        let output = run(&[&["report"], &arguments[..]].concat());
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        let (error, next) = text.split_once("\nhint: ").unwrap();
        assert!(error.contains(what) && next.contains(&hint), "{text}");
    }
    // A study without a run has a page that says so.
    assert_eq!(stdout(&run(&["report", &study])), format!("{study}/report.html\n"));
    let page = std::fs::read_to_string(path("study/report.html")).unwrap();
    assert!(page.contains("<h1>study</h1>") && page.contains("0 of 2 cells finished"), "named for its folder: {page}");
    assert!(page.matches(">not trained</td>").count() == 2 && !page.contains("<a href"), "{page}");
}
