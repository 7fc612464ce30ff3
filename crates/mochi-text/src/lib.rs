//! Numbers of things, times and tables as text for people. Every message that counts something uses it, so that none says "1 images".
//!
//! | item | does |
//! |---|---|
//! | [`counted`], [`counted_with`], [`part_of`] | numbers of things, in sentences with a verb too |
//! | [`duration`] | times |
//! | [`aligned`] | rows of a table as lines |
//!
//! ```
//! use mochi_text::{counted, duration, part_of};
//! assert_eq!(counted(1, "bad image"), "1 bad image");
//! assert_eq!(part_of(2, 20, "image", ["is bad", "are bad"]), "2 of 20 images are bad");
//! assert_eq!(duration(7_500.0), "2h 05m");
//! ```
#![forbid(unsafe_code)]

mod columns;
mod counted;
mod duration;

pub use columns::aligned;
pub use counted::{counted, counted_with, part_of};
pub use duration::duration;
