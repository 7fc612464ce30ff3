//! Texts and signals.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod printable;
#[cfg(unix)]
mod stop;
