//! One file per section of the settings. Each key is declared once, with its documentation, type and accepted values; [`crate::section`] generates
//! from it the section as written (`"auto"` allowed), the section as resolved (plain values) and its rows of the table of keys.

mod checkpoint;
mod compute;
mod data;
mod evaluation;
mod log;
mod mix;
mod moco;
mod model;
mod negatives;
mod optimizer;

pub use checkpoint::{Checkpoint, CheckpointSettings};
pub use compute::{Compute, ComputeSettings};
pub use data::{Data, DataSettings};
pub use evaluation::{Evaluation, EvaluationSettings};
pub use log::{Log, LogSettings};
pub use mix::{Mix, MixSettings};
pub use moco::{Moco, MocoSettings};
pub use model::{Model, ModelSettings, NO_WEIGHTS};
pub use negatives::{Negatives, NegativesSettings};
pub use optimizer::{Optimizer, OptimizerSettings};
