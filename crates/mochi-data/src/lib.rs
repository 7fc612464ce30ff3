//! Finds images, loads them into augmented, normalized batches, checks and packs them. Independent of tensor libraries.
//!
//! ```text
//! Dataset (where) ─> mochi-views (bytes to views) ─> Loader (batches)
//! ```
//!
//! Guarantees:
//!
//! * The same (seed, epoch, image, view) gives the same pixels for any number of threads.
//! * Bad images are counted and listed, and are never returned. They end a run only if their fraction exceeds `max_bad_fraction`.
//! * Memory is bounded by the prefetch depth.
//!
//! ```no_run
//! use mochi_data::{Dataset, Loader, LoaderOptions, OpenOptions, Order};
//!
//! let dataset = Dataset::open("photos".as_ref(), &OpenOptions::default())?;
//! let options = LoaderOptions { order: Order::Shuffled { seed: 1 }, end_epoch: 10, batch: 64, ..LoaderOptions::default() };
//! let mut loader = Loader::new(&dataset, options)?;
//! while let Some(batch) = loader.next() {
//!     let batch = batch?;
//!     // batch.view(0) is (64, 3, 224, 224)
//!     loader.recycle(batch);
//! }
//! # Ok::<(), mochi_data::DataError>(())
//! ```
// Without remote shards their errors and addresses still exist as types, but nothing makes them.
#![cfg_attr(not(feature = "remote"), allow(dead_code, unreachable_code, unused_variables))]
#![forbid(unsafe_code)]

pub mod bench;
mod cancel;
pub mod dataset;
pub mod dataset_report;
mod error;
pub mod loader;
pub mod objects;
mod order;
pub mod pack;
pub mod preview;
mod read_error;
mod read_file;
mod sampled;
mod skipped;
mod targets;
#[cfg(test)]
mod testing;
mod thumbnail;

pub use cancel::Cancel;
pub use dataset::shards::{Address, MOCHI_URL_QUERY, RemoteOptions, display_source, is_remote};
pub use dataset::{Counter, Dataset, OpenOptions, Split};
pub use error::{BadImage, DataError};
pub use loader::{Batch, CacheOptions, Heap, Loader, LoaderOptions, Memory, Order, Position, Shard};
pub use read_error::ReadError;
pub use sampled::{Sampled, sampled};
pub use skipped::Skipped;
pub use targets::Targets;
pub use thumbnail::{Thumbnail, Thumbnailer};
