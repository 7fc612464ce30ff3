//! Pages with images: names that contain markup stay text, and nothing is loaded.

use mochi_report::{
    AnalysisCurves, AnalysisPage, BadFile, Bars, DataPage, Duplicates, Encoding, Group, Image, Issue, MeasureChart,
    NeighborRow, Point, PointMap, RankCurve, Section, Severity, ShownImage, ShownView, SimilarityChart, ViewsPage,
    ViewsRow,
};
use mochi_run::CurveRecord;

const NASTY: &str = "<script>alert('x')</script>\" onerror=\"y & \u{FFFD}.jpg";

fn image() -> Image {
    Image { bytes: vec![0xFF, 0xD8, 0xFF], encoding: Encoding::Jpeg, width: 4, height: 3, name: NASTY.into() }
}

fn assert_safe(page: &str, names: usize) {
    assert!(!page.contains("<script") && !page.contains("alert('x')"), "{page}");
    assert!(!page.contains("\" onerror"), "{page}");
    let escaped = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onerror=&quot;y &amp; \u{FFFD}.jpg";
    assert_eq!(page.matches(escaped).count(), names);
    for fetch in ["http:", "https:", "@import", "<link", "url("] {
        assert!(!page.contains(fetch), "{fetch}");
    }
    for element in ["div", "figure", "figcaption", "table", "ul", "ol", "section", "svg", "dl"] {
        let opened = page.matches(&format!("<{element}>")).count() + page.matches(&format!("<{element} ")).count();
        assert_eq!(opened, page.matches(&format!("</{element}>")).count(), "{element}");
    }
}

#[test]
fn a_data_page_escapes_every_name() {
    let group = |more| Group { note: NASTY.into(), images: vec![image(), image()], more };
    let page = DataPage {
        name: NASTY.into(),
        summary: NASTY.into(),
        issues: vec![Issue { severity: Severity::Error, message: NASTY.into(), hint: NASTY.into() }],
        facts: vec![(NASTY.into(), NASTY.into())],
        bars: vec![Bars { title: NASTY.into(), bars: vec![(NASTY.into(), 1234), ("none".into(), 0)] }],
        sheet: vec![Section { title: NASTY.into(), of: 5, images: vec![image()] }],
        more_sections: 4,
        duplicates: vec![Duplicates {
            title: NASTY.into(),
            meaning: NASTY.into(),
            groups: vec![group(0), group(3)],
            more: 7,
        }],
        bad: vec![BadFile { name: NASTY.into(), reason: "empty".into(), detail: NASTY.into() }],
        more_bad: 9,
    }
    .render();
    // Title and heading, summary; issue twice; fact twice; bars twice; section and its image twice; duplicates twice, four images
    // three times, two notes; the bad file twice.
    assert_safe(&page, 3 + 2 + 2 + 2 + 3 + 2 + 12 + 2 + 2);
    assert!(
        page.contains("data:image/jpeg;base64,/9j/") && page.contains("width:100.0%") && page.contains("width:0.0%")
    );
    assert!(
        page.contains("; 3 more")
            && page.contains("7 more groups")
            && page.contains("9 more bad files")
            && page.contains("4 more classes")
    );
}

#[test]
fn a_page_of_views_escapes_every_name_and_draws_every_crop() {
    let view = |left| ShownView { image: image(), crop: [left, 2, 30, 40], steps: vec![("flip".into(), NASTY.into())] };
    let rows = vec![ViewsRow { source: image(), size: (100, 80), views: vec![view(1), view(50)] }];
    let page = ViewsPage { name: NASTY.into(), summary: "s".into(), facts: vec![], rows }.render();
    assert_safe(&page, 2 + 3 + 2 * 3);
    assert_eq!(page.matches("<rect class=\"crop").count(), 2);
    assert!(page.contains("viewBox=\"0 0 100 80\"") && page.contains("x=\"50\" y=\"2\" width=\"30\" height=\"40\""));
}

#[test]
fn a_page_of_embeddings_escapes_every_name_and_marks_other_classes() {
    let shown = |marked| ShownImage { image: image(), caption: NASTY.into(), marked };
    let page = AnalysisPage {
        name: NASTY.into(),
        summary: NASTY.into(),
        facts: vec![(NASTY.into(), NASTY.into())],
        findings: vec![(true, NASTY.into()), (false, NASTY.into())],
        columns: vec![NASTY.into()],
        rows: vec![vec![NASTY.into()]],
        curves: AnalysisCurves {
            charts: vec![MeasureChart {
                title: "Alignment",
                unit: "nats",
                from_zero: true,
                lines: vec![("alignment", vec![(10, 0.5), (20, f64::NAN), (30, 0.25)])],
            }],
            similarities: vec![SimilarityChart {
                title: NASTY.into(),
                positive: vec![0.0, 1.0],
                negative: vec![0.5, 0.5],
            }],
            matching: vec![CurveRecord {
                step: 30,
                ranks: vec![1, 2],
                real: vec![0.5, 0.25],
                ..CurveRecord::default()
            }],
            false_negatives: vec![RankCurve { step: 30, ranks: vec![1, 2], values: vec![0.5, 0.25] }],
            false_chance: Some(0.1),
        },
        maps: vec![PointMap {
            title: "t-SNE of the features",
            unit: NASTY.into(),
            caption: "groups",
            points: vec![Point { x: 0.0, y: 1.0, class: Some(0) }],
        }],
        map_classes: vec![NASTY.into()],
        neighbors: vec![NeighborRow {
            query: image(),
            class: NASTY.into(),
            views: vec![shown(false), shown(false)],
            neighbors: vec![shown(true), shown(false)],
            negatives: vec![shown(true), shown(true), shown(false)],
        }],
        labeled: true,
        bad: vec![BadFile { name: NASTY.into(), reason: "empty".into(), detail: NASTY.into() }],
        more_bad: 1,
        glossary: vec![(NASTY.into(), NASTY.into())],
    }
    .render();
    // Title, heading and summary; fact twice; two findings; column, also beside its cell, and cell; a chart's title twice; unit and class of the map; eight images twice,
    // with a caption each; the bad file twice; term and meaning.
    assert_safe(&page, 3 + 2 + 2 + 3 + 2 + 2 + 24 + 2 + 2);
    for (part, wanted) in [("<figure class=\"other\"", 1), ("<figure class=\"false\"", 2), ("mark warning", 1)] {
        assert_eq!(page.matches(part).count(), wanted, "{part}");
    }
    for wanted in ["alignment <tspan class=\"value\">0.25", "step 30", "all negatives"] {
        assert!(page.contains(wanted), "{wanted} is not in {page}");
    }
    assert!(page.contains("marks a neighbor of another class") && !page.contains("NaN"));

    // Without classes nothing is marked, and what is unknown has no heading.
    let unlabeled = AnalysisPage {
        neighbors: vec![NeighborRow {
            query: image(),
            class: String::new(),
            views: vec![],
            neighbors: vec![shown(false)],
            negatives: vec![],
        }],
        ..AnalysisPage::default()
    };
    let page = unlabeled.render();
    assert!(
        page.contains(">nearest neighbors<") && !page.contains(">hardest negatives<") && !page.contains("border marks")
    );
}

#[test]
fn an_empty_page_is_a_page() {
    let page = AnalysisPage::default().render();
    assert!(page.ends_with("</html>\n") && !page.contains("<h2>"), "{page}");
    let page = DataPage::default().render();
    assert!(page.contains("No issues found") && !page.contains("Contact sheet") && page.ends_with("</html>\n"));
}
