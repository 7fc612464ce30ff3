//! Settings of a run: presets, validation, and automatic values that record how they were chosen.
//!
//! 1. **Layers** ([`Settings::load`]): a preset (with the presets that it extends), then a TOML file, then `KEY=VALUE` arguments of the command
//!    line. Later layers override earlier ones. Each value is validated against the table of keys ([`Schema`]), and the problems of all layers
//!    are reported together ([`ConfigError`]).
//! 2. **Resolving** ([`Settings::resolve`]): `"auto"` values are computed from the dataset and the machine ([`Facts`]) by the rules in
//!    [`resolve::rules`]. Unsupported combinations are errors, questionable ones are [`Warning`]s.
//! 3. **Writing** ([`Resolved::to_toml`]): every key with its value and the origin of the value. [`Resolved::read`] reads the same values back.
//!
//! The other crates take [`Resolved`] and know no defaults.
//!
//! [`Settings`] and [`Resolved`] are those of pre-training. [`detection`] has those of detection, which take the same steps with keys and presets of
//! their own; [`Task::read`] tells which of the two a run's `config.toml` holds.
//!
//! ```
//! use mochi_config::{DeviceFacts, Facts, Settings};
//!
//! let arguments = ["moco.queue=4096".to_owned(), "compute.precision=float32".to_owned()];
//! let settings = Settings::load(Some("small"), None, &arguments)?;
//! let gpu = DeviceFacts { memory_bytes: 24 << 30, fast_bf16: true };
//! let facts = Facts { images: 50_000, labels: false, cores: 16, gpus: vec![gpu], ..Facts::default() };
//! let (resolved, warnings) = settings.resolve(&facts)?;
//! assert_eq!((resolved.moco.batch, resolved.moco.queue), (64, 4096));
//! assert!(resolved.to_toml().contains("queue = 4096  # command line"));
//! assert!(warnings.is_empty());
//!
//! let error = Settings::load(Some("small"), None, &["moco.batsh=64".to_owned()]).unwrap_err();
//! assert_eq!(error.to_string(), "unknown key `moco.batsh` (command line)");
//! assert_eq!(error.hint().as_deref(), Some("did you mean `moco.batch`?"));
//! # Ok::<(), mochi_config::ConfigError>(())
//! ```

#![forbid(unsafe_code)]

mod auto;
mod choice;
mod complete_preset;
pub mod detection;
mod device;
mod document;
mod error;
mod facts;
mod kind;
mod layers;
mod nearest;
mod origin;
pub mod plan;
mod presets;
mod pretraining;
mod reader;
mod reference;
pub mod resolve;
mod resolved;
mod schema;
mod section;
mod sections;
mod selection;
mod settings;
mod tasks;
mod time;
mod warning;

pub use auto::Auto;
pub use choice::{
    Arch, Augment, EncoderKind, FirstFilters, Head, ImageMix, Layout, NegativesFrom, OptimizerName, Per, Positive,
    Precision, Schedule, Stem, Task,
};
pub use device::{Device, UnknownDevice};
pub use error::{ConfigError, Problem};
pub use facts::{DeviceFacts, Facts, Speed, StartNetwork};
pub use kind::{Key, Kind};
pub use origin::{Described, Origin};
pub use presets::Preset;
pub use pretraining::PRETRAINING;
pub use reference::reference;
pub use resolved::{Resolved, epochs_to_steps};
pub use schema::Schema;
pub use sections::{
    Checkpoint, CheckpointSettings, Compute, ComputeSettings, Data, DataSettings, Evaluation, EvaluationSettings, Log,
    LogSettings, Mix, MixSettings, Moco, MocoSettings, Model, ModelSettings, NO_WEIGHTS, Negatives, NegativesSettings,
    Optimizer, OptimizerSettings,
};
pub use selection::{Choices, Selection};
pub use settings::Settings;
pub use time::{TimeBudget, UnknownTime};
pub use warning::Warning;
