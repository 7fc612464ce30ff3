//! What a run leaves on disk and says while it goes on. Knows no tensors: weights pass through as files.
//!
//! | module | owns |
//! |---|---|
//! | [`folder`] | the run folder: creating, opening, the lock against two processes in one run |
//! | [`checkpoint`] | how a checkpoint becomes whole or is not there: temporary name, sync, rename |
//! | [`metrics`] | `metrics.jsonl`, one [`StepRecord`] a line; `curves.jsonl`, one [`CurveRecord`] a line |
//! | [`tensorboard`] | the same numbers as TensorBoard event files |
//! | [`bad_images`] | `bad-images.jsonl`, what could not be read |
//! | [`stop`] | the first signal asks, the second leaves |
//! | [`progress`] | what a person sees meanwhile |

#![forbid(unsafe_code)]

pub mod bad_images;
pub mod checkpoint;
mod curve;
mod error;
pub mod folder;
pub mod metrics;
pub mod progress;
mod record;
pub mod stop;
pub mod tensorboard;

pub use bad_images::BadImageLog;
pub use checkpoint::{Checkpoint, Checkpoints, Pending};
pub use curve::CurveRecord;
pub use error::RunError;
pub use folder::{RunFolder, default_path};
pub use metrics::{CurvesLog, MetricsLog};
pub use progress::{Progress, Snapshot, Target, Task};
pub use record::StepRecord;
pub use stop::StopFlag;
pub use tensorboard::EventWriter;
