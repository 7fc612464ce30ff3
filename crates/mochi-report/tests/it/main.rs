//! Integration tests of the reports, one binary.
#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod browser;
mod figures;
mod image_pages;
mod run_page;
