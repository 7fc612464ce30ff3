//! Integration tests of evaluation, one binary.
#![allow(clippy::unwrap_used, reason = "a helper that fails ends the test that called it")]

mod evaluation;
mod monitor;
