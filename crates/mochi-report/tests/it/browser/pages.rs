//! One page of each kind with plausible contents, long names among them.

use std::path::{Path, PathBuf};

use mochi_ablate::{Cells, Finished, Plan, State, StudyFolder, Table};
use mochi_report::{
    AnalysisCurves, AnalysisPage, Bars, DataPage, DrawnObject, Encoding, Image, MeasureChart, NeighborRow, ObjectImage,
    Point, PointMap, PredictionsPage, RankCurve, Section, ShownImage, ShownView, SimilarityChart, ViewsPage, ViewsRow,
};
use mochi_run::{CurveRecord, Protocol};
use serde_json::json;

use crate::run_page;

/// A page and the number of figures that it has at least.
pub struct Page {
    pub name: &'static str,
    pub path: PathBuf,
    pub figures: u64,
}

/// Every page, below `folder`.
pub fn all(folder: &Path) -> Vec<Page> {
    let written = |name: &'static str, html: String, figures| {
        let path = folder.join(format!("{name}.html"));
        std::fs::write(&path, html).unwrap();
        Page { name, path, figures }
    };
    let runs: Vec<PathBuf> = (0..12).map(|i| a_run(&folder.join(format!("run-with-quite-a-long-name-{i}")))).collect();
    vec![
        Page { name: "run", path: mochi_report::write_page(&runs[0]).unwrap(), figures: 12 },
        written("comparison", mochi_report::comparison_page(&runs).unwrap(), 4),
        Page { name: "study", path: study(folder), figures: 4 },
        written("analysis", analysis().render(), 9),
        written("data", data().render(), 0),
        written("views", views().render(), 1),
        written("detections", predictions().render(), 3),
    ]
}

fn a_run(folder: &Path) -> PathBuf {
    let run = run_page::run(folder, 60);
    for (name, top1) in [("knn", 87.11), ("linear", 88.04), ("few-shot", 71.5)] {
        let result = json!({"protocol": format!("{name}/2"), "top1": top1, "top5": 99.7, "test_images": 10_000,
            "top1_interval": [top1 - 0.6, top1 + 0.6]});
        run.write_result(name, &result).unwrap();
    }
    let numbers = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"];
    let numbers: serde_json::Map<_, _> = numbers.map(|name| (name.to_owned(), json!(0.4321))).into_iter().collect();
    let mut result = json!({"protocol": "detection/1", "split": "test", "test": "/data/voc/VOCdevkit", "images": 100,
        "step": 60, "precision_at_recall": {"iou50": [1.0, 0.8, 0.1], "iou75": [1.0, 0.5, 0.0]},
        "classes": [{"name": "potted plant", "AP": 0.3, "AP50": 0.5}]});
    result.as_object_mut().unwrap().extend(numbers);
    run.write_result("detection", &result).unwrap();
    run.path().to_owned()
}

fn study(folder: &Path) -> PathBuf {
    let plan = folder.join("plan.toml");
    let text = "name = \"N against s\"\nseeds = [0, 1, 2]\n[data]\nimages = \"a\"\ntrain = \"b\"\ntest = \"c\"\n\
                [[axis]]\nkey = \"negatives.hardest\"\nvalues = [64, 256, 1024]\n\
                [[axis]]\nkey = \"negatives.pairs\"\nvalues = [0, 128, 512]\n";
    std::fs::write(&plan, text).unwrap();
    let plan = Plan::read(&plan).unwrap();
    let study = StudyFolder::at(&folder.join("study")).unwrap();
    study.write_plan(&plan).unwrap();
    let cells = Cells::of(&plan).unwrap();
    let state = |at: usize| {
        let top1 = Protocol::DEFAULT.map(|protocol| (protocol, 40.0 + (at * 7 % 5) as f64 + at as f64 * 0.11));
        State::Finished(Finished { scores: top1.into_iter().collect(), seconds: Some(3600.0) })
    };
    let states: Vec<State> = (0..cells.cells.len()).map(state).collect();
    let table = Table::of(&plan, &cells, &states);
    mochi_report::write_study_page(&study, &plan, &cells, &states, &table, None).unwrap()
}

/// A gradient of 96 by 64 pixels.
fn image(name: &str) -> Image {
    let (width, height) = (96u32, 64u32);
    let pixels: Vec<u8> = (0..width * height).flat_map(|at| [(at % 96 * 2) as u8, (at / 96 * 4) as u8, 120]).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    Image { bytes, encoding: Encoding::Png, width, height, name: name.to_owned() }
}

