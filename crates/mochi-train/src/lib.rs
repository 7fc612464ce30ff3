//! Training: one loop for any task, and the tasks.
//!
//! ```text
//! settings + dataset -> [Task] -> [Trainer]: for every batch, one step -> metrics, checkpoints
//!                                    ^                                         |
//!                                    +------------- parts by name <- resume <--+
//! ```
//!
//! [`Trainer`] runs the steps, writes records and checkpoints, stops, resumes and dumps what failed. A [`Task`] has a loader that continues at any
//! step, a step that follows a [`StepPlan`], and named [`Part`]s of state. [`Contrastive`] is one.
//!
//! Everything random derives from (seed, epoch, image, view) or (seed, step, query, synthetic negative). On a CPU with the same number of threads, a
//! resumed run is bitwise identical to one that was not stopped.
//!
//! ```
//! use mochi_train::{Decay, LearningRate, Update, WarmUp};
//!
//! // detectron2's 1x schedule, counted in iterations.
//! let schedule = LearningRate {
//!     peak: 0.02,
//!     steps_per_unit: 1,
//!     update: Update::EveryStep,
//!     length: 90_000.0,
//!     warm_up: WarmUp::From { factor: 1e-3, length: 1000.0 },
//!     decay: Decay::Steps { milestones: vec![60_000.0, 80_000.0], factor: 0.1 },
//! };
//! assert_eq!(schedule.at(30_000.0), 0.02);
//! assert!((schedule.at(70_000.0) - 0.002).abs() < 1e-12);
//! ```
#![forbid(unsafe_code)]

mod checkpoint;
mod clock;
mod destination;
mod encoder;
mod error;
mod evaluations;
mod failure;
mod pace;
mod part;
mod ranks;
mod records;
mod schedule;
mod speed;
mod start_weights;
mod state;
mod task;
mod tasks;
mod trainer;
mod wiring;

pub use destination::Destination;
pub use encoder::{LoadedEncoder, load_encoder, load_encoder_at};
pub use error::TrainError;
pub use evaluations::Evaluate;
pub use part::{Part, PartContent, Parts};
pub use schedule::{Decay, LearningRate, Update, WarmUp};
pub use speed::{measure_speed, noise_views};
pub use start_weights::{StartWeights, start_network};
pub use state::{Data, State};
pub use task::{Batches, DataIdentity, Evaluated, OnChange, Setting, StepError, StepPlan, StepReport, Task, Timeline};
pub use tasks::contrastive::learner::Learner;
pub use tasks::contrastive::step::LearnerReport;
pub use tasks::contrastive::{Contrastive, ContrastiveData, Views};
pub use tasks::detection::{
    Detection, DetectionData, DetectionLearner, Found, LoadedDetector, ObjectBatches, detect_all, export_detector,
    load_detector,
};
pub use trainer::{Event, Outcome, Progress, Trainer, TrainerOptions};
pub use wiring::{
    augmentation, augmentation_of, compute, compute_of, encoder_spec, facts, objective, open_data, open_evaluation_data,
};
