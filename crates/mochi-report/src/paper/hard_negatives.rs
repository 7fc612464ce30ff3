//! Figure 3: accuracy over N, the number of hard negatives, and s, the number of pair mixes.

use mochi_ablate::{Plan, Table};

use super::figure::{Data, Drawn, PaperFigure};
use super::grid;

pub(crate) static FIGURE: PaperFigure = PaperFigure {
    name: "hard-negatives",
    source: "figure 3",
    doc: "Accuracy over N (`negatives.hardest`) and s (`negatives.pairs`), a heat map for each protocol.",
    data: Data::Study(draw),
};

fn draw(plan: &Plan, table: &Table) -> Drawn {
    grid::draw(plan, table, ("negatives.hardest", "N"), ("negatives.pairs", "s"))
}
