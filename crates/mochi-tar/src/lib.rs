//! Tar files whose members are read in place: their headers, the members by name, and several files by a pattern.
//!
//! ```text
//! pattern -> paths                [`matching`], [`expand`]
//!            path -> headers      [`Headers`]: name, offset and length of each member
//!                    headers -> members by name, links followed      [`Members`]
//!                               a member, read like a file            [`Part`]
//! ```
#![forbid(unsafe_code)]

mod headers;
mod members;
mod part;
mod pattern;

pub use headers::{Content, End, Entry, Headers};
pub use members::{Members, Span, normal};
pub use part::Part;
pub use pattern::{PatternError, expand, is_pattern, matching};
