//! The figures of the paper (MoCHi, NeurIPS 2020), drawn from runs and studies: one file each, registered in [`PAPER_FIGURES`]. Numbers of figures are the
//! paper's.

mod alignment_uniformity;
mod class_oracle;
mod evidence;
mod false_negatives;
mod figure;
mod grid;
mod hard_negatives;
mod matching_probability;
mod missing;
mod mixes;
mod proxy_task;

use mochi_ablate::{Plan, Table};
use mochi_config::Task;
use mochi_figures::Figure;

pub(crate) use evidence::RunData;
pub use figure::PaperFigure;

use figure::{Data, Drawn};
use missing::Missing;

/// The figures, in the order of the paper.
pub static PAPER_FIGURES: [&PaperFigure; 7] = [
    &matching_probability::FIGURE,
    &proxy_task::FIGURE,
    &false_negatives::FIGURE,
    &class_oracle::FIGURE,
    &hard_negatives::FIGURE,
    &mixes::FIGURE,
    &alignment_uniformity::FIGURE,
];

/// A figure that was not drawn, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDrawn {
    /// Its name.
    pub name: &'static str,
    /// What it needs.
    pub needs: String,
    /// The command that makes what it needs.
    pub command: String,
}

/// Figures with the names of their files, and those that are not drawn.
pub(crate) type Preset = (Vec<(String, Figure)>, Vec<NotDrawn>);

/// The figures of the paper that runs have the data of; none of runs that train a detector.
pub(crate) fn of_runs(runs: &[RunData]) -> Preset {
    let mut preset = Preset::default();
    if runs.iter().any(|run| run.settings.task == Task::Detection) {
        return preset;
    }
    for figure in PAPER_FIGURES {
        match figure.data {
            Data::Run(draw) => {
                for (at, run) in runs.iter().enumerate() {
                    let number = (runs.len() > 1).then_some(at + 1);
                    push(&mut preset, figure, number, draw(run));
                }
            }
            Data::Runs(draw) => push(&mut preset, figure, None, draw(runs)),
            Data::Study(_) => {}
        }
    }
    preset
}

/// The figures of the paper that a study has the data of.
pub(crate) fn of_study(plan: &Plan, table: &Table) -> Preset {
    let mut preset = Preset::default();
    for figure in PAPER_FIGURES {
        if let Data::Study(draw) = figure.data {
            push(&mut preset, figure, None, draw(plan, table));
        }
    }
    preset
}

/// `run`: number of the run, if there are several. Several figures of one name are numbered.
fn push((figures, missing): &mut Preset, figure: &PaperFigure, run: Option<usize>, drawn: Drawn) {
    match drawn {
        Ok(drawn) => {
            let several = drawn.len() > 1;
            for (at, one) in drawn.into_iter().enumerate() {
                let run = run.map(|run| format!("-run-{run}")).unwrap_or_default();
                let number = if several { format!("-{}", at + 1) } else { String::new() };
                figures.push((format!("paper-{}{run}{number}", figure.name), one));
            }
        }
        Err(Missing { needs, command }) => missing.push(NotDrawn { name: figure.name, needs, command }),
    }
}

/// Every figure as a row of a Markdown table; `cargo run -p mochi-report --example paper-figures` prints it.
pub fn paper_figures_table() -> String {
    let row = |figure: &&PaperFigure| {
        let data = match figure.data {
            Data::Run(_) => "a run",
            Data::Runs(_) => "runs",
            Data::Study(_) => "a study",
        };
        format!("| `paper-{}` | {} | {data} | {} |\n", figure.name, figure.source, figure.doc)
    };
    let rows: String = PAPER_FIGURES.iter().map(row).collect();
    format!("| file | in the paper | of | what it shows |\n|---|---|---|---|\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_holds_the_table() {
        let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/figures.md");
        let text = std::fs::read_to_string(guide).unwrap();
        let out_of_date = "docs/guides/figures.md is out of date: paste the output of `cargo run -p mochi-report --example paper-figures`";
        assert!(text.contains(&paper_figures_table()), "{out_of_date}");
    }
}
