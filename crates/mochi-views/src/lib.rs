//! Makes augmented, normalized views of images. Independent of files and tensor libraries.
//!
//! ```text
//! Decoder (bytes to RGB) ─> Augmentation + Stream = ViewPlan (what) ─> ViewMaker (how)
//! ```
//!
//! Pixels are equal to those of Pillow and torchvision, and a stream of random numbers determines a view.
//!
//! ```
//! use mochi_views::decode::Pixels;
//! use mochi_views::plan::ViewPlan;
//! use mochi_views::random::{Purpose, Stream};
//! use mochi_views::views::{Normalize, ViewMaker};
//! use mochi_views::Augmentation;
//!
//! let pixels = Pixels { width: 4, height: 2, rgb: vec![128; 4 * 2 * 3] };
//! let augmentation = Augmentation::preset("moco-v2").unwrap();
//! let mut plan = ViewPlan::default();
//! plan.draw(&augmentation, pixels.width, pixels.height, 8, &mut Stream::new(1, Purpose::View, 0, 0, 0));
//! let normalize = Normalize::new(augmentation.mean, augmentation.std);
//! let mut view = vec![0.0; 3 * 8 * 8]; // (3, 8, 8)
//! ViewMaker::new().render(&pixels, &plan, 8, &normalize, &mut view)?;
//! # Ok::<(), mochi_views::DecodeError>(())
//! ```
#![forbid(unsafe_code)]

pub mod augmentation;
pub mod average;
pub mod decode;
mod error;
pub mod paint;
pub mod perceptual_hash;
pub mod plan;
pub mod random;
pub mod statistics;
pub mod views;

pub use augmentation::{Augmentation, Geometry, Transform};
pub use error::{BadReason, DecodeError, RangeError};
