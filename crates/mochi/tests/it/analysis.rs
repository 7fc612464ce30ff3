//! `mochi analyze` through the binary.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::common::{images, json, mochi, newest, pretrain, run, said};

fn analyze(run_folder: &Path, data: &Path, more: &[&str]) -> Output {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let command = ["analyze".to_owned(), text(run_folder), text(data)];
    // One thread: tests run side by side, and libtorch's threads spin while they wait.
    mochi(&command).args(more).env("OMP_NUM_THREADS", "1").output().unwrap()
}

/// A folder with `data`, 2 classes of 12 images, and `run`, trained on it for 6 steps with the checkpoints 2, 4 and 6.
fn trained() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("run"));
    images(&data, 2, 12);
    let kept = ["checkpoint.every_steps=2", "checkpoint.keep_last=9"];
    let output = pretrain(&data, &out, &kept).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    (folder, data, out)
}

/// Status 1, an error that contains `wanted` and a hint on stderr, nothing on stdout.
#[track_caller]
fn refused(output: &Output, wanted: &str) {
    let text = said(output);
    assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{text}");
    assert!(text.contains("error: ") && text.contains("\nhint: ") && text.contains(wanted), "{text}");
}

#[test]
fn every_checkpoint_is_measured_with_and_without_labels() {
    let (folder, data, out) = trained();
    let labeled = json(&analyze(&out, &data, &["--json", "-k", "3"]));
    let checkpoints = labeled["checkpoints"].as_array().unwrap();
    let steps: Vec<u64> = checkpoints.iter().map(|one| one["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [2, 4, 6]);
    // Each step has weights of its own.
    assert!(checkpoints.windows(2).all(|pair| pair[0]["alignment"] != pair[1]["alignment"]));
    assert_eq!((&labeled["images"], &labeled["classes"], &labeled["k"]), (&24.into(), &2.into(), &3.into()));
    for (at, one) in checkpoints.iter().enumerate() {
        let number = |key: &str| one[key].as_f64().unwrap_or_else(|| panic!("{key} is missing: {one}"));
        assert!((0.0..4.0).contains(&number("alignment")) && number("uniformity") <= 0.0);
        // Mean squared distance and mean cosine of the same 24 pairs.
        assert!((number("alignment") - 2.0 * (1.0 - number("positive_similarity"))).abs() < 1e-4);
        for key in ["rank_me_features", "rank_me_embeddings"] {
            assert!((0.99..24.1).contains(&number(key)), "{one}");
        }
        // 12 * 11 * 2 of 24 * 23 pairs.
        assert!((number("same_class") - 11.0 / 23.0).abs() < 1e-9 && (0.0..=1.0).contains(&number("knn_purity")));
        assert!((number("false_negatives_all") - 11.0 / 23.0).abs() < 1e-9);
        assert_eq!(one.get("neighbor_stability").is_some(), at > 0);
        assert!(number("proxy_accuracy_synthetic") <= number("proxy_accuracy"));
        assert!(number("proxy_accuracy") <= number("proxy_accuracy_oracle"));
        // A pair has one of two parents, so pairs are at least as often false.
        assert!(number("false_parents") <= number("false_pairs") && number("false_pairs") <= 1.0);
        let sum: f64 = one["similarity"]["negative"].as_array().unwrap().iter().filter_map(|v| v.as_f64()).sum();
        assert!((sum - 1.0).abs() < 1e-9);
        assert_eq!(one["hardest"]["ranks"].as_array().unwrap().first(), Some(&1.into()));
    }
    let page = std::fs::read_to_string(out.join("analysis.html")).unwrap();
    for wanted in [
        "Nearest neighbors and hardest negatives",
        "view 1: query",
        "view 2: positive ",
        " false negative</figcaption>",
        "Similarity of pairs at step 6",
        "Principal components of the features",
        "t-SNE of the features",
        "perplexity 8",
        "data:image/jpeg",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    let stored: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("analysis.json")).unwrap()).unwrap();
    assert_eq!(stored, labeled);
    // The report of the run does not take it for an evaluation.
    let figures = folder.path().join("figures");
    let report = run(&["report", out.to_str().unwrap(), "--figures", figures.to_str().unwrap()]);
    assert!(report.status.success(), "{}", said(&report));
    // The figures of the paper find the measures that they are drawn from.
    for name in ["paper-class-oracle.png", "paper-alignment-uniformity.svg"] {
        assert!(figures.join(name).is_file(), "{name}: {}", said(&report));
    }
    assert!(!std::fs::read_to_string(out.join("report.html")).unwrap().contains("Not shown"));

    // The same images in one folder: no classes, and the measures that need none are the same but for the order of the images.
    let flat = folder.path().join("flat");
    std::fs::create_dir(&flat).unwrap();
    for class in 0..2 {
        for image in 0..12 {
            let from = data.join(format!("class-{class}/deep/{image:03}.png"));
            std::fs::copy(from, flat.join(format!("{class}-{image:03}.png"))).unwrap();
        }
    }
    // They do not replace the analysis that has more.
    refused(&analyze(&out, &flat, &["-k", "3"]), "is of images with classes");
    // Elsewhere they may be written; the run stays as it is.
    let (elsewhere, before) = (folder.path().join("flat.html"), crate::common::written(&out));
    let other = json(&analyze(&out, &flat, &["--json", "-k", "3", "--out", elsewhere.to_str().unwrap()]));
    assert_eq!((&other["classes"], &other["page"]), (&serde_json::Value::Null, &elsewhere.to_str().unwrap().into()));
    assert!(elsewhere.is_file() && crate::common::written(&out) == before);
    std::fs::remove_file(out.join("analysis.json")).unwrap();
    let text = analyze(&out, &flat, &["-k", "3"]);
    let table = String::from_utf8(text.stdout.clone()).unwrap();
    assert!(text.status.success() && table.contains("all 24 images, without classes"), "{table}{}", said(&text));
    assert!(table.contains("uniformity") && table.contains("stability %") && !table.contains("purity"), "{table}");
    assert!(table.contains("3 nearest neighbors are those of step 4") && table.contains("analysis.html"), "{table}");
    let unlabeled = json(&analyze(&out, &flat, &["--json", "-k", "3"]));
    let rank = |all: &serde_json::Value| all["checkpoints"][2]["rank_me_features"].as_f64().unwrap();
    assert!((rank(&unlabeled) - rank(&labeled)).abs() < 1e-3 * rank(&labeled));
    assert_eq!(unlabeled["classes"], serde_json::Value::Null);
}

#[test]
fn the_sample_is_a_function_of_the_seed_and_what_is_bad_is_named() {
    let (_folder, data, out) = trained();
    std::fs::write(data.join("class-0/bad.png"), b"no image").unwrap();
    std::fs::write(newest(&out).join("model.safetensors"), b"damaged").unwrap();
    let more = ["--json", "--images", "16", "--max-bad-fraction", "0.1"];
    let first = analyze(&out, &data, &[&more[..], &["--seed", "3"]].concat());
    let told = said(&first);
    assert!(told.contains("step-6 is damaged") && told.contains("it is left out"), "{told}");
    let found = json(&first);
    assert_eq!(found["checkpoints"].as_array().unwrap().len(), 2);
    assert!(found["images"].as_u64() <= Some(16) && found["images"].as_u64() >= Some(15), "{found}");
    let again = analyze(&out, &data, &[&more[..], &["--seed", "3"]].concat());
    assert_eq!(json(&again), found);
    let other = json(&analyze(&out, &data, &[&more[..], &["--seed", "4"]].concat()));
    assert_ne!(other["checkpoints"], found["checkpoints"]);

    // All 25, of which one cannot be read.
    let all = analyze(&out, &data, &["--json", "--max-bad-fraction", "0.1", "-k", "99"]);
    let (told, found) = (said(&all), json(&all));
    assert!(told.contains("bad image, not in the sample: class-0/bad.png: "), "{told}");
    assert!(told.contains("-k 99 exceeds the 23 other images"), "{told}");
    assert_eq!((&found["images"], &found["bad_images"][0]["name"]), (&24.into(), &"class-0/bad.png".into()));
    refused(&analyze(&out, &data, &["--max-bad-fraction", "0"]), "bad.png");
}

#[test]
fn what_cannot_be_analyzed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("run"));
    images(&data, 1, 4);
    assert!(pretrain(&data, &out, &["epochs=0"]).output().unwrap().status.success());
    let one = json(&analyze(&out, &data, &["--json"]));
    // One class says nothing, and an untrained encoder is a checkpoint.
    assert_eq!((&one["classes"], &one["checkpoints"][0]["step"]), (&serde_json::Value::Null, &0.into()));
    assert_eq!(one["checkpoints"][0].get("knn_purity"), None);
    for (more, wanted) in [
        (&["-k", "0"][..], "invalid value for k"),
        (&["--images", "1"], "invalid value for images"),
        (&["--images", "5000"], "an integer from 2 to 4096"),
        (&["--max-bad-fraction", "2"], "--max-bad-fraction"),
        (&["--out", "page.txt"], ".html"),
    ] {
        refused(&analyze(&out, &data, more), wanted);
    }
    refused(&analyze(&data, &data, &[]), "is not a run");
    images(&folder.path().join("single"), 1, 1);
    refused(&analyze(&out, &folder.path().join("single"), &[]), "needs at least 2");
    std::fs::remove_dir_all(out.join("checkpoints")).unwrap();
    refused(&analyze(&out, &data, &[]), "has no checkpoint");
}
