//! What a run leaves on the disk. Knows no tensors: weights pass through as files.
//!
//! | module | owns |
//! |---|---|
//! | [`folder`] | the run folder: creating, opening, the lock against two processes in one run |
//! | [`checkpoint`] | the checkpoint protocol: written under a temporary name, checksums last, synced, renamed |
//! | [`metric`] | the table of metrics and the values of a step |
//! | [`measure`] | the table of the measures of embeddings, `analysis.json` |
//! | [`mod@metrics`] | `metrics.jsonl`, one [`Record`] per line; `curves.jsonl`, one [`CurveRecord`] per line |
//! | [`tensorboard`] | the same numbers as TensorBoard event files |
//! | [`Protocol`] | the evaluation protocols whose results a run holds |
//! | [`Session`] | `sessions.jsonl`: command, version and machine of each process that trained the run |
//! | [`mod@suggestion`] | what the evaluations during a run suggest |
//! | [`bad_images`] | `bad-images.jsonl`, what could not be read |
//!
//! ```
//! use std::io::Write;
//! use mochi_run::RunFolder;
//! # let base = tempfile::tempdir()?;
//! # let path = base.path().join("photos");
//! let run = RunFolder::create(&path)?;
//! run.write_config("seed = 0\n")?;
//! let pending = run.checkpoints().begin(100)?;
//! pending.create("model.safetensors")?.write_all(b"weights")?;
//! let saved = pending.commit()?;
//! assert_eq!(run.checkpoints().latest()?, Some(saved));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make files of every sort"))]

pub mod bad_images;
pub mod checkpoint;
mod curve;
mod error;
pub mod folder;
pub mod limits;
mod lines;
pub mod measure;
pub mod metric;
pub mod metrics;
mod protocol;
mod record;
mod results;
mod sessions;
pub mod suggestion;
pub mod tensorboard;

pub use bad_images::BadImageLog;
pub use checkpoint::{Checkpoint, Checkpoints, Chosen, Damaged, Pending};
pub use curve::CurveRecord;
pub use error::RunError;
pub use folder::{RunFolder, default_path};
pub use metric::{Metric, Metrics};
pub use metrics::{CurvesLog, Line, Log, MetricsLog, NoCurve};
pub use protocol::{Method, Protocol};
pub use record::Record;
pub use results::{StoredResult, step_in_name};
pub use sessions::Session;
pub use suggestion::suggestion;
pub use tensorboard::EventWriter;
