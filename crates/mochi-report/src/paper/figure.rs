//! One figure of the paper: its name, its place in the paper, and how it is drawn.

use mochi_ablate::{Plan, Table};
use mochi_figures::Figure;

use super::evidence::RunData;
use super::missing::Missing;

/// A figure of the paper.
#[derive(Debug)]
pub struct PaperFigure {
    /// Name of its file without extension.
    pub name: &'static str,
    /// Where the paper has it.
    pub source: &'static str,
    /// What it shows, in one line.
    pub doc: &'static str,
    /// What it is drawn from.
    pub(crate) data: Data,
}

/// What a figure is drawn from, and how.
#[derive(Debug)]
pub(crate) enum Data {
    /// One run.
    Run(fn(&RunData) -> Drawn),
    /// One or several runs.
    Runs(fn(&[RunData]) -> Drawn),
    /// An ablation study.
    Study(fn(&Plan, &Table) -> Drawn),
}

/// One figure or several, or what is missing.
pub(crate) type Drawn = Result<Vec<Figure>, Missing>;
