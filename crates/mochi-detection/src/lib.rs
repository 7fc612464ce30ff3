//! Object detectors: Faster R-CNN and Mask R-CNN with a C4 head, which MoCo and MoCHi are evaluated with, or with a feature pyramid, as detectron2 defines
//! them.
//!
//! ```text
//! images ─> backbone ─> maps ─┬─> RPN ─> proposals ─┐
//!                             └────────> RoIAlign <─┘ ─┬─> classes, boxes ─> detections
//!                                                      └─> masks ──────────> pasted masks
//! ```
//!
//! | | C4 | feature pyramid |
//! |---|---|---|
//! | maps | res4 | P2 to P6 from res2 to res5; regions from P2 to P5 by their size |
//! | regions | 14x14, then res5 and a norm, 7x7, mean | 7x7, two linear layers |
//! | masks | the same 7x7 to 14x14 | 14x14, four convolutions, 28x28 |
//!
//! [`Architecture`] is the table of both; everything else is in common.
//!
//! Tensors hold what networks compute; boxes, matches and samples are values on the host. Random draws come from the caller.
#![forbid(unsafe_code)]

pub mod anchors;
mod architecture;
mod batch;
pub mod box_head;
pub mod boxes;
pub mod coding;
mod detector;
mod fpn;
mod host;
mod inference;
mod layers;
mod losses;
pub mod mask_head;
mod mask_targets;
pub mod matcher;
pub mod names;
pub mod nms;
pub mod paste;
pub mod proposals;
mod pyramid;
mod region_head;
mod regions;
pub mod roi_align;
pub mod rpn;
pub mod sampling;

pub use architecture::{Architecture, UnknownArchitecture};
pub use batch::{ImageGroup, Truth};
pub use detector::{Detector, DetectorSpec};
pub use inference::Prediction;
pub use losses::Losses;
pub use mask_targets::PlacedMask;
pub use pyramid::level;
