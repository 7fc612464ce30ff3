//! The analysis with a class oracle: the proxy task of checkpoints with all negatives, and without those of the query's class.

use super::evidence::{Checkpoint, RunData};
use super::figure::{Data, Drawn, PaperFigure};
use crate::name::shortened;
use mochi_figures::{Chart, STYLES, Series};

pub(crate) static FIGURE: PaperFigure = PaperFigure {
    name: "class-oracle",
    source: "class oracle",
    doc: "Proxy accuracy of a run's checkpoints without the negatives of the query's class, a line for each run; dotted: with all negatives.",
    data: Data::Runs(draw),
};

fn draw(runs: &[RunData]) -> Drawn {
    let mut series = Vec::new();
    for (run, style) in runs.iter().zip(STYLES) {
        let line = |key: &str| -> Vec<(f64, Option<f64>)> {
            let point = |one: &Checkpoint| Some((one.step()?, Some(100.0 * one.get(key)?)));
            run.checkpoints.iter().filter_map(point).collect()
        };
        let name = if runs.len() > 1 { shortened(&run.name) } else { "class oracle".to_owned() };
        let all = if runs.len() > 1 { String::new() } else { "all negatives".to_owned() };
        let oracle = line("proxy_accuracy_oracle");
        if oracle.is_empty() {
            continue;
        }
        series.push(Series { name, style: style.to_owned(), points: oracle });
        series.push(Series { name: all, style: format!("{style} also"), points: line("proxy_accuracy") });
    }
    let unit = "%, proxy accuracy; dotted: all negatives";
    let chart = Chart { title: "Class oracle", unit, series, values: runs.len() == 1, reach: &[] };
    let none = || RunData::no_analysis(runs, "classes", "LABELED_DATA");
    Ok(vec![chart.render().ok_or_else(none)?])
}
