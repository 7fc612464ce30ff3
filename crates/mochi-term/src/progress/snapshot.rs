//! The state of training at a step.

/// The state of training at a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Whether training is counted in iterations alone; then there is no epoch, and a step is an iteration.
    pub iterations: bool,
    /// Epoch, from 0.
    pub epoch: u64,
    /// All epochs.
    pub epochs: u64,
    /// Steps done.
    pub step: u64,
    /// All steps.
    pub steps: u64,
    /// Images per second.
    pub images_per_s: f64,
    /// Seconds left, where they can be estimated.
    pub eta_s: Option<f64>,
    /// What was measured, a row for each line of the block.
    pub rows: Vec<Row>,
}

/// A named line of the progress block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub cells: Vec<Cell>,
}

/// One value of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// Name within the row; empty where the row's name is enough.
    pub label: &'static str,
    /// The value as text.
    pub value: String,
    /// Whether it is highlighted as unusual.
    pub warn: bool,
}

impl Cell {
    /// Name and value.
    pub(super) fn named(&self) -> String {
        if self.label.is_empty() { self.value.clone() } else { format!("{} {}", self.label, self.value) }
    }
}

/// Images per second with as many digits as mean something.
pub(super) fn rate(images_per_s: f64) -> String {
    if images_per_s < 10.0 { format!("{images_per_s:.1}") } else { format!("{images_per_s:.0}") }
}

/// A fraction in percent. Values between 0 and 10 % keep a digit.
pub(super) fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    if percent > 0.0 && percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}
