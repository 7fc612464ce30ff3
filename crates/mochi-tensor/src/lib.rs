//! Everything that knows libtorch: loading it, precision, memory layout, parameters, optimizers, weight files.
//!
//! The other crates take tensors from here ([`Tensor`], [`Device`], [`Kind`]) and never name `tch` or C++. The crate
//! knows nothing of contrastive learning. `unsafe` is allowed in this crate alone, each use with its reason.
//!
//! ```
//! use mochi_tensor::{Compute, Optimizer, ParameterGroup, ParameterStore, Role, Update, from_f32};
//!
//! let engine = mochi_tensor::start(None)?;
//! let device = engine.device("cpu")?;
//! let mut store = ParameterStore::new();
//! let weight = store.add("weight", from_f32(&[1.0, -2.0], &[2])?, Role::Parameter);
//!
//! // One step of gradient descent on the sum of squares: w - 0.1 * 2 w.
//! let group = ParameterGroup::new(1.0, 0.0).with(&store, "", |_| true);
//! let mut optimizer = Optimizer::new(Update::Sgd, 0.9, vec![group])?;
//! weight.f_square()?.f_sum(weight.kind())?.f_backward()?;
//! optimizer.step(0.1)?;
//! assert_eq!(Vec::<f32>::try_from(&store.export("")["weight"])?, [0.8, -1.6]);
//! assert_eq!(Compute::CPU.device, device);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// The one crate where `unsafe` is allowed: it is the border to C++.
#![allow(unsafe_code)]

pub mod allocator;
#[doc(hidden)]
pub mod calls;
pub mod collectives;
mod compute;
mod conv;
mod engine;
mod error;
mod ffi;
mod files;
mod finite;
mod generator;
mod load;
mod memory;
mod norm;
mod numpy_pickle;
mod optim;
mod parallel;
mod params;
mod pytorch;
mod sizes;
mod wait;

pub use collectives::{Group, Reducer};
pub use compute::{Compute, Precision, upload};
pub use conv::{ConvOptions, conv2d};
pub use engine::{Engine, LIBTORCH_VERSION, cuda_available, libtorch_folder, set_threads, start, threads};
pub use error::TensorError;
pub use files::{WeightsFile, WeightsReader, read_tensors, write_tensors};
pub use finite::first_not_finite;
pub use generator::{generator_state, set_generator_state, with_generator, with_seed};
pub use load::{Found, LoadReport};
pub use memory::{HostValues, from_f32};
pub use norm::{Affine, BatchNorm, NormMode, NormTraining};
pub use optim::{Optimizer, ParameterGroup, Update, momentum_update};
pub use parallel::{for_each_row, parallel_ranges};
pub use params::{ParameterStore, Role};
pub use sizes::{dim, extent};
pub use wait::{Waiting, set_waiting};

pub use tch::{Device, IndexOp, Kind, Reduction, TchError, Tensor, no_grad};
