//! Page and figures of a run, made from files as a run writes them.

use std::path::Path;

use mochi_config::{DeviceFacts, Facts, Settings, detection as detectors};
use mochi_run::metric::{contrastive, detection, general, online};
use mochi_run::{CurveRecord, CurvesLog, Metrics, MetricsLog, Record, RunFolder, Session};

/// A run of `steps` records with curves of a plausible shape.
pub fn run(folder: &Path, steps: u64) -> RunFolder {
    let run = RunFolder::create(folder).unwrap();
    let facts = Facts {
        images: 60_000,
        labels: true,
        cores: 2,
        cpu: DeviceFacts { memory_bytes: 8 << 30, fast_bf16: true },
        ..Facts::default()
    };
    let words = [
        "data.source=images/<fashion> & \"more\"",
        "negatives.hardest=512",
        "negatives.pairs=300",
        "negatives.query_mixes=64",
    ];
    let words = words.map(str::to_owned);
    let (settings, _) = Settings::load(Some("small-mochi"), None, &words).unwrap().resolve(&facts).unwrap();
    run.write_config(&settings.to_toml()).unwrap();
    let mut log = MetricsLog::create(&run.metrics_path()).unwrap();
    for i in 1..=steps {
        let t = i as f64 / steps as f64;
        let wave = ((i * 7919) % 101) as f64 / 101.0 - 0.5;
        let mixing = t > 0.1;
        let synthetic = |value: f64| mixing.then_some(value);
        let values = Metrics::new()
            .with(&general::EPOCH, (t * 9.99).floor())
            .with(&general::IMAGES, (i * 2560) as f64)
            .with(&general::LOSS, 8.6 - 3.2 * t.sqrt() + 0.3 * wave + if mixing { 0.4 } else { 0.0 })
            .with(&contrastive::LOSS_CHANCE, if mixing { 9.05 } else { 9.01 })
            .with(&general::LEARNING_RATE, 0.03 * (1.0 + (std::f64::consts::PI * t).cos()))
            .with(&general::IMAGES_PER_S, 1450.0 + 200.0 * wave)
            .with(&general::DATA_WAIT_FRACTION, 0.03 + 0.02 * wave)
            .with(&contrastive::QUEUE_FILL, (t * 20.0).min(1.0))
            .with(&contrastive::ACCURACY_REAL, 0.7 * t.sqrt() + 0.05 * wave)
            .with(&contrastive::ACCURACY_WITH_SYNTHETIC, synthetic(0.4 * t.sqrt() + 0.05 * wave))
            .with(&contrastive::POSITIVE_SIMILARITY, 0.95 - 0.2 * t)
            .with(&contrastive::HARDEST_SIMILARITY, 0.8 - 0.15 * t)
            .with(&contrastive::PAIR_SIMILARITY, synthetic(0.85 - 0.15 * t))
            .with(&contrastive::QUERY_MIX_SIMILARITY, synthetic(0.9 - 0.13 * t))
            .with(&contrastive::SYNTHETIC_HARDER_FRACTION, synthetic(0.1 + 0.05 * t))
            .with(&contrastive::WITHOUT_NEGATIVES, 0.01 * t)
            .with(&contrastive::EFFECTIVE_NEGATIVES, 8192.0 * (1.0 - t).powi(2) + 40.0)
            .with(&contrastive::ALIGNMENT, 0.1 + 0.4 * t)
            .with(&contrastive::UNIFORMITY, -0.3 - 2.5 * t.sqrt())
            .with(&contrastive::QUEUE_AGE_MEAN_STEPS, (i as f64 * 5.0).min(16.5))
            .with(&contrastive::QUEUE_AGE_MAX_STEPS, (i as f64 * 10.0).min(32.0))
            .with(&contrastive::QUEUE_AGE_MAX_EPOCHS, (i as f64 * 10.0).min(32.0) / 234.0)
            .with(&contrastive::FALSE_NEGATIVES_IN_QUEUE, i.is_multiple_of(20).then_some(0.1))
            .with(&contrastive::FALSE_NEGATIVES_IN_HARDEST, i.is_multiple_of(20).then_some(0.3 + 0.3 * t))
            .with(&contrastive::FALSE_NEGATIVES_PAIR_EITHER, synthetic(0.5 + 0.3 * t).filter(|_| i.is_multiple_of(20)))
            .with(&contrastive::FALSE_NEGATIVES_PAIR_BOTH, synthetic(0.2 + 0.3 * t).filter(|_| i.is_multiple_of(20)))
            .with(&contrastive::FALSE_NEGATIVES_QUERY_MIX, synthetic(0.31 + 0.3 * t).filter(|_| i.is_multiple_of(20)))
            .with(&online::ONLINE_KNN, i.is_multiple_of(20).then_some(0.3 + 0.2 * t))
            .with(&online::ONLINE_LINEAR, i.is_multiple_of(20).then_some(0.4 + 0.2 * t))
            .with(&online::ONLINE_IMAGES, i.is_multiple_of(20).then_some(667.0))
            .with(&online::ONLINE_RANK_ME, i.is_multiple_of(20).then_some(10.0 + 20.0 * t))
            .with(&online::ONLINE_UNIFORMITY, i.is_multiple_of(20).then_some(-1.0 - t))
            .with(&online::ONLINE_SPREAD, i.is_multiple_of(20).then_some(0.5 + 0.3 * t))
            .with(&online::ONLINE_STABILITY, i.is_multiple_of(20).then_some(0.2 + 0.6 * t))
            .with(&general::ELAPSED_S, i as f64 * 2.0);
        log.append(&Record { step: i * 10, values }).unwrap();
    }
    let mut log = CurvesLog::create(&run.curves_path()).unwrap();
    for epoch in 0..steps.min(10) {
        let (steep, ranks) = (0.4 + epoch as f64 * 0.1, (0..=20).map(|i| 2f64.powf(f64::from(i) / 2.0)));
        let ranks: Vec<u32> = ranks.map(|rank| rank.round() as u32).collect();
        let real: Vec<f64> =
            ranks.iter().map(|&rank| 0.01 * (1.0 + epoch as f64) * f64::from(rank).powf(-steep)).collect();
        let all = (epoch > 0).then(|| real.iter().map(|p| p * 0.6).collect());
        log.append(&CurveRecord { step: (epoch + 1) * 240, epoch, ranks, real, all }).unwrap();
    }
    run
}

