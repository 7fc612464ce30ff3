//! Contrastive losses with synthetic hard negatives (MoCHi, Kalantidis et al., NeurIPS 2020) on tensors, computed in closed form; the methods
//! themselves are in [`mochi_contrast_core`].
//!
//! ```text
//! query (B, D), key (B, D), candidate keys (K, D)            unit rows; candidates = the queue, keys of the batch, or both
//!   cosines = query candidatesᵀ (B, K)                       [info_nce()] checks; CPU in float32: `cpu`, elsewhere: `device`
//!   loss and gradient in query (B, D)                        closed form, no autograd graph, no synthetic vector
//! ```
//!
//! [`Objective`] describes the loss, [`Context`] holds its optional inputs, [`info_nce()`] computes it with its [`Measures`], and
//! [`diagnostics()`] what is too expensive at every step.
//!
//! ```
//! use mochi_contrast::{Context, Objective, Queue, SampleMetadata, info_nce};
//! use mochi_tensor::{Device, Kind, Tensor};
//!
//! # fn main() -> Result<(), mochi_contrast::ContrastError> {
//! let unit = |values: &[f32]| Tensor::from_slice(values).view([2, 2]);
//! let (query, key) = (unit(&[1.0, 0.0, 0.0, 1.0]), unit(&[0.8, 0.6, 0.6, 0.8]));
//! let mut queue = Queue::new(16, 2, Device::Cpu)?;
//! let objective = Objective::mochi(0.2, 4, 8, 2);
//! let loss = info_nce(&query, &key, queue.rows(), &objective, &Context::default())?;
//! assert_eq!(loss.gradient.size(), [2, 2]);
//! queue.enqueue(&key, SampleMetadata::default())?;
//! # Ok(())
//! # }
//! ```
//!
//! | method | where |
//! |---|---|
//! | MoCo, MoCHi, SynCo, decoupled, debiased, HCL, negative filters | [`info_nce()`] |
//! | SimCLR, SupCon, NNCLR: contrast within the batch | [`sim_clr`](fn@sim_clr), [`sup_con`](fn@sup_con), [`nnclr`] |
//! | the nearest neighbor as positive | [`nearest`](fn@nearest) |
//! | Feature Transformation | [`feature_transformation`]: an extrapolated positive, candidate keys mixed with each other |
//! | Un-Mix, i-Mix, MixCo | [`images`]: mixed queries with two weighted positives |
//! | keys of the batch as candidates | any candidates, with [`Context::positive_indices`] |
#![forbid(unsafe_code)]

mod cpu;
mod device;
mod diagnostics;
mod error;
pub mod feature_transformation;
pub mod images;
mod in_batch;
mod info_nce;
mod loss;
mod measures;
mod nearest;
#[cfg(any(test, feature = "oracle"))]
pub mod oracle;
mod queue;
mod sim_clr;
mod sup_con;

pub use device::{ClosedForm, evaluate};
pub use diagnostics::{Diagnostics, diagnostics};
pub use error::ContrastError;
pub use info_nce::info_nce;
pub use loss::Loss;
pub use measures::false_negatives::FalseNegatives;
pub use measures::matching::MatchingCurve;
pub use measures::queue_age::{QueueAge, queue_age};
pub use measures::uniformity::uniformity;
pub use mochi_contrast_core::{
    Affine, Context, CoreError, ExplicitSamples, Filter, LossVariant, Measures, Objective, SampleMetadata, Strategy,
};
pub use mochi_random::DrawKey;
pub use nearest::{nearest, nnclr};
pub use queue::{Queue, check_unit};
pub use sim_clr::sim_clr;
pub use sup_con::sup_con;
