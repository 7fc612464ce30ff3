//! Figure 2: fraction of false negatives among the hard negatives over training.

use mochi_figures::{Chart, STYLES, Series};
use mochi_run::metric::contrastive::{FALSE_NEGATIVES_IN_HARDEST, FALSE_NEGATIVES_IN_QUEUE};

use super::evidence::RunData;
use super::figure::{Data, Drawn, PaperFigure};
use super::missing::Missing;
use crate::curves::points;
use crate::name::shortened;

pub(crate) static FIGURE: PaperFigure = PaperFigure {
    name: "false-negatives",
    source: "figure 2",
    doc: "Fraction of the query's class among its N hard negatives over training, a line for each run; dotted: among all keys of the queue.",
    data: Data::Runs(draw),
};

fn draw(runs: &[RunData]) -> Drawn {
    let mut series = Vec::new();
    for (run, style) in runs.iter().zip(STYLES) {
        let name = if runs.len() > 1 { shortened(&run.name) } else { "hard negatives".to_owned() };
        let all = if runs.len() > 1 { String::new() } else { "queue".to_owned() };
        let hardest = points(&run.records, &FALSE_NEGATIVES_IN_HARDEST);
        series.push(Series { name, style: style.to_owned(), points: hardest });
        let queue = points(&run.records, &FALSE_NEGATIVES_IN_QUEUE);
        series.push(Series { name: all, style: format!("{style} also"), points: queue });
    }
    let unit = "% of the query's class; dotted: in the queue";
    let chart = Chart { title: "False negatives", unit, series, values: runs.len() == 1, reach: &[0.0] };
    let none = || {
        Missing::new(
            "pre-training with a queue on images with classes",
            "mochi pretrain DATA --preset small-mochi --out RUN",
        )
    };
    Ok(vec![chart.render().ok_or_else(none)?])
}
