//! Judging: how good are frozen features? Weighted k-NN and linear probes, each a named and versioned protocol.
//!
//! ```text
//! Dataset -> Features (N, F) of an encoder or of raw pixels          [extract]
//!   k-NN, cosine, weighted vote                 "knn/1"              [knn]
//!   linear classifier on cached features        "linear-cached/1"    [linear_cached]
//! Dataset -> views -> encoder -> classifier     "linear-augmented/1" [linear_augmented]
//! ```
//!
//! Rules that hold everywhere: the encoder is in eval mode and is checked unchanged bit for bit; classes come from the training split
//! and the test split's are matched to them by name; nothing is chosen on the test split; every draw is a function of the seed.
//! The room knows no run folder, no training loop and no terminal: who wants progress hands in a closure.
#![forbid(unsafe_code)]

mod augmented;
mod backbone;
mod classes;
mod error;
mod features;
mod fit;
mod knn;
mod linear;
mod probe;
mod progress;
mod split;
mod standardise;
mod top_k;

pub use augmented::{AugmentedRecipe, LINEAR_AUGMENTED_PROTOCOL, linear_augmented};
pub use backbone::Backbone;
pub use classes::match_classes;
pub use error::EvalError;
pub use features::{Extractor, Features, ViewOptions, extract};
pub use knn::{KNN_PROTOCOL, KnnOptions, KnnResult, knn};
pub use linear::{LINEAR_CACHED_PROTOCOL, LinearOptions, LinearResult, SweepPoint, linear_cached};
pub use progress::{Progress, Stage};
