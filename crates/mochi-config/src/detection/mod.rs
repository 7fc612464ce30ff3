//! Settings of object detection and instance segmentation (`mochi detect train`), with the steps of pre-training's: [`Settings::load`],
//! [`Settings::resolve`], [`Resolved::to_toml`], [`Resolved::read`].
//!
//! Values of the published protocols are those of detectron2 with the configuration of MoCo (`facebookresearch/moco`, `detection/configs`).
//!
//! ```
//! use mochi_config::detection::{Facts, Settings};
//!
//! let settings = Settings::load(Some("voc-r50-c4-24k"), None, &["data.batch=8".to_owned()])?;
//! let (resolved, warnings) = settings.resolve(&Facts { images: 16_551, classes: 20, cores: 16, ..Facts::default() })?;
//! assert_eq!((resolved.iterations, resolved.optimizer.learning_rate), (24_000, 0.01));
//! assert_eq!(warnings[0].hint().as_deref(), Some("set iterations=48000 and optimizer.milestones=[36000, 44000]"));
//! assert!(resolved.to_toml().contains("batch = 8  # command line"));
//! # Ok::<(), mochi_config::ConfigError>(())
//! ```

mod checks;
mod choice;
mod facts;
mod heads;
mod resolve;
mod resolved;
pub mod rules;
pub(crate) mod schema;
mod sections;
mod settings;

pub use choice::{Architecture, DataFormat, Freeze, Norm};
pub use facts::Facts;
pub use heads::{Detections, Proposals, Regions};
pub use resolved::Resolved;
pub use schema::DETECTION;
pub use sections::{Data, DataSettings, Evaluation, Log, Model, ModelSettings, Optimizer, OptimizerSettings};
pub use settings::Settings;
