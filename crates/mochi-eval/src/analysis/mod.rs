//! How the embeddings of a run's checkpoints look.
//!
//! | file | measures |
//! |---|---|
//! | [`alignment_uniformity`](mod@alignment_uniformity) | distance of positive pairs, uniformity on the sphere |
//! | [`rank_me`](mod@rank_me) | effective rank of features and embeddings |
//! | [`spread`](mod@spread), [`collapse`](mod@collapse) | standard deviation by dimension; whether the embeddings have collapsed |
//! | [`similarity`](mod@similarity) | histograms of the similarities of positive and negative pairs |
//! | [`hardest`](mod@hardest) | matching probabilities and false negatives by rank |
//! | [`false_parents`](mod@false_parents) | false negatives among the parents of synthetic negatives |
//! | [`proxy_accuracy`](mod@proxy_accuracy), [`class_oracle`](mod@class_oracle) | accuracy on the proxy task, with and without synthetic negatives and negatives of the query's class |
//! | [`principal_components`](mod@principal_components) | two principal components, for a picture |
//! | [`t_sne`](mod@t_sne) | t-SNE, for another picture |
//! | [`neighbors`](mod@neighbors) | nearest neighbors: their classes, and whether they change during training |
//! | [`pairs`](mod@pairs) | the positive pair and the hardest negatives of each image |
//!
//! Each takes tensors or slices and can be used alone. [`Analyzer`] applies all of them to a sample of images and the encoders of a run; the [`mod@measure`]
//! table names every number. The sample's images are seen as in evaluation (features, neighbors, rank, spread) and as two augmented training views
//! (alignment, uniformity, similarities, negatives), always with running batch-norm statistics. No measure is used to select anything.

pub mod alignment_uniformity;
mod analyzer;
mod checkpoint;
pub mod class_oracle;
pub mod collapse;
pub mod false_parents;
#[cfg(test)]
mod fixture;
pub mod hardest;
pub mod neighbors;
pub mod pairs;
pub mod principal_components;
pub mod proxy_accuracy;
pub mod rank_me;
mod reading;
pub(crate) mod sample;
mod sheet;
pub mod similarity;
pub mod spread;
pub mod t_sne;

pub use analyzer::{Analysis, AnalysisOptions, Analyzer, is_labeled};
pub use checkpoint::CheckpointAnalysis;
pub use mochi_run::measure;
pub use sheet::{SheetRow, sheet};
