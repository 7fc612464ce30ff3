//! Contrastive losses with synthetic hard negatives on slices: *Hard Negative Mixing for Contrastive Learning* (MoCHi, Kalantidis et al.,
//! NeurIPS 2020) and related methods. No tensor library, no files, no networks.
//!
//! ```
//! use mochi_contrast_core::{Context, Objective, Strategy, cpu, parse, Family};
//!
//! // One query and its key, and three candidate keys, all of them unit rows of two dimensions.
//! let (query, key) = ([1.0f32, 0.0], [0.8f32, 0.6]);
//! let candidates = [0.6f32, 0.8, 0.0, 1.0, -1.0, 0.0];
//! let mut objective = Objective::mochi(0.2, 2, 4, 4);
//! objective.strategies.push(parse::<Strategy>(Strategy::table(), "noise", [("s", 8.0)])?.build());
//!
//! let loss = cpu::info_nce(&query, &key, &candidates, 2, &objective, &Context::default())?;
//! assert!(loss.value > 0.0 && loss.gradient.len() == 2);
//! // Every embedding at one point: 3 keys, 4 + 4 mixes and 8 noisy ones are as near as the positive.
//! assert!((loss.chance - (1.0f64 + 3.0 + 4.0 + 4.0 + 8.0).ln()).abs() < 1e-12);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ```text
//! loss  = Σ over queries of w  -log( e^{q·k/t} / Z ),   Z = e^{q·k/t} + Σ_{candidate keys n} e^{q·n/t} + Σ_{synthetic h} e^{q·h/t},   w = 1/B
//! dloss/dq = w/t ( (p_k - 1) k + Σ_n p_n n + Σ_h p_h h ),   p = e^{·/t} / Z
//! ```
//!
//! No synthetic vector is made: the cosine of a synthetic negative follows from its parents' cosines and one dot product, and as `h` is a
//! combination of keys (and of q), its probability is added to the gradient weights of its parents' keys.
//!
//! | part | where |
//! |---|---|
//! | strategies of synthetic negatives, one file each, and their common form | [`strategies`] |
//! | negative filters, one file each, and their rules | [`filters`] |
//! | loss variants, one file each, and their common form | [`losses`] |
//! | names, arguments and ranges of all of them | [`spec`] |
//! | the N hardest of a row | [`hard_negatives`] |
//! | parents and coefficients | [`draws`] |
//! | the CPU kernel | [`cpu`] |
#![forbid(unsafe_code)]

mod context;
pub mod cpu;
pub mod draws;
mod error;
pub mod filters;
pub mod hard_negatives;
pub mod losses;
pub mod measures;
mod metadata;
mod objective;
pub mod spec;
pub mod strategies;

pub use context::{Affine, Context, ExplicitSamples};
pub use error::CoreError;
pub use filters::{FILTERS, Filter};
pub use losses::{LOSSES, LossVariant};
pub use measures::Measures;
pub use metadata::SampleMetadata;
pub use objective::Objective;
pub use spec::{Argument, Configured, Family, Range, Spec, SpecError, parse};
pub use strategies::{STRATEGIES, Strategy};
