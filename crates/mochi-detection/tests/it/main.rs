//! Integration tests of the detector, in one binary.

#![allow(clippy::unwrap_used)]

mod fixture;
mod formula;
mod fpn;
mod model;
mod parts;
