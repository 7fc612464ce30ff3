//! Integration tests of the detector, in one binary.

#![allow(clippy::unwrap_used)]

mod fixture;
mod model;
mod parts;
