//! An index of the runs below a folder, `runs.sqlite`: a table with a row per run and a column per setting, result and final metric.
//!
//! ```text
//! run folders (the truth) --scan--> Row --Registry::open--> runs.sqlite --query--> Listed
//! ```
//!
//! The file is brought up to date whenever it is opened: runs that have changed are read again, runs that are gone are removed. It can be deleted
//! at any time. Any program that reads SQLite can use it: `select path, knn, "negatives.pairs" from runs`.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make files of every sort"))]

mod column;
mod error;
mod expression;
mod registry;
mod scan;

pub use column::{EVALUATED, OUTDATED, Value, columns, is_result, is_setting, protocol_of};
pub use error::RegistryError;
pub use expression::check_column;
pub use registry::{Listed, Order, Query, Registry, Unread, read};
