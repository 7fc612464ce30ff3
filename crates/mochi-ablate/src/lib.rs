//! Ablation studies: many training runs that differ in a few settings, and one table of their results.
//!
//! ```text
//! plan.toml --parse--> Plan --expand--> cells (one per variant and seed)
//!                                         | lease (one worker per cell), train, evaluate      (the command line does it)
//!                                         v
//!                       run folders with eval/*.json --read--> Table --> text, Markdown, CSV, LaTeX
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`plan`] | the plan file |
//! | [`cell`] | variants and cells of a plan, and the identity of a cell |
//! | [`folder`] | the study's folder: run folders, failures; the state of each cell |
//! | `results` | what a cell's run folder says: how far its training is, and which results count |
//! | `record` | `cell.json` |
//! | [`lease`] | one worker per cell, also across machines; a dead worker's lease expires |
//! | [`forecast`] | how long the cells that remain will take |
//! | [`prune`] | the rule of `--prune` |
//! | [`statistics`] | mean, standard deviation, paired interval, correction for several comparisons |
//! | [`mod@table`], [`format`](mod@format) | the table of results and its formats |
//!
//! The run folders are the truth: every state is derived from what lies in them. Knows no tensors and starts no process.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make files of every sort"))]

mod axis;
pub mod cell;
mod detector;
mod error;
pub mod folder;
pub mod forecast;
pub mod format;
pub mod lease;
mod name;
pub mod plan;
pub mod prune;
mod record;
mod results;
pub mod statistics;
pub mod table;

pub use cell::{Cell, Cells, Variant};
pub use error::AblateError;
pub use folder::{Failed, Finished, State, StudyFolder};
pub use forecast::Forecast;
pub use format::Format;
pub use lease::{Lease, Leases};
pub use plan::{Design, DetectionPlan, Plan};
pub use results::{Training, Whole};
pub use table::Table;
