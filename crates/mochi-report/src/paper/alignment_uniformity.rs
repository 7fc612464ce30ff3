//! Figure 3: alignment against uniformity. As in the paper both axes are negated, so that better is to the right and up; a line joins the checkpoints of a
//! run, and its name is at the last.

use super::evidence::{Checkpoint, RunData};
use super::figure::{Data, Drawn, PaperFigure};
use crate::name::shortened;
use mochi_figures::{Axis, Plot, STYLES, Scale, bounds, spread};

pub(crate) static FIGURE: PaperFigure = PaperFigure {
    name: "alignment-uniformity",
    source: "figure 3",
    doc: "Alignment against uniformity of the checkpoints of runs, both negated: better is to the right and up. The name of a run is beside its last checkpoint.",
    data: Data::Runs(draw),
};

/// The checkpoints of a run.
struct Line<'a> {
    run: &'a RunData,
    style: &'static str,
    points: Vec<(f64, f64)>,
}

fn draw(runs: &[RunData]) -> Drawn {
    let missing = || RunData::no_analysis(runs, "alignment and uniformity", "DATA");
    let point = |one: &Checkpoint| Some((-one.get("uniformity")?, -one.get("alignment")?));
    let lines: Vec<Line> = runs
        .iter()
        .zip(STYLES)
        .map(|(run, style)| Line { run, style, points: run.checkpoints.iter().filter_map(point).collect() })
        .filter(|line| !line.points.is_empty())
        .collect();
    let all = || lines.iter().flat_map(|line| line.points.iter());
    let (left, right) = bounds(all().map(|point| point.0)).ok_or_else(missing)?;
    let (low, high) = bounds(all().map(|point| point.1)).ok_or_else(missing)?;
    let scale = |low, high| Scale::linear(&Axis::rounded(low, high, 4));
    let mut plot = Plot::new(
        "Alignment and uniformity",
        "\u{2212}alignment; better is up and right",
        "\u{2212}uniformity",
        scale(left, right),
        scale(low, high),
    );
    let mut names = Vec::new();
    for Line { run, style, points } in &lines {
        if points.len() > 1 {
            plot.line(style, points.iter().copied());
        }
        for &point in points {
            plot.dot(style, point);
        }
        if let Some(&last) = points.last() {
            plot.end(style, last);
            names.push((plot.y(last.1), (*style, &run.name)));
        }
    }
    spread(&mut names);
    for (at, (style, name)) in names {
        plot.name(style, at, &shortened(name), "");
    }
    Ok(vec![plot.finish()])
}
