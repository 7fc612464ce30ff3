//! Evaluation of frozen features with weighted k-NN and linear probes.
//!
//! ```text
//! Dataset -> Features (N, F) of an encoder or of raw pixels          [extract]
//!   k-NN, cosine, weighted vote                 "knn/2"              [knn]
//!   the same on embeddings                      "knn-embedding/1"    [knn]
//!   linear classifier on cached features        "linear-cached/1"    [linear_cached]
//!   nearest class mean of a few images          "few-shot/1"         [few_shot]
//! Dataset -> views -> encoder -> classifier     "linear-augmented/1" [linear_augmented]
//! Dataset -> views -> whole network           "fine-tune/1"        [fine_tune]
//! Dataset -> encoder during training -> accuracies and label-free measures            [Monitor]
//! Dataset -> encoders of a run's checkpoints -> how the embeddings look                [analysis]
//! ```
//!
//! Each protocol has a name and a version, which are part of its result. The encoder is in evaluation mode and is checked bitwise
//! unchanged, except in fine-tuning, which restores it. Classes are those of the training split; the test split's are matched by name. Nothing is selected on the test split, and
//! all random draws follow from the seed. What names, labels and files tell is checked before features are computed
//! ([`check_splits`]). In several processes each rank computes the features of its part of the images ([`extract_together`]), and the protocols on features
//! are dealt to the ranks (`dealt`): the same features give the bits of one process with as many compute threads. Progress is reported through a callback. The crate knows no run folder, no training loop and no terminal.
//!
//! # Example
//!
//! ```
//! use mochi_eval::{FeatureSource, Features, KnnOptions, knn};
//!
//! # fn main() -> Result<(), mochi_eval::EvalError> {
//! let features = |rows: &[f32]| -> Result<Features, mochi_eval::EvalError> {
//!     Ok(Features {
//!         values: mochi_tensor::from_f32(rows, &[2, 2])?,
//!         labels: vec![0, 1],
//!         images: vec![0, 1],
//!         class_names: vec!["cat".into(), "dog".into()],
//!         bad_images: vec![],
//!         source: FeatureSource::Backbone,
//!     })
//! };
//! let (train, test) = (features(&[1.0, 0.0, 0.0, 1.0])?, features(&[0.9, 0.2, 0.1, 0.8])?);
//! let options = KnnOptions { k: Some(1), ..KnnOptions::default() };
//! let result = knn(&train, &test, &options, None, &mut |_| ())?;
//! assert_eq!((result.top1, result.protocol.as_str()), (100.0, "knn/2"));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod analysis;
mod augmented;
mod bad_images;
mod classes;
mod dealt;
mod draws;
mod error;
mod features;
mod few_shot;
mod fine_tune;
mod fit;
mod frozen;
mod interval;
mod knn;
mod linear;
mod monitor;
mod near_miss;
mod nearest;
mod preflight;
mod probe;
mod progress;
mod ranks;
mod standardize;
mod subset;
mod top_k;

pub use augmented::{AugmentedRecipe, LINEAR_AUGMENTED_PROTOCOL, linear_augmented};
pub use bad_images::BadImages;
pub use error::EvalError;
pub use features::{Extractor, FeatureSource, Features, ViewOptions, extract, match_classes};
pub use few_shot::{FEW_SHOT_PROTOCOL, FewShotOptions, FewShotResult, few_shot};
pub use fine_tune::{Event, FINE_TUNE_PROTOCOL, FineTuneOptions, Interruption, Known, PartialTraining, fine_tune};
pub use frozen::FrozenEncoder;
pub use interval::bootstrap_interval;
pub use knn::{KNN_EMBEDDING_PROTOCOL, KNN_PROTOCOL, KnnOptions, KnnResult, automatic_k, knn};
pub use linear::{LINEAR_CACHED_PROTOCOL, LinearOptions, LinearResult, SweepPoint, check_labels, linear_cached};
pub use monitor::{LABEL_FREE, Monitor, MonitorOptions, NEIGHBORS, Observation};
pub use near_miss::{Difference, NearMiss};
pub use preflight::{Overlap, check_splits};
pub use progress::{Progress, Stage};
pub use ranks::extract_together;
pub use subset::check_label_fraction;
