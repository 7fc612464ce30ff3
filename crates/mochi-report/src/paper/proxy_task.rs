//! Figure 2: accuracy on the proxy task over training, among the real negatives and with the synthetic ones.

use mochi_figures::{Chart, STYLES, Series};
use mochi_run::metric::contrastive::{ACCURACY_REAL, ACCURACY_WITH_SYNTHETIC};

use super::evidence::RunData;
use super::figure::{Data, Drawn, PaperFigure};
use super::missing::Missing;
use crate::curves::points;
use crate::name::shortened;

pub(crate) static FIGURE: PaperFigure = PaperFigure {
    name: "proxy-task",
    source: "figure 2",
    doc: "Proxy accuracy over training, a line for each run: the fraction of queries whose key is nearer than every real negative; dotted, than every synthetic one as well.",
    data: Data::Runs(draw),
};

fn draw(runs: &[RunData]) -> Drawn {
    let mut series = Vec::new();
    for (run, style) in runs.iter().zip(STYLES) {
        let name = if runs.len() > 1 { shortened(&run.name) } else { "real".to_owned() };
        let with = if runs.len() > 1 { String::new() } else { "with synthetic".to_owned() };
        series.push(Series { name, style: style.to_owned(), points: points(&run.records, &ACCURACY_REAL) });
        let points = points(&run.records, &ACCURACY_WITH_SYNTHETIC);
        series.push(Series { name: with, style: format!("{style} also"), points });
    }
    let unit = "%; dotted: with synthetic negatives";
    let chart = Chart { title: "Proxy task", unit, series, values: runs.len() == 1, reach: &[0.0] };
    let none = || Missing::new("records of pre-training", "mochi pretrain DATA --out RUN");
    Ok(vec![chart.render().ok_or_else(none)?])
}
