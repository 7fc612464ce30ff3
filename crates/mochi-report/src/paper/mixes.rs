//! Figure 3: accuracy over s, the number of pair mixes, and s', the number of query mixes.

use mochi_ablate::{Plan, Table};

use super::figure::{Data, Drawn, PaperFigure};
use super::grid;

pub(crate) static FIGURE: PaperFigure = PaperFigure {
    name: "mixes",
    source: "figure 3",
    doc: "Accuracy over s (`negatives.pairs`) and s' (`negatives.query_mixes`), a heat map for each protocol.",
    data: Data::Study(draw),
};

fn draw(plan: &Plan, table: &Table) -> Drawn {
    grid::draw(plan, table, ("negatives.pairs", "s"), ("negatives.query_mixes", "s′"))
}