fn analysis() -> AnalysisPage {
    let steps: Vec<u64> = (1..=12).map(|i| i * 1000).collect();
    let line = |name, low: f64| (name, steps.iter().map(|&step| (step, low + step as f64 / 2e4)).collect());
    let chart = |title, lines: &[&'static str]| MeasureChart {
        title,
        unit: "%",
        from_zero: true,
        lines: lines.iter().map(|name| line(*name, 0.3)).collect(),
    };
    let titles = [
        "step",
        "alignment",
        "uniformity",
        "RankMe, features",
        "RankMe, embeddings",
        "spread",
        "cosine, positives",
        "cosine, negatives",
    ];
    let point = |i: usize| Point { x: (i % 17) as f64, y: (i % 13) as f64, class: Some(i % 10) };
    let map = |title, unit: &str| PointMap {
        title,
        unit: unit.into(),
        caption: "first component",
        points: (0..400).map(point).collect(),
    };
    let shown = |caption: &str, marked| ShownImage { image: image("near.jpg"), caption: caption.into(), marked };
    AnalysisPage {
        name: "photos: embeddings".into(),
        summary: "photos: 1024 of 60000 images (sample of seed 0), 10 classes".into(),
        facts: vec![("Checkpoints".into(), "12".into()), ("Features, embedding".into(), "2048, 128".into())],
        findings: vec![(false, "The embeddings have not collapsed (spread 0.83 of 1).".into())],
        columns: titles.map(str::to_owned).to_vec(),
        rows: steps.iter().map(|step| titles.iter().map(|_| step.to_string()).collect()).collect(),
        curves: AnalysisCurves {
            charts: vec![
                chart("Alignment", &["alignment"]),
                chart("Mean similarity", &["positive", "negative"]),
                chart("Proxy task", &["real", "synthetic", "oracle", "oracle, synthetic"]),
                chart("False negatives", &["hardest 64", "all"]),
            ],
            similarities: vec![SimilarityChart {
                title: "Similarity of pairs at step 12000".into(),
                positive: (0..100).map(|i| if i > 80 { 0.05 } else { 0.0 }).collect(),
                negative: (0..100).map(|i| if (30..70).contains(&i) { 0.025 } else { 0.0 }).collect(),
            }],
            matching: steps
                .iter()
                .map(|&step| CurveRecord {
                    step,
                    ranks: vec![1, 10, 100],
                    real: vec![0.5, 0.05, 0.001],
                    ..CurveRecord::default()
                })
                .collect(),
            false_negatives: steps
                .iter()
                .map(|&step| RankCurve { step, ranks: vec![1, 10, 100], values: vec![0.5, 0.4, 0.3] })
                .collect(),
            false_chance: Some(0.1),
        },
        maps: vec![
            map("Principal components of the features", "31 % and 12 % of the variance"),
            map("t-SNE of the features", "perplexity 30"),
        ],
        map_classes: (0..10).map(|i| format!("class {i} of clothes")).collect(),
        neighbors: (0..3)
            .map(|_| NeighborRow {
                query: image("query.jpg"),
                class: "boots".into(),
                views: vec![shown("view 1: query", false), shown("view 2: positive 0.97", false)],
                neighbors: (0..8).map(|i| shown("0.93 sneakers", i % 2 == 0)).collect(),
                negatives: (0..8).map(|i| shown("0.81 false negative", i % 3 == 0)).collect(),
            })
            .collect(),
        labeled: true,
        bad: vec![],
        more_bad: 0,
        glossary: vec![(
            "alignment".into(),
            "Mean squared distance of the embeddings of two augmented views of an image, 0 to 4; lower is better."
                .into(),
        )],
    }
}

fn data() -> DataPage {
    DataPage {
        name: "photos".into(),
        summary: "1200 images".into(),
        bars: vec![Bars {
            title: "Images per class".into(),
            bars: vec![("a class with a long name".into(), 700), ("dog".into(), 500)],
        }],
        sheet: vec![Section { title: "cat".into(), of: 700, images: (0..12).map(|_| image("cat.jpg")).collect() }],
        ..DataPage::default()
    }
}

fn views() -> ViewsPage {
    let view = |left| ShownView {
        image: image("view"),
        crop: [left, 2, 30, 40],
        steps: vec![("flip".into(), "horizontal".into())],
    };
    let rows = vec![ViewsRow { source: image("a.jpg"), size: (96, 64), views: vec![view(1), view(50)] }];
    ViewsPage { name: "views".into(), summary: "the pipeline mocov2".into(), facts: vec![], rows }
}

fn predictions() -> PredictionsPage {
    let object = |class: usize, dashed| DrawnObject {
        bounds: [5.0 + 20.0 * class as f64, 8.0, 30.0 + 20.0 * class as f64, 50.0],
        class,
        label: format!("class {class} 0.93"),
        outline: vec![],
        dashed,
    };
    let one =
        || ObjectImage { image: image("street.jpg"), size: (96, 64), objects: vec![object(0, false), object(2, true)] };
    PredictionsPage {
        name: "detections".into(),
        summary: "3 images".into(),
        classes: ["person", "bicycle", "traffic light"].map(str::to_owned).to_vec(),
        sections: vec![("Images".into(), (0..3).map(|_| one()).collect())],
        note: "Dashed: found.".into(),
    }
}
