//! A row: what is checked, the commands that check it, and how it ended.

use std::time::Duration;

/// Who runs a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    NvidiaSmi,
    Mochi,
    Cargo,
    /// The interpreter that has PyTorch.
    Python,
}

impl Program {
    /// Its name in a command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Program::NvidiaSmi => "nvidia-smi",
            Program::Mochi => "mochi",
            Program::Cargo => "cargo",
            Program::Python => "python",
        }
    }
}

/// One command, run in the repository's root.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) program: Program,
    pub(super) words: Vec<String>,
}

impl Task {
    /// A command of words that are separated by spaces.
    pub(super) fn new(program: Program, line: &str) -> Task {
        Task { program, words: line.split_whitespace().map(str::to_owned).collect() }
    }

    /// The command line.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.program.name(), self.words.join(" "))
    }
}

/// Reads the outputs of a row's commands: the figure, or what is wrong.
pub(super) type Assess = Box<dyn Fn(&[String]) -> Result<String, String>>;

/// One row before it is run.
pub(super) struct Row {
    pub(super) what: String,
    pub(super) tasks: Vec<Task>,
    pub(super) assess: Assess,
    /// Whether the output is assessed after an exit status other than 0 as well: the doctor's is 1 for a full disk too, which is no matter of the GPU.
    pub(super) assessed_anyway: bool,
    /// Why the row cannot be checked on this machine.
    pub(super) not_here: Option<String>,
    /// Precision and program of a step that was timed, for the comparison.
    pub(super) timed: Option<(&'static str, &'static str)>,
}

impl Row {
    pub(super) fn new(
        what: &str,
        tasks: Vec<Task>,
        assess: impl Fn(&[String]) -> Result<String, String> + 'static,
    ) -> Row {
        Row {
            what: what.to_owned(),
            tasks,
            assess: Box::new(assess),
            assessed_anyway: false,
            not_here: None,
            timed: None,
        }
    }

    /// The row, whose output tells more than the exit status.
    pub(super) fn assessed_anyway(mut self) -> Row {
        self.assessed_anyway = true;
        self
    }

    /// The row, or the reason why it is left out where `possible` is false.
    pub(super) fn only_if(mut self, possible: bool, reason: &str) -> Row {
        if !possible {
            self.not_here.get_or_insert_with(|| reason.to_owned());
        }
        self
    }
}

/// How a row ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ended {
    /// With its figure.
    Passed(String),
    /// With what is wrong.
    Failed(String),
    /// With the reason.
    Skipped(String),
}

/// A row that was run.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) what: String,
    pub(super) lines: Vec<String>,
    pub(super) ended: Ended,
    pub(super) took: Duration,
    pub(super) timed: Option<(&'static str, &'static str)>,
    /// What the last command printed to stdout.
    pub(super) output: String,
}
