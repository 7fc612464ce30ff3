//! The paper: *Hard Negative Mixing for Contrastive Learning* (Kalantidis et al., NeurIPS 2020), on top of MoCo-v2.
//!
//! A step of contrastive learning as this room sees it, shapes in brackets:
//!
//! ```text
//! query (B, D), key (B, D), columns (K, D)                   unit rows; columns = the queue, keys of the batch, or both
//!   cosines = query columnsᵀ (B, K)                          [info_nce] checks; [fused] on the CPU, [tensor_path] elsewhere
//!   columns that are no negatives are masked                 [guards]
//!   the N hardest columns of each row                        [hardest]
//!   s pair mixes, s' query mixes, ... as cosines only        [points]: pair_mixing, query_mixing, and their neighbours
//!   loss = -log( e^{q·k/t} / (e^{q·k/t} + Σ e^{·/t}) )       [forms]: over columns and points
//!   gradient in query (B, D)                                 closed form, no autograd graph
//! ```
//!
//! [`Objective`] says what the loss is, [`Context`] what is known of its rows, [`info_nce`] computes it with its [`Measures`]; [`look()`] looks closer.
//!
//! No synthetic vector is ever made: a mix's cosine with the query follows from its parents' cosines and one dot product, and its
//! gradient flows back over its parents' columns. The room knows no files and no networks.
//!
//! | neighbour of the paper | where |
//! |---|---|
//! | SynCo's six points | [`points`]: interpolation is query mixing, mixup is pair mixing; extrapolation, noise, perturbation, adversarial |
//! | controls: hard negatives repeated or weighted, not mixed | [`points::repeated`], [`points::weighted`] |
//! | decoupled, debiased, HCL | [`forms`] |
//! | ring, margin, percentage, same image, class oracle | [`guards`] |
//! | SimCLR, SupCon, NNCLR: contrast within the batch | [`sim_clr`](fn@sim_clr), [`sup_con`](fn@sup_con), [`nnclr`] |
//! | the nearest neighbour as positive | [`nearest`](fn@nearest) |
//! | Feature Transformation | [`feature_transformation`]: an affine positive, columns mixed with each other |
//! | Un-Mix, i-Mix, MixCo | [`images`]: mixed queries with two weighted positives |
//! | keys of the batch beside the queue or instead of it | any columns, with [`Context::own`] |
#![forbid(unsafe_code)]

mod context;
mod draws;
mod error;
pub mod feature_transformation;
pub mod forms;
mod fused;
pub mod guards;
pub mod hardest;
pub mod images;
mod in_batch;
mod info_nce;
mod kernels;
mod look;
pub mod materialised;
mod measures;
mod mixing;
mod nearest;
mod objective;
pub mod points;
mod queue;
mod readings;
mod row;
mod sim_clr;
mod sup_con;
mod synthesis;
mod tensor_draws;
mod tensor_forms;
mod tensor_guards;
mod tensor_path;
mod tensor_points;

pub use context::{Affine, Context, Known};
pub use draws::{Coefficient, Points};
pub use error::ContrastError;
pub use forms::Form;
pub use guards::Guard;
pub use info_nce::{Loss, info_nce};
pub use look::{Look, look};
pub use measures::Measures;
pub use measures::false_negatives::FalseNegatives;
pub use measures::matching::MatchingCurve;
pub use measures::queue_age::{QueueAge, queue_age};
pub use measures::uniformity::uniformity;
pub use mochi_random::DrawKey;
pub use nearest::{nearest, nnclr};
pub use objective::Objective;
pub use queue::{Queue, check_unit};
pub use sim_clr::sim_clr;
pub use sup_con::sup_con;
pub use synthesis::{Synthesis, Term};
pub use tensor_path::{ClosedForm, evaluate};
