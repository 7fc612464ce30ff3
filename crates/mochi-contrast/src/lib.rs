//! The paper: *Hard Negative Mixing for Contrastive Learning* (Kalantidis et al., NeurIPS 2020), on top of MoCo-v2.
//!
//! A step of contrastive learning as this room sees it, shapes in brackets:
//!
//! ```text
//! query (B, D), key (B, D), queue (K, D)                     unit rows
//!   cosines = query queueᵀ (B, K)                            [info_nce]
//!   the N hardest columns of each row                        [hardest]
//!   s pair mixes, s' query mixes per row, as cosines only    [pair_mixing], [query_mixing]
//!   loss = -log( e^{q·k/t} / (e^{q·k/t} + Σ e^{·/t}) )       over K + s + s' negatives
//!   gradient in query (B, D)                                 closed form, no autograd graph
//! ```
//!
//! No synthetic vector is ever made: a mix's cosine with the query follows from its parents' cosines and one dot product, and its
//! gradient flows back over its parents' columns. The room knows no files and no networks.
#![forbid(unsafe_code)]

mod error;
pub mod hardest;
mod info_nce;
mod kernels;
pub mod materialised;
mod measures;
pub mod pair_mixing;
mod points;
pub mod query_mixing;
mod queue;
mod tensor_path;

pub use error::ContrastError;
pub use info_nce::{Loss, info_nce, info_nce_given};
pub use measures::Measures;
pub use points::{Coefficient, DrawKey, Points, Synthesis};
pub use queue::Queue;
pub use tensor_path::{ClosedForm, evaluate_given};
