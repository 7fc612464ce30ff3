//! Batches of whole images with objects, for detectors: resized, mirrored, normalized and padded, with where each image was placed.
//!
//! ```text
//! order (which images, in which group) ─> threads (read, decode, resize, mirror) ─> groups (padded) ─> next()
//! ```
//!
//! A batch is a function of (seed, step): any number of threads gives the same, and [`ObjectLoaderOptions::start`] continues at any step.

mod image;
mod loader;
mod order;
mod unreadable;

pub use image::{ObjectImageOptions, shortest_edge};
pub use loader::{LoadedImage, ObjectBatch, ObjectGroup, ObjectLoader, ObjectLoaderOptions, check_bad};
pub use unreadable::{ends_a_run, find_unreadable};
