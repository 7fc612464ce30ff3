//! Object detectors: Faster R-CNN and Mask R-CNN with a C4 head, as detectron2 defines them and MoCo and MoCHi are evaluated with.
//!
//! ```text
//! images ─> backbone to res4 ─┬─> RPN ─> proposals ─┐
//!                             └────────> RoIAlign <─┘ ─> res5, norm ─┬─> classes, boxes ─> detections
//!                                                                    └─> masks 14x14 ────> pasted masks
//! ```
//!
//! Tensors hold what networks compute; boxes, matches and samples are values on the host. Random draws come from the caller.
#![forbid(unsafe_code)]

pub mod anchors;
mod batch;
pub mod box_head;
pub mod boxes;
pub mod coding;
mod detector;
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
pub mod roi_align;
pub mod rpn;
pub mod sampling;

pub use batch::{ImageGroup, Truth};
pub use detector::{Detector, DetectorSpec};
pub use inference::Prediction;
pub use losses::Losses;
pub use mask_targets::PlacedMask;
