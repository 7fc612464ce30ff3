//! Pre-training: MoCo's step with MoCHi's negatives, the loop around it, and coming back after a stop.
//!
//! ```text
//! settings + data set -> [pretrain] -> for every batch of two views: [step] -> metrics, checkpoints
//!                            ^                                                        |
//!                            +----------------- [checkpoint] <- resume <-------------+
//! ```
//!
//! Everything random derives from (seed, epoch, image, view) or (seed, step, query, point), so on a CPU a run that was stopped and
//! resumed ends with the same bits as one that was not.
#![forbid(unsafe_code)]

mod checkpoint;
mod encoder;
mod error;
mod failure;
mod flows;
mod learner;
mod looks;
mod meter;
mod pretrain;
mod schedule;
mod wiring;

pub use checkpoint::{State, load_state};
pub use encoder::{LoadedEncoder, load_encoder};
pub use error::TrainError;
pub use learner::{Learner, StepReport};
pub use pretrain::{Event, Outcome, Pretraining};
pub use schedule::learning_rate;
pub use wiring::{compute, encoder_spec, facts, objective, open_data, recipe};