/// One for each chart of the metrics of pre-training, and two of matching probabilities.
pub fn charts() -> usize {
    let of_detection = |metric: &mochi_run::Metric| detection::TABLE.iter().any(|own| own.key == metric.key);
    let titles = mochi_run::metric::all()
        .filter(|metric| !of_detection(metric))
        .filter_map(|metric| Some(metric.chart?.0.title));
    titles.collect::<std::collections::BTreeSet<_>>().len() + 2
}

#[test]
fn the_page_is_one_file_and_shows_everything() {
    let base = tempfile::tempdir().unwrap();
    let run = run(&base.path().join("demo-run"), 240);
    for (name, subject, top1) in
        [("knn-raw", "raw pixels", 84.0), ("knn-untrained", "untrained", 79.12), ("knn", "trained", 87.11)]
    {
        let result = serde_json::json!({"protocol": "knn-v1", "k": 200, "temperature": 0.1, "features": 64, "subject": subject, "top1": top1,
            "test_images": 10_000});
        run.write_result(name, &result).unwrap();
    }
    run.write_result(
        "linear",
        &serde_json::json!({"protocol": "linear-cached-v1", "top1": 88.04, "top5": 99.71,
        "learning_rate": 3.0, "features": 64, "test_images": 10_000}),
    )
    .unwrap();
    std::fs::write(run.path().join("eval/torn.json"), "{\"top1\": 0.").unwrap();
    let session = Session {
        command: ["mochi", "pretrain", "my photos"].map(str::to_owned).to_vec(),
        processor: Some("Fast <CPU>".into()),
        threads: 2,
        ..Session::begin(40)
    };
    session.append(&run.sessions_path()).unwrap();
    std::fs::write(
        run.bad_images_path(),
        "{\"index\":3,\"name\":\"a<b.jpg\",\"reason\":\"truncated\",\"detail\":\"\"}\n",
    )
    .unwrap();
    let path = mochi_report::write_page(run.path()).unwrap();
    let page = std::fs::read_to_string(&path).unwrap();
    assert_eq!(path, run.path().join("report.html"));
    assert!(page.contains("<h1>demo-run</h1>"));
    assert_eq!(page.matches("<svg").count(), charts() + 1, "and where the time went");
    assert!(page.contains("<h2>Where the time went</h2>") && page.contains(">waiting for data <"), "{page}");
    for epoch in [1, 3, 5, 6, 8, 10] {
        assert_eq!(page.matches(&format!(">epoch {epoch}<")).count(), if epoch == 1 { 1 } else { 2 }, "{epoch}");
    }
    assert!(page.contains("images/&lt;fashion&gt; &amp; &quot;more&quot;") && !page.contains("<fashion>"));
    for shown in [
        "<b>84.00</b>",
        "<b>79.12</b>",
        "<b>87.11</b>",
        "<b>88.04</b>",
        "top-5 99.71, lr 3, 10\u{2009}000 images",
        "k 200, t 0.1, ",
        "<code>mochi pretrain &#39;my photos&#39;</code></td><td data-label=\"processor\">Fast &lt;CPU&gt;</td><td data-label=\"threads\">2</td>",
        "<summary>1 bad image</summary>",
        "<code>a&lt;b.jpg</code>",
        "Settings that are not those of the preset small-mochi",
        "(512, 300, 64)",
        "<p>Evaluation during training: the linear classifier on held-out images still rose, from 53.3 % at step 1600 to 60.0 %: longer training will probably help.</p>",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(page.find("raw pixels").unwrap() < page.find(">untrained<").unwrap());
    assert!(page.contains("Not shown: eval/torn.json: EOF"));
    for outside in ["http://", "https://", "<script", "<link", "url("] {
        assert!(!page.contains(outside), "the page must be one file: {outside}");
    }
    if let Some(keep) = std::env::var_os("MOCHI_KEEP_PAGE") {
        std::fs::copy(path, keep).unwrap();
    }
}

#[test]
fn the_page_has_the_figures_of_an_analysis_or_the_command_that_makes_them() {
    let base = tempfile::tempdir().unwrap();
    let run = run(&base.path().join("my run"), 3);
    let page = || std::fs::read_to_string(mochi_report::write_page(run.path()).unwrap()).unwrap();
    let plain = page();
    let command = format!("<code>mochi analyze &#39;{}&#39; DATA</code>", run.path().display());
    assert!(plain.contains(&command) && !plain.contains("href"), "{plain}");
    let checkpoint = |step: u64| {
        serde_json::json!({"step": step, "alignment": 0.5, "uniformity": -2.0, "similarity": {"positive": [0.0, 1.0], "negative": [0.5, 0.5]},
            "hardest": {"ranks": [1, 2], "probability": [0.5, 0.25], "false_negatives": [0.5, 0.4]}})
    };
    let analysis = serde_json::json!({"data": "<photos>", "images": 512, "findings": ["They have not collapsed.", "a < b"],
        "checkpoints": [checkpoint(10), checkpoint(20)]});
    run.write_analysis(&analysis).unwrap();
    let shown = page();
    assert!(shown.contains("<p>2 checkpoints on 512 images of &lt;photos&gt;.</p>"), "{shown}");
    assert!(shown.contains("<p>They have not collapsed. a &lt; b</p>") && !shown.contains("mochi analyze"), "{shown}");
    // Alignment, uniformity, two histograms, matching probabilities, false negatives.
    assert_eq!(shown.matches("<svg").count(), plain.matches("<svg").count() + 6);
    assert!(!shown.contains("href"), "no link to a page that is not there");
    run.write_analysis_page("<p>").unwrap();
    assert!(page().contains("<a href=\"analysis.html\">analysis.html</a>"));
    std::fs::write(run.analysis_path(), "{").unwrap();
    assert!(page().contains("Not shown: analysis.json: EOF"));
}

#[test]
fn the_page_has_the_views_of_the_run() {
    let base = tempfile::tempdir().unwrap();
    let run = run(&base.path().join("run"), 3);
    let page = || std::fs::read_to_string(mochi_report::write_page(run.path()).unwrap()).unwrap();
    assert!(!page().contains("<h2>Views</h2>"));
    run.write_views(&[0xFF, 0xD8, 0xFF, 0xE0]).unwrap();
    let shown = page();
    assert!(shown.contains("<img class=\"views\" src=\"data:image/jpeg;base64,/9j/4A==\" alt="), "{shown}");
    run.write_views(b"<script>").unwrap();
    assert!(page().contains("Not shown: views.jpg: it is no JPEG file"));
}

// Security review S22.
#[test]
fn s22_pages_have_a_content_security_policy() {
    let base = tempfile::tempdir().unwrap();
    let run = run(base.path(), 3);
    let page = std::fs::read_to_string(mochi_report::write_page(run.path()).unwrap()).unwrap();
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">";
    for page in [page, mochi_report::DataPage::default().render(), mochi_report::ViewsPage::default().render()] {
        assert!(page.find(policy).unwrap() < page.find("<title>").unwrap());
    }
}

#[test]
fn a_run_without_records_has_a_page() {
    let base = tempfile::tempdir().unwrap();
    let run = run(base.path(), 0);
    let page = std::fs::read_to_string(mochi_report::write_page(run.path()).unwrap()).unwrap();
    assert!(page.contains("No records yet.") && !page.contains("<svg"));
}

#[test]
fn a_long_run_has_a_small_page() {
    let base = tempfile::tempdir().unwrap();
    let run = run(base.path(), 20_000);
    let size = std::fs::metadata(mochi_report::write_page(run.path()).unwrap()).unwrap().len();
    assert!(size < 400_000, "{size} bytes");
}

#[test]
fn a_folder_that_is_not_a_run_is_refused() {
    let base = tempfile::tempdir().unwrap();
    let error = mochi_report::write_page(base.path()).unwrap_err();
    assert_eq!(error.to_string(), format!("{} is not a run: it has no config.toml", base.path().display()));
    assert_eq!(error.hint().unwrap(), "give a folder that `mochi pretrain --out` or `mochi detect train --out` made");
}

#[test]
fn several_runs_are_compared_on_one_page() {
    let base = tempfile::tempdir().unwrap();
    let [a, b] = ["first", "second"].map(|name| run(&base.path().join(name), 40));
    let text = std::fs::read_to_string(b.config_path()).unwrap();
    std::fs::write(b.config_path(), text.replace("hardest = 512", "hardest = 256")).unwrap();
    a.write_result("knn", &serde_json::json!({"protocol": "knn/2", "top1": 87.11})).unwrap();
    let page = mochi_report::comparison_page(&[a.path().to_owned(), b.path().to_owned()]).unwrap();
    assert!(
        page.contains("<h1>Comparison of 2 runs</h1>")
            && page.contains("<b>87.11</b>")
            && page.contains("<td data-label=\"knn/2\">-</td>")
    );
    assert!(page.contains(
        "<td><code>negatives.hardest</code></td><td data-label=\"1\"><code>512</code></td><td data-label=\"2\"><code>256</code></td>"
    ));
    assert_eq!(page.matches("<code>").count(), 3, "only what differs");
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(mochi_report::comparison_page(&[base.path().to_owned()]).is_err());
}

#[test]
fn runs_that_differ_in_their_seed_are_one_line_and_one_row() {
    let base = tempfile::tempdir().unwrap();
    let seeded = |name: &str, steps: u64, seed: u64, top1: f64| {
        let run = run(&base.path().join(name), steps);
        let text = std::fs::read_to_string(run.config_path()).unwrap();
        std::fs::write(run.config_path(), text.replace("\nseed = 0 ", &format!("\nseed = {seed} "))).unwrap();
        run.write_result("knn", &serde_json::json!({"protocol": "knn/2", "top1": top1})).unwrap();
        run
    };
    let seeds = [("mochi-0", 40, 0, 40.0), ("mochi-1", 60, 1, 41.0), ("mochi-2", 7, 2, 42.0)];
    let runs = seeds.map(|(name, steps, seed, top1)| seeded(name, steps, seed, top1));
    let other = seeded("other", 40, 0, 50.0);
    let text = std::fs::read_to_string(other.config_path()).unwrap();
    std::fs::write(other.config_path(), text.replace("hardest = 512", "hardest = 256")).unwrap();
    let paths: Vec<_> = runs.iter().chain([&other]).map(|run| run.path().to_owned()).collect();
    let page = mochi_report::comparison_page(&paths).unwrap();
    assert!(page.contains("<h1>Comparison of 4 runs</h1><p class=\"sub\">1 mochi, 3 seeds; 2 other</p>"), "{page}");
    assert!(page.contains(">1 mochi, 3 seeds: mochi-0, mochi-1, mochi-2.</p>"), "{page}");
    let wanted = "<b>41.00 ± 1.00 (3)</b> <span class=\"small\">seed 0: 40.00, seed 1: 41.00, seed 2: 42.00</span>";
    assert!(page.contains(wanted) && page.contains("<b>50.00</b>"), "{page}");
    assert_eq!(page.matches("class=\"name l0\"").count(), 4, "one line in each chart");
    assert_eq!(page.matches(">1 mochi, 3 seeds <").count(), 4, "{page}");
    assert!(page.matches("class=\"band l0\"").count() == 4 && !page.contains("NaN"), "{page}");
    assert!(page.contains("the line is the mean over the seeds that have reached a step"));
    assert_eq!(page.matches("<code>").count(), 6, "the keys seed and negatives.hardest, two values each: {page}");
    assert!(page.contains("<code>0, 1, 2</code>"), "{page}");
    let page = mochi_report::comparison_page(&paths[..3]).unwrap();
    assert!(page.contains("Their settings are equal but for the seed."), "{page}");
}

/// Report: a k-NN result with k = 200 was compared with one with k = 20, without a word.
#[test]
fn results_with_other_options_have_columns_of_their_own_in_a_comparison() {
    let base = tempfile::tempdir().unwrap();
    let [a, b] = ["first", "second"].map(|name| run(&base.path().join(name), 3));
    let result = |top1: f64| serde_json::json!({"protocol": "knn/2", "top1": top1});
    a.write_result("knn", &result(40.0)).unwrap();
    a.write_result("knn-k-20-t-0.1", &result(41.0)).unwrap();
    b.write_result("knn-k-20-t-0.1", &result(42.0)).unwrap();
    let page = mochi_report::comparison_page(&[a.path().to_owned(), b.path().to_owned()]).unwrap();
    assert!(page.contains("<th>knn/2</th><th>knn/2, k 20, t 0.1</th>"), "{page}");
    let cell = |column: &str, text: &str| format!("<td data-label=\"{column}\">{text}");
    let number = |top1: &str| format!("<span><b>{top1}</b>");
    for (column, text) in [
        ("knn/2", number("40.00")),
        ("knn/2, k 20, t 0.1", number("41.00")),
        ("knn/2", "-".to_owned()),
        ("knn/2, k 20, t 0.1", number("42.00")),
    ] {
        assert!(page.contains(&cell(column, &text)), "{column} {text}: {page}");
    }
    let page = std::fs::read_to_string(mochi_report::write_page(a.path()).unwrap()).unwrap();
    assert!(page.contains(&cell("knn/2", &number("40.00"))), "{page}");
}

/// Report: the page of a pre-training run and a detector ended in a panic; in the other order its settings were wrong.
#[test]
fn runs_of_different_tasks_are_not_compared() {
    let base = tempfile::tempdir().unwrap();
    let encoder = run(&base.path().join("encoder"), 3);
    let detector = RunFolder::create(&base.path().join("detector")).unwrap();
    let cpu = DeviceFacts { memory_bytes: 8 << 30, fast_bf16: true };
    let facts =
        detectors::Facts { images: 6, classes: 2, masks: false, unmasked: (12, 12), cores: 2, cpu, gpus: Vec::new() };
    let settings = detectors::Settings::load(None, None, &[]).unwrap();
    detector.write_config(&settings.resolve(&facts).unwrap().0.to_toml()).unwrap();
    let [encoder, detector] = [encoder.path(), detector.path()];
    for (first, other, tasks) in
        [(encoder, detector, ["pretraining", "detection"]), (detector, encoder, ["detection", "pretraining"])]
    {
        let error = mochi_report::comparison_page(&[first.to_owned(), first.to_owned(), other.to_owned()]).unwrap_err();
        let wanted = format!(
            "{} is a run of {} and {} is one of {}: only runs of one task are compared",
            first.display(),
            tasks[0],
            other.display(),
            tasks[1]
        );
        assert_eq!(error.to_string(), wanted);
        let hint = format!("leave it out; `mochi report {}` writes its own page", other.display());
        assert_eq!(error.hint(), Some(hint));
    }
    let both = mochi_report::comparison_page(&[detector.to_owned(), detector.to_owned()]).unwrap();
    assert!(both.contains("Their settings are equal."));
}
