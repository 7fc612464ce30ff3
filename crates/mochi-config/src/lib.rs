//! Settings of a run: what the user may write, what it comes to, and where every value came from.
//!
//! Three steps, one direction:
//!
//! 1. **Layers** ([`Settings::load`]): a preset (with the presets that it extends), a TOML file, `KEY=VALUE` words of
//!    the command line. Each value is checked against the one table of keys ([`keys`]), and *all* faults of all layers
//!    are reported together ([`ConfigError`]).
//! 2. **Resolving** ([`Settings::resolve`]): values that say `"auto"` are worked out from the data set and the machine
//!    ([`Facts`]) by the rules in [`mod@resolve`]; doubtful combinations become [`Warning`]s.
//! 3. **Writing** ([`Resolved::to_toml`]): every key with its plain value and, beside it, where it came from. The file
//!    reads back ([`Resolved::read`]) to the very same values.
//!
//! The rest of the workspace takes [`Resolved`] and never asks again what a default might be.

#![forbid(unsafe_code)]

mod auto;
pub mod calls;
mod choice;
mod error;
pub mod keys;
mod layers;
mod nearest;
mod origin;
pub mod presets;
mod reference;
pub mod resolve;
mod resolved;
mod sections;
mod settings;
mod warning;

pub use auto::Auto;
pub use calls::Call;
pub use choice::{
    Alpha, Arch, Augment, Beta, Device, EncoderKind, Head, ImageMix, Layout, NegativesFrom, OptimizerName, Per,
    Positive, Precision, Schedule, Stem, UnknownChoice,
};
pub use error::{ConfigError, Problem};
pub use origin::{Described, Origin};
pub use reference::reference;
pub use resolve::Facts;
pub use resolved::Resolved;
pub use sections::{
    Checkpoint, CheckpointSettings, Compute, ComputeSettings, Data, DataSettings, Log, LogSettings, Mix, MixSettings,
    Moco, MocoSettings, Model, ModelSettings, Negatives, NegativesSettings, Optimizer, OptimizerSettings,
};
pub use settings::Settings;
pub use warning::Warning;
