//! Integration tests of the crate, in one binary.
#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod detection;
mod method;
mod ranks;
mod resume;
mod speed;
mod trainer;
mod trajectory;
