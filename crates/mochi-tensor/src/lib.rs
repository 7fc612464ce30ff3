//! Everything that knows libtorch: loading it, precision, memory layout, parameters, optimizers, weight files.
//!
//! The other rooms take tensors from here ([`Tensor`], [`Device`], [`Kind`]) and never name `tch` or C++. The crate
//! knows nothing of contrastive learning. `unsafe` lives here alone, each with its reason.

// The one room where `unsafe` is allowed: it is the border to C++.
#![allow(unsafe_code)]

mod calls;
mod compute;
mod conv;
mod engine;
mod error;
mod ffi;
mod files;
mod generator;
mod memory;
mod norm;
mod optim;
mod parallel;
mod params;

pub use calls::{WAITS, count_calls};
pub use compute::{Compute, Precision, upload};
pub use conv::conv2d;
pub use engine::{Engine, LIBTORCH_VERSION, cuda_available, libtorch_folder, set_threads, start};
pub use error::TensorError;
pub use files::{WeightsFile, read_tensors, write_tensors};
pub use generator::{generator_state, set_generator_state, with_seed};
pub use memory::{from_f32, read_f32, with_f32_mut};
pub use norm::{BatchNorm, NormMode, norm_act};
pub use optim::{Optimizer, Update, momentum_update};
pub use parallel::{for_each_row, parallel_ranges};
pub use params::{ParameterStore, Role};

pub use tch::{Device, IndexOp, Kind, Reduction, TchError, Tensor, no_grad};
