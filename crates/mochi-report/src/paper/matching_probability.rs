//! Figure 2: mean matching probability of the negatives by rank, one line for each of a few epochs.

use super::evidence::RunData;
use super::figure::{Data, Drawn, PaperFigure};
use super::missing::Missing;
use crate::matching;

pub(crate) static FIGURE: PaperFigure = PaperFigure {
    name: "matching-probability",
    source: "figure 2",
    doc: "Mean matching probability of the 1,024 hardest negatives by rank, at a few epochs; a second figure has the synthetic negatives too.",
    data: Data::Run(draw),
};

fn draw(run: &RunData) -> Drawn {
    let figures = matching::charts(&run.curves);
    if figures.is_empty() {
        let needs =
            "matching probabilities, which pre-training with a queue records every log.diagnostics_every_steps steps";
        return Err(Missing::new(needs, "mochi pretrain DATA --preset small-mochi --out RUN"));
    }
    Ok(figures)
}
